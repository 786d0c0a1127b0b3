"""The right findings for a fault: scopes, layers and probes, and those that the same paths cannot tell apart from them.

Fault.accept ─┐
              ├─▶ Accept ─▶ judge(findings) ─▶ Verdict (place, place and layer, one of, false names)
equivalents ──┘
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .findings import Named
from .world import Link, World

NODES = {"node", "into", "out_of"}  # kinds that are one place for a reader
PAIRS = {"pair", "one_way"}
ZONE_PAIRS = {"zone_pair", "zone_one_way"}
EVERYWHERE = {"service", "dns", "all"}  # kinds of one place, where Services or the DNS are meant
SERVICES = frozenset({"service", "dns"})  # layers
LOSS = "loss"
BETWEEN = ("network", "overlay")
OF_KIND = {  # layers that a kind of scope can have
    "node": (*BETWEEN, "pods"),
    "into": (*BETWEEN, "into_pods", "hosts"),
    "out_of": (*BETWEEN, "out_of_pods"),
    "all": (*BETWEEN, "into_pods", "out_of_pods", "hosts"),
}

_INTO_POD, _FROM_POD, _INTO_HOST = ("pod", "host-pod"), ("pod", "pod-host"), ("host", "pod-host")
Place = tuple[str, tuple[str, ...], tuple[str, ...]]  # kind, nodes, zones


@dataclass(frozen=True)
class Accept:
    """One right answer. `layers` empty: any; `probes`: each tuple that is right; `families`: likewise."""

    kind: str
    nodes: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    layers: frozenset[str] = frozenset()
    probes: tuple[tuple[str, ...], ...] = ((),)
    families: tuple[tuple[str, ...], ...] = ((),)
    what: str = ""  # the kind of finding, if it names no place of the network

    @property
    def of_services(self) -> bool:
        """Return whether it is about Services or the DNS, and not about paths between nodes."""
        return self.kind in ("service", "dns") or (bool(self.layers) and self.layers <= SERVICES)

    @property
    def place(self) -> Place:
        return place(self.kind, self.nodes, self.zones)

    def same_place(self, kind: str, nodes: tuple[str, ...], zones: tuple[str, ...]) -> bool:
        """Return whether a reader would look at the same place, whatever the direction."""
        return self.place == place(kind, nodes, zones)

    def same(self, kind: str, nodes: tuple[str, ...], zones: tuple[str, ...]) -> bool:
        """Return whether it is this scope, including its direction."""
        if self.kind in ("one_way", "zone_one_way"):
            return (kind, nodes, zones) == (self.kind, self.nodes, self.zones)
        return kind == self.kind and self.same_place(kind, nodes, zones)

    def whole(self, named: Named) -> bool:
        """Return whether kind, layer, probes and families are right as well, given the right place."""
        if self.what:
            return named.what == self.what
        if self.of_services:
            if not (named.layers & self.layers if self.layers else named.layers & SERVICES):
                return False
        elif not any(self.same(*each) for each in {(named.kind, named.nodes, named.zones), *named.one_of}):
            return False
        if named.what == LOSS and LOSS in self.layers:
            return True
        if self.layers and not named.layers & self.layers:
            return False
        return tuple(sorted(named.probes)) in self.probes and named.families in (*self.families, ("ipv4", "ipv6"))


def place(kind: str, nodes: tuple[str, ...], zones: tuple[str, ...]) -> Place:
    """Return a value that is equal for all kinds of one place."""
    if kind in NODES:
        return "node", nodes, ()
    if kind in PAIRS:
        return "pair", tuple(sorted(nodes)), ()
    if kind in ZONE_PAIRS:
        return "zone_pair", (), tuple(sorted(zones))
    return kind, tuple(sorted(nodes)), tuple(sorted(zones))


def covers(world: World, kind: str, nodes: tuple[str, ...], zones: tuple[str, ...], link: Link) -> bool:
    """Return whether `link` is within a scope."""
    source, target = link.source, link.target
    if nodes:
        return {
            "node": nodes[0] in (source, target),
            "into": target == nodes[0],
            "out_of": source == nodes[0],
            "pair": {source, target} == {*nodes},
            "one_way": (source, target) == nodes,
        }[kind]
    if kind == "all":
        return True
    if source == target:
        return False
    here, there = world.zones[source], world.zones[target]
    return {
        "zone": (here == zones[0]) != (there == zones[0]),
        "inside_zone": here == there == zones[0],
        "zone_pair": {here, there} == {*zones},
        "zone_one_way": (here, there) == zones,
    }[kind]


def affected(world: World, layer: str, kind: str, nodes: tuple[str, ...], link: Link) -> bool | None:
    """Return whether a link within a scope fails with a layer of it; None: it may or may not."""
    plane = link.plane
    if layer == "network":
        return not link.local
    if layer == "overlay":
        if link.local or plane == "host":
            return False
        return None if plane == "pod-host" else True
    if layer == "pods":
        leaves = link.source in nodes or kind == "all"
        enters = link.target in nodes or kind == "all"
        hit = (leaves and plane in _FROM_POD) or (enters and plane in _INTO_POD)
    else:
        hit = plane in {"into_pods": _INTO_POD, "out_of_pods": _FROM_POD, "hosts": _INTO_HOST}[layer]
    return None if hit and link.local else hit


def scopes(world: World, link: Link) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yield every scope that contains `link`."""
    source, target = link.source, link.target
    here, there = world.zones[source], world.zones[target]
    yield "node", (source,), ()
    yield "into", (target,), ()
    yield "out_of", (source,), ()
    yield "all", (), ()
    if source == target:
        return
    yield "node", (target,), ()
    yield "pair", tuple(sorted((source, target))), ()
    yield "one_way", (source, target), ()
    if not here or not there:
        return
    if here == there:
        yield "inside_zone", (), (here,)
    else:
        yield "zone", (), (here,)
        yield "zone", (), (there,)
        yield "zone_pair", (), tuple(sorted((here, there)))
        yield "zone_one_way", (), (here, there)


def equivalents(world: World, visible: Sequence[Link], hit: Collection[int]) -> Iterator[tuple[str, str, Place]]:
    """Yield kind, layer and place of every component that fails exactly the visible links in `hit` (by `id`)."""
    first = next((link for link in visible if id(link) in hit), None)
    if first is None:
        return
    for kind, nodes, zones in scopes(world, first):
        inside = [covers(world, kind, nodes, zones, link) for link in visible]
        if any(id(link) in hit and not within for link, within in zip(visible, inside, strict=True)):
            continue
        for layer in OF_KIND.get(kind, BETWEEN):
            if all(
                (affected(world, layer, kind, nodes, link) if within else False) in (None, id(link) in hit)
                for link, within in zip(visible, inside, strict=True)
            ):
                yield kind, layer, (kind, nodes, zones)


@dataclass
class Verdict:
    """How the findings of one look compare with the truth."""

    faults: int = 0
    placed: int = 0  # faults named at their place
    whole: int = 0  # with the right kind, layer and probes
    one_of: int = 0  # faults that are among a "one of", and not named
    named: list[Named] = field(default_factory=list)  # findings that accuse something
    false: list[Named] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)  # placed, and with a wrong layer

    @property
    def names(self) -> int:
        return len(self.named)


def judge(
    truths: Iterable[tuple[str, Sequence[Accept], bool]], tolerated: Sequence[Accept], found: Sequence[Named]
) -> Verdict:
    """Compare findings with truths. A truth is a name, its right answers, and whether it has to be named."""
    verdict = Verdict()
    accusing = [named for named in found if named.names_a_place]
    verdict.named = accusing
    right: set[int] = set()
    for name, accepts, wanted in truths:
        placed = [named for named in found if any(_at(named, a) for a in accepts) and _certain(named, accepts)]
        among = [named for named in accusing if not _certain(named, accepts) and any(_among(named, a) for a in accepts)]
        right.update(map(id, placed + among))
        if not wanted:
            continue
        verdict.faults += 1
        verdict.placed += bool(placed)
        verdict.one_of += bool(among and not placed)
        if any(accept.whole(named) and _at(named, accept) for named in placed for accept in accepts):
            verdict.whole += 1
        elif placed:
            verdict.partly.append(name)
        elif not among:
            verdict.missed.append(name)
    verdict.false = [
        named for named in accusing if id(named) not in right and not any(_at(named, each) for each in tolerated)
    ]
    return verdict


def _at(named: Named, accept: Accept) -> bool:
    """Return whether `named` is at the place of `accept`."""
    if accept.what:
        return named.what == accept.what and named.nodes == accept.nodes
    if not named.names_a_place:
        return False
    if accept.of_services and accept.kind in EVERYWHERE:
        return named.kind in EVERYWHERE and bool(named.layers & SERVICES)
    if accept.kind == "all" and named.layers <= SERVICES:
        return False
    return accept.same_place(named.kind, named.nodes, named.zones)


def _certain(named: Named, accepts: Sequence[Accept]) -> bool:
    """Return whether all of a "one of" is right: one place, or places that these paths cannot tell apart."""
    return all(any(accept.same_place(*each) for accept in accepts) for each in named.one_of)


def _among(named: Named, accept: Accept) -> bool:
    return any(accept.same_place(*each) for each in named.one_of)
