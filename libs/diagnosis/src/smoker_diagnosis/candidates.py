"""Choose the components to examine: the scopes of the failing paths, those that could explain most first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest

from smoker_diagnosis.component import (
    OF_SCOPE,
    ZONE,
    Component,
    Priors,
    Scope,
    another_place,
    scopes_of,
)
from smoker_diagnosis.evidence import Cell, Mesh, Row
from smoker_diagnosis.likelihood import ENOUGH, Odds, Table
from smoker_diagnosis.results import Index

FIRST = 16  # scopes that are always examined
FAR = 0.25  # a scope below this share of the best gain is not examined
CLOSE = 3.0  # components whose gain is lower than their scope's best by more are left out
MOST_SCOPES = 256  # scopes that are examined at most: thousands of random failures touch tens of thousands
LEAST_SHARE = 0.1  # share of the paths of a zone, or of all, that must fail or lose packets before it is examined


@dataclass(slots=True)
class Candidate:
    """A component, and what it gains beyond its price."""

    component: Component
    gain: float


@dataclass(slots=True)
class _Failing:
    """The failing paths of a scope that nothing explains yet."""

    most: float = 0.0  # that a component can gain from them
    paths: int = 0
    twice: int = 0  # of these, the ones that failed more than once in a row


class Candidates:
    """Finds components for failing paths, among those of the scopes that `scopes` yields for a path.

    Searches follow one another, and each has a few failures less than the one before. So all is kept by scope, and only
    the scopes of these failures are looked at again.
    """

    def __init__(
        self, mesh: Mesh, priors: Priors, index: Index, scopes: Callable[[Cell], Iterator[Scope]] = scopes_of
    ) -> None:
        self._mesh, self._priors, self._index, self._scopes = mesh, priors, index, scopes
        self._left: Mapping[Row, Cell] = {}  # the failures of the search before
        self._odds: Odds | None = None
        self._failing: dict[Scope, _Failing] = {}
        self._kept: dict[Scope, list[Candidate]] = {}  # what the search before found, by scope
        self._zones = Counter(mesh.zones.values())
        self._prices = {kind: priors.lowest(kind) for kind in OF_SCOPE}

    def find(self, left: Mapping[Row, Cell], odds: Odds) -> list[Candidate]:
        """Return the best component of each scope for the failures in `left`, with those close to it; best first."""
        self._update(left, odds)
        first = self._first()
        lowest = min(self._prices.values())
        found: list[Candidate] = []
        best, examined = 0.0, 0
        for scope in self._ranked(filter(self._possible, self._failing)):
            failing = self._failing[scope]
            if scope not in first:
                if failing.most - lowest < FAR * best:
                    break  # nor will any of those that follow
                if failing.most - self._prices[scope.kind] < FAR * best:
                    continue  # at its best it would explain little
            if not enough_paths(self._mesh, scope, failing.paths, self._zones):
                continue
            examined += 1
            if examined > MOST_SCOPES:
                break
            if scope not in self._kept:
                self._kept[scope] = self._of_scope(scope, left, odds)
            found += self._kept[scope]
            best = max([best, *(each.gain for each in self._kept[scope])])
        return sorted(found, key=lambda each: (-each.gain, each.component))

    def _first(self) -> set[Scope]:
        """Return the scopes whose failing paths weigh most."""
        found: set[Scope] = set()
        for alike in self._by_weight(self._failing):
            found.update(nsmallest(FIRST - len(found), alike))
            if len(found) == FIRST:
                break
        return found

    def _ranked(self, scopes: Iterable[Scope]) -> Iterator[Scope]:
        """Yield `scopes`, those whose failing paths weigh most first."""
        for alike in self._by_weight(scopes):
            yield from sorted(alike)

    def _by_weight(self, scopes: Iterable[Scope]) -> Iterator[list[Scope]]:
        """Yield `scopes` by the weight of their failing paths, the largest first.

        Tens of thousands of them weigh the same, and sorting them is slow: so it is only done for those that are met.
        """
        alike: dict[float, list[Scope]] = {}
        for scope in scopes:
            alike.setdefault(self._failing[scope].most, []).append(scope)
        return (alike[most] for most in sorted(alike, reverse=True))

    def _possible(self, scope: Scope) -> bool:
        """Return whether a component of `scope` could gain anything; a single failure names no place."""
        failing = self._failing[scope]
        return failing.most >= self._prices[scope.kind] and (failing.paths >= ENOUGH or failing.twice > 0)

    def _update(self, left: Mapping[Row, Cell], odds: Odds) -> None:
        """Count the failures that the search before did not have, and take out those that are explained since then."""
        if odds is not self._odds:
            self._kept, self._failing, self._left = {}, {}, {}
        before = self._left
        gone = {row[0]: before[row] for row in before.keys() - left.keys()}
        come = {row[0]: left[row] for row in left.keys() - before.keys()}
        now, then = {key for key, _ in left}, {key for key, _ in before}
        for key, cell in (gone | come).items():
            more = (key in now) - (key in then)  # paths: -1, 0 or 1
            most = more * odds.most(cell) if more else 0.0
            twice = more * any(failure.streak > 1 for failure in cell.failed.values())
            for scope in self._scopes(cell):
                self._kept.pop(scope, None)
                if more:
                    self._count(scope, most, more, twice)
        self._left, self._odds = left, odds

    def _count(self, scope: Scope, most: float, paths: int, twice: int) -> None:
        failing = self._failing.get(scope)
        if failing is None:
            failing = self._failing[scope] = _Failing()
        failing.most += most
        failing.paths += paths
        failing.twice += twice
        if not failing.paths:
            del self._failing[scope]

    def _of_scope(self, scope: Scope, left: Mapping[Row, Cell], odds: Odds) -> list[Candidate]:
        table = Table(scope, self._index.of(scope), left.keys(), odds)
        found = []
        for component in table.components():
            gain, enough = table.gain(component)
            gain -= self._priors.of(component)
            if enough and gain > 0:
                found.append(Candidate(component, gain))
        best = max((each.gain for each in found), default=0.0)
        return [each for each in found if each.gain > best - CLOSE]


def enough_paths(mesh: Mesh, scope: Scope, paths: int, zones: Mapping[str, int]) -> bool:
    """Return whether `scope` is no smaller scope under another name, and enough of its paths are affected."""
    if not another_place(scope, zones):
        return False
    if scope.nodes:
        return True
    size, nodes = mesh.count, max(len(mesh.nodes), 1)
    if scope.zones:
        smallest = min(zones[zone] for zone in scope.zones) / nodes
        size = int(size * (smallest if scope.kind == ZONE else smallest * zones[scope.zones[-1]] / nodes))
    return paths >= LEAST_SHARE * size
