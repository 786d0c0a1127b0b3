"""Find the Service paths that fail because of a fault between nodes: then that fault is named, not the Service."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from smoker_diagnosis.component import (
    INTO,
    INTO_PODS,
    NETWORK,
    NODE,
    OUT_OF,
    OUT_OF_PODS,
    OVERLAY,
    PODS,
    Component,
)
from smoker_diagnosis.evidence import ECHO, UDP, Cell, Mesh
from smoker_diagnosis.explain import Blamed
from smoker_diagnosis.lossy import HEAVY, Lossy

_LEAVING = {OVERLAY, NETWORK, PODS, OUT_OF_PODS}  # layers whose fault keeps a node from Services
_ENTERING = {OVERLAY, NETWORK, PODS, INTO_PODS}  # and layers whose fault keeps all nodes from the pods behind them


class Follows:
    """The effects of the faults in `blamed` and `lossy` on Services and the DNS."""

    def __init__(self, mesh: Mesh, blamed: Iterable[Blamed], lossy: Iterable[Lossy]) -> None:
        self._mesh = mesh
        self._sources: dict[str, int] = {}  # bits of the probes that do not leave a node
        self._hosts: dict[str, int] = {}  # bits of the probes that do not reach the pods of a node
        self.near: set[str] = set()  # nodes that cannot reach one other node, on which an echo may run
        self._everywhere = 0  # bits of the probes that fail in zones or everywhere
        for component in [each.component for each in blamed] + [x.component for x in lossy if x.rate >= HEAVY]:
            self._add(component)

    def _add(self, component: Component) -> None:
        scope, bits = component.scope, component.bits
        if not scope.nodes:
            self._everywhere |= bits
        elif scope.kind in (NODE, INTO, OUT_OF):
            node = scope.nodes[0]
            if scope.kind != INTO and component.layer in _LEAVING:
                self._sources[node] = self._sources.get(node, 0) | bits
            if scope.kind != OUT_OF and component.layer in _ENTERING:
                self._hosts[node] = self._hosts.get(node, 0) | bits
        else:
            self.near.update(scope.nodes)

    def source(self, cell: Cell, bit: int) -> bool:
        """Return whether packets of `bit` cannot leave the source of `cell`."""
        bits = self._sources.get(cell.source, 0) | self._everywhere
        return bool(bits) and bool(bits & _carried(bit))

    def apart(self, cells: Iterable[Cell], bit: int) -> list[Cell]:
        """Return those of `cells` whose source packets of `bit` can leave."""
        return list(self.apart_from(cells, bit))

    def apart_from(self, cells: Iterable[Cell], bit: int) -> Iterator[Cell]:
        """Yield the same."""
        carried = _carried(bit)
        sources = {node for node, bits in self._sources.items() if bits & carried}
        if not self._everywhere & carried:
            yield from (cell for cell in cells if cell.source not in sources)

    def hosts(self, bit: int) -> set[str]:
        """Return the nodes whose pods packets of `bit` do not reach."""
        return {node for node, bits in self._hosts.items() if bits & _carried(bit)}

    def everywhere(self, bit: int) -> bool:
        """Return whether whole zones, or the whole mesh, fail for `bit`."""
        return bool(self._everywhere & _carried(bit))

    def share(self, bit: int, bad: Collection[Cell]) -> float:
        """Return the share of the pods behind a Service (or the DNS) that a fault may cut off from all nodes."""
        if self.everywhere(bit):
            return 1.0
        hosts, places = self.hosts(bit), self._mesh.echoes.get(bit)
        if places:
            return len(places & hosts) / len(places)
        if not hosts:
            return 0.0
        # Their nodes are unknown. A node that cannot reach others still reaches its own pods.
        return 0.5 if any(cell.source in hosts and cell.bad & bit for cell in bad) else 1.0


def _carried(bit: int) -> int:
    """Return the bit of the probe with the same kind of packets as `bit`: look-ups are datagrams."""
    return bit if bit & ECHO else UDP
