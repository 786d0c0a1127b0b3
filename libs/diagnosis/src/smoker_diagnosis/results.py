"""The results of each scope, sorted once for all searches in the same evidence.

A search asks again and again how many probes of a scope have worked since a fault began, each time for another set of
failures and therefore for another beginning. So the ages of the successes are kept in order, and a question is one
bisection for each kind of result. The scopes of zones share their paths: each is put together from its pairs of zones.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from smoker_diagnosis.component import ALL, Scope, cells_of, has_zones
from smoker_diagnosis.evidence import ECHO, LARGE, Cell, Mesh

Zones = tuple[str, str]  # of the source and of the target
Ends = tuple[str, bool, bool, bool, str]  # the first fields of `Key`


class Key(NamedTuple):
    """The properties of a result by which layers, families and probes differ."""

    plane: str
    local: bool
    source_in: bool  # whether the source is the scope's node
    target_in: bool
    family: str
    bit: int
    bad: bool
    rate: float  # of packets that the path loses
    probes: int  # bits of the small probes of the same path: the failing ones of a failing result, else the known ones


class Results:
    """The results of some paths. `node`: the one node of the scope, if it has just one."""

    def __init__(self, cells: Iterable[Cell], node: str, rates: Mapping[int, float]) -> None:
        self.failing: list[tuple[Key, Cell]] = []
        self._ages: dict[Key, list[float]] = {}  # of the successes, in order
        alike: dict[tuple[Ends, int, int, float], list[Cell]] = {}
        for cell in cells:
            rate = rates.get(id(cell), 0.0) if rates else 0.0
            ends = (cell.plane, cell.source == cell.target, cell.source == node, cell.target == node, cell.family)
            alike.setdefault((ends, cell.known, cell.bad, rate), []).append(cell)
        for (ends, known, bad, rate), some in alike.items():
            for bit in _bits(known & (ECHO | LARGE)):
                fails = bool(bad & bit)
                key = Key(*ends, bit, fails, rate, (bad if fails else known) & ECHO)
                if fails:
                    self.failing += [(key, cell) for cell in some]
                else:
                    self._ages.setdefault(key, []).extend([cell.age(bit) for cell in some])
        for ages in self._ages.values():
            ages.sort()

    def worked(self, within: float) -> Iterator[tuple[Key, int]]:
        """Yield how many probes have begun `within` the last seconds and worked, by key."""
        for key, ages in self._ages.items():
            yield key, bisect_right(ages, within)


class Index:
    """The results of all scopes. `rates`: of packets lost, by identity of a path."""

    def __init__(self, mesh: Mesh, rates: Mapping[int, float]) -> None:
        self._mesh, self._rates = mesh, rates
        self._of: dict[Scope, Sequence[Results]] = {}
        self._zones: dict[Zones | None, Results] = {}  # None: of the paths within a node

    def of(self, scope: Scope) -> Sequence[Results]:
        """Return the results of `scope`, in one part or several."""
        found = self._of.get(scope)
        if found is None:
            found = self._of[scope] = self._wide(scope) if not scope.nodes else [self._narrow(scope)]
        return found

    def _narrow(self, scope: Scope) -> Results:
        return Results(cells_of(self._mesh, scope), scope.nodes[0] if len(scope.nodes) == 1 else "", self._rates)

    def _wide(self, scope: Scope) -> Sequence[Results]:
        if not self._zones:
            cells: dict[Zones | None, list[Cell]] = {}
            for cell in self._mesh.cells:
                cells.setdefault(None if cell.local else (cell.source_zone, cell.target_zone), []).append(cell)
            self._zones = {zones: Results(some, "", self._rates) for zones, some in cells.items()}
        return [
            results
            for zones, results in self._zones.items()
            if scope.kind == ALL or (zones is not None and has_zones(scope, *zones))
        ]


def _bits(bits: int) -> Iterator[int]:
    while bits:
        bit = bits & -bits
        yield bit
        bits ^= bit
