"""What can break: a scope (where) and a layer (what), and which paths fail with a broken component.

A component also says which probes and address families it affects: a filter can close UDP alone, or IPv6 alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import msgspec

from smoker_diagnosis.evidence import ECHO, LARGE, NAMES, Cell, Mesh

# Kinds of scopes. The names stand in findings and metrics.
NODE, INTO, OUT_OF = "node", "into", "out_of"  # a node; what enters it; what leaves it
PAIR, ONE_WAY = "pair", "one_way"  # between two nodes; from the first to the second alone
ZONE, ZONE_PAIR, ZONE_ONE_WAY, INSIDE_ZONE = "zone", "zone_pair", "zone_one_way", "inside_zone"
ALL = "all"
SERVICE, TARGET = "service", "target"  # an echo service from all nodes; another target

# Layers, the most general last.
OVERLAY, NETWORK = "overlay", "network"  # all paths between nodes except host to host; all paths between nodes
PODS, INTO_PODS, OUT_OF_PODS = "pods", "into_pods", "out_of_pods"  # a policy, or the pods' own attachment
HOSTS = "hosts"  # the host network alone: a firewall of the node

OF_SCOPE = {
    NODE: (OVERLAY, NETWORK, PODS),
    INTO: (OVERLAY, NETWORK, INTO_PODS, HOSTS),
    OUT_OF: (OVERLAY, NETWORK, OUT_OF_PODS),
    PAIR: (OVERLAY, NETWORK),
    ONE_WAY: (OVERLAY, NETWORK),
    ZONE: (OVERLAY, NETWORK),
    ZONE_PAIR: (OVERLAY, NETWORK),
    ZONE_ONE_WAY: (OVERLAY, NETWORK),
    INSIDE_ZONE: (OVERLAY, NETWORK),
    ALL: (OVERLAY, NETWORK, INTO_PODS, OUT_OF_PODS, HOSTS),
}
NO, MUST, MAY = 0, 1, 2  # whether a path fails with its component

_INTO_POD = {"pod", "host-pod"}
_OUT_OF_POD = {"pod", "pod-host"}
_INTO_HOST = {"host", "pod-host"}


class Scope(msgspec.Struct, frozen=True, order=True, gc=False):
    """Where: `nodes` and `zones` in the order that `kind` means, sorted where it means none."""

    kind: str
    nodes: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()


class Component(msgspec.Struct, frozen=True, order=True, gc=False):
    """A scope and a layer. `bits`: the affected probes. `families`: the affected families, empty for all."""

    scope: Scope
    layer: str
    bits: int = ECHO
    families: tuple[str, ...] = ()

    @property
    def probes(self) -> tuple[str, ...]:
        """The names of the affected probes; empty if all are affected."""
        return () if self.bits == ECHO else tuple(name for bit, name in NAMES.items() if bit & self.bits)


def scopes_of(cell: Cell) -> Iterator[Scope]:
    """Yield the scopes of all components that could cause a failure of `cell`."""
    yield from narrow_scopes_of(cell)
    yield from wide_scopes_of(cell)


def narrow_scopes_of(cell: Cell) -> Iterator[Scope]:
    """Yield those of these scopes that are nodes or pairs of nodes."""
    source, target = cell.source, cell.target
    yield Scope(NODE, (source,))
    yield Scope(INTO, (target,))
    yield Scope(OUT_OF, (source,))
    if source != target:
        yield Scope(NODE, (target,))
        yield Scope(PAIR, (source, target) if source < target else (target, source))
        yield Scope(ONE_WAY, (source, target))


def wide_scopes_of(cell: Cell) -> Iterator[Scope]:
    """Yield those of these scopes that are no nodes: zones, and the whole mesh."""
    yield Scope(ALL)
    here, there = cell.source_zone, cell.target_zone
    if cell.source == cell.target or not here or not there:
        return
    if here == there:
        yield Scope(INSIDE_ZONE, (), (here,))
    else:
        yield Scope(ZONE, (), (here,))
        yield Scope(ZONE, (), (there,))
        yield Scope(ZONE_PAIR, (), (here, there) if here < there else (there, here))
        yield Scope(ZONE_ONE_WAY, (), (here, there))


def concerns(scope: Scope, node: str, zone: str) -> bool:
    """Return whether a fault of `scope` may keep packets of `node`, which is in `zone`, from its peers."""
    return node in scope.nodes or zone in scope.zones or scope.kind == ALL


def cells_of(mesh: Mesh, scope: Scope) -> Iterator[Cell]:
    """Yield every path that a fault of `scope` can affect, each once."""
    if scope.kind == NODE:
        node = scope.nodes[0]
        yield from mesh.leaving(node)
        yield from (cell for cell in mesh.entering(node) if not cell.local)
    elif scope.kind == OUT_OF:
        yield from mesh.leaving(scope.nodes[0])
    elif scope.kind == INTO:
        yield from mesh.entering(scope.nodes[0])
    elif scope.kind in (PAIR, ONE_WAY):
        one, other = scope.nodes
        yield from (cell for cell in mesh.leaving(one) if cell.target == other)
        if scope.kind == PAIR:
            yield from (cell for cell in mesh.leaving(other) if cell.target == one)
    elif scope.kind == ALL:
        yield from mesh.cells
    else:
        yield from (
            cell for cell in mesh.cells if not cell.local and has_zones(scope, cell.source_zone, cell.target_zone)
        )


def has_zones(scope: Scope, here: str, there: str) -> bool:
    """Return whether the paths from the zone `here` to the zone `there` belong to `scope`, which is one of zones."""
    if scope.kind == INSIDE_ZONE:
        return here == there == scope.zones[0]
    if scope.kind == ZONE:
        return (here == scope.zones[0]) != (there == scope.zones[0])
    if scope.kind == ZONE_PAIR:
        return {here, there} == set(scope.zones)
    return (here, there) == scope.zones


def another_place(scope: Scope, sizes: Mapping[str, int]) -> bool:
    """Return whether `scope` differs from every smaller scope: a zone with one node is the same as that node.

    `sizes`: by zone, how many nodes it has.
    """
    own = [sizes.get(zone, 0) for zone in scope.zones]
    if scope.kind == INSIDE_ZONE:
        return own[0] > 2
    if scope.kind == ZONE:
        return own[0] > 1 and len(sizes) > 2
    if scope.kind in (ZONE_PAIR, ZONE_ONE_WAY):
        return min(own) > 1 or (max(own) > 1 and len(sizes) > 2)
    return True


def fails(layer: str, plane: str, *, local: bool, source_in: bool, target_in: bool) -> int:
    """Return whether a path within a scope fails with `layer`: `NO`, `MUST` or `MAY`.

    `source_in`, `target_in`: whether that end is the scope's node. What stays on its node crosses no network, and a
    policy may let a node reach its own pods (https://kubernetes.io/docs/concepts/services-networking/network-policies/).
    """
    if layer == NETWORK:
        hit = not local
    elif layer == OVERLAY:
        if local or plane == "host":
            return NO
        return MAY if plane == "pod-host" else MUST
    elif layer == PODS:
        hit = (source_in and plane in _OUT_OF_POD) or (target_in and plane in _INTO_POD)
    elif layer == INTO_PODS:
        hit = plane in _INTO_POD
    elif layer == OUT_OF_PODS:
        hit = plane in _OUT_OF_POD
    else:
        hit = plane in _INTO_HOST
    if not hit:
        return NO
    return MAY if local else MUST


class Priors:
    """The price of a component: the logarithm of the number of components of its kind, and more for rare kinds."""

    def __init__(self, mesh: Mesh) -> None:
        nodes = max(len(mesh.nodes), 2)
        zones = max(len(set(mesh.zones.values())), 1)
        directed = max(mesh.directed, 2)
        self._of_scope = {
            NODE: math.log(nodes) + 1,
            INTO: math.log(nodes) + 1.7,
            OUT_OF: math.log(nodes) + 1.7,
            PAIR: math.log(directed) + 0.5,
            ONE_WAY: math.log(directed) + 1,
            ZONE: math.log(zones) + 3,
            ZONE_PAIR: 2 * math.log(zones) + 3,
            ZONE_ONE_WAY: 2 * math.log(zones) + 3.7,
            INSIDE_ZONE: math.log(zones) + 3.7,
            ALL: 4.0,
        }

    def lowest(self, kind: str) -> float:
        """Return the lowest price of a component whose scope is of this `kind`."""
        return self._of_scope[kind]

    def of(self, component: Component) -> float:
        """Return the price of `component`."""
        price = self._of_scope[component.scope.kind]
        price += {OVERLAY: 0.0, NETWORK: 0.0}.get(component.layer, 1.0)
        price += 0.0 if component.bits == ECHO else 1.0 if component.bits == LARGE else 1.5
        return price + (1.5 if component.families else 0.0)
