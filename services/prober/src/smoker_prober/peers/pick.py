"""Picks the peers of a node that does not probe all: the next `count` nodes on a ring that every prober computes alike.

The ring orders names by their hash and spaces the nodes of each zone evenly. Each node keeps its edge to the next one,
so that the mesh is connected. A few other edges are exchanged where no node of a zone would probe another zone.
docs/design/0008-peers.md says why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import product

TURN = 2**64  # once around the ring, as the hash counts
NEIGHBOURS = (
    2  # on each side: a node stands at the mean of its place and theirs; more would spread better and move more
)


def pick(own: str, zones: Mapping[str, str], count: int) -> frozenset[str]:
    """Return the names of the nodes that `own` probes, without itself: `count` of them, or all if `count` is 0.

    `zones` has the zone of every node including `own`, empty where it is not known. The answer depends on nothing else,
    not even on the order of `zones`. As many nodes probe `own`.
    """
    return frozenset(zones) - {own} if _all(zones, count) else frozenset(_Mesh(zones, count).after(own))


def picks(zones: Mapping[str, str], count: int) -> dict[str, frozenset[str]]:
    """Return what `pick` returns for every node of `zones`, at little more than the cost of one call."""
    if _all(zones, count):
        return {own: frozenset(zones) - {own} for own in zones}
    mesh = _Mesh(zones, count)
    return {own: frozenset(mesh.after(own)) for own in zones}


def _all(zones: Mapping[str, str], count: int) -> bool:
    return not 0 < count < len(zones) - 1


def _place(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def _ring(members: Mapping[str, list[tuple[int, str]]]) -> list[str]:
    """Return all names in the order of the ring. `members` has the nodes of each zone, sorted by place."""
    placed: list[tuple[int, str]] = []
    span = 2 * NEIGHBOURS + 1
    for nodes in members.values():
        many = len(nodes)
        # A node stands at the mean of its own place and its neighbours': a gap is the mean of as many gaps. Whole
        # numbers, and the sum for the mean, since all are divided by the same.
        turns = [nodes[rank % many][0] + rank // many * TURN for rank in range(-NEIGHBOURS, many + NEIGHBOURS)]
        sums = map(sum, zip(*(turns[begin : begin + many] for begin in range(span)), strict=True))
        placed.extend((total % (span * TURN), name) for total, (_, name) in zip(sums, nodes, strict=True))
    return [name for _, name in sorted(placed)]


class _Mesh:
    """The edges of the mesh, computed as needed. `count` is less than the number of other nodes."""

    def __init__(self, zones: Mapping[str, str], count: int) -> None:
        self._zones, self._count = zones, count
        self._members: dict[str, list[tuple[int, str]]] = {}
        for name, zone in zones.items():
            self._members.setdefault(zone, []).append((_place(name), name))
        for nodes in self._members.values():
            nodes.sort()
        ring = _ring(self._members)
        self._around = [*ring[-count:], *ring, *ring[:count]]
        self._at = {name: index for index, name in enumerate(ring, start=count)}
        self._after: dict[str, list[str]] = {}
        self._before: dict[str, list[str]] = {}
        if 1 < len(self._members) <= count:  # else no node has an edge to spare
            self._join_zones()

    def after(self, name: str) -> list[str]:
        """Return the nodes that `name` probes; the first is the next one on the ring."""
        if name not in self._after:
            at = self._at[name]
            self._after[name] = self._around[at + 1 : at + 1 + self._count]
        return self._after[name]

    def before(self, name: str) -> list[str]:
        """Return the nodes that probe `name`; the first is the one before it on the ring."""
        if name not in self._before:
            at = self._at[name]
            self._before[name] = self._around[at - self._count : at][::-1]
        return self._before[name]

    def _join_zones(self) -> None:
        """Have every zone probed from every zone, itself included: two zones of few nodes can lie apart on the ring."""
        for source, target in product(sorted(self._members), repeat=2):
            if not self._joined(source, target):
                self._exchange(source, target)

    def _joined(self, source: str, target: str) -> bool:
        sources, targets = self._members[source], self._members[target]
        if len(sources) <= len(targets):
            return any(self._zones[far] == target for _, near in sources for far in self.after(near))
        return any(self._zones[near] == source for _, far in targets for near in self.before(far))

    def _exchange(self, source: str, target: str) -> None:
        """Replace near → lost and left → far by near → far and left → lost. Each node keeps its number of edges."""
        for (_, near), (_, far) in product(self._members[source], self._members[target]):
            for lost, left in product(self._spare(self.after(near)), self._spare(self.before(far))):
                if near != far and lost != left and lost not in self.after(left):
                    _replace(self.after(near), lost, far)
                    _replace(self.before(far), left, near)
                    _replace(self.after(left), far, lost)
                    _replace(self.before(lost), near, left)
                    return

    def _spare(self, names: list[str]) -> Iterator[str]:
        """Yield those of `names` whose zone occurs again, farthest first. The first name is the ring's own edge."""
        zones = [self._zones[name] for name in names]
        return (name for name, zone in zip(names[:0:-1], zones[:0:-1], strict=True) if zones.count(zone) > 1)


def _replace(names: list[str], old: str, new: str) -> None:
    names[names.index(old)] = new
