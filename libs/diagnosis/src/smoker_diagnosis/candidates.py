"""Choose the components to examine: the scopes of the failing paths, those that could explain most first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

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


class Candidates:
    """Finds components for failing paths, among those of the scopes that `scopes` yields for a path."""

    def __init__(self, mesh: Mesh, priors: Priors, scopes: Callable[[Cell], Iterator[Scope]] = scopes_of) -> None:
        self._mesh, self._priors, self._scopes = mesh, priors, scopes
        self._left: Mapping[Row, Cell] = {}  # the failures of the search before
        self._odds: Odds | None = None
        self._kept: dict[Scope, list[Candidate]] = {}  # what that search found, by scope
        self._zones = Counter(mesh.zones.values())

    def find(self, left: Mapping[Row, Cell], odds: Odds) -> list[Candidate]:
        """Return the best component of each scope for the failures in `left`, with those close to it; best first."""
        self._forget(left, odds)
        worth: dict[Scope, float] = {}
        paths: Counter[Scope] = Counter()
        again: set[Scope] = set()  # scopes with a path that failed twice
        for cell in {key: cell for (key, _), cell in left.items()}.values():
            most = odds.most(cell)
            twice = any(failure.streak > 1 for failure in cell.failed.values())
            for scope in self._scopes(cell):
                worth[scope] = worth.get(scope, 0.0) + most
                paths[scope] += 1
                if twice:
                    again.add(scope)
        found: list[Candidate] = []
        best, examined = 0.0, 0
        for number, scope in enumerate(sorted(worth, key=lambda scope: (-worth[scope], scope))):
            most = worth[scope] - self._priors.of(Component(scope, OF_SCOPE[scope.kind][0]))
            if most < 0 or (number >= FIRST and most < FAR * best):
                continue  # at its best it would explain little
            if paths[scope] < ENOUGH and scope not in again:
                continue  # a single failure names no place
            if not enough_paths(self._mesh, scope, paths[scope], self._zones):
                continue
            examined += 1
            if examined > MOST_SCOPES:
                break
            if scope not in self._kept:
                self._kept[scope] = self._of_scope(scope, left, odds)
            found += self._kept[scope]
            best = max(best, max((each.gain for each in found), default=0.0))
        return sorted(found, key=lambda each: (-each.gain, each.component))

    def _forget(self, left: Mapping[Row, Cell], odds: Odds) -> None:
        """Drop what the search before found for the scopes of failures that are explained, or left, since then."""
        if odds is not self._odds:
            self._kept.clear()
        elif self._kept:
            before = self._left
            changed = {row[0]: cell for row, cell in before.items() if row not in left}
            changed |= {row[0]: cell for row, cell in left.items() if row not in before}
            for cell in changed.values():
                for scope in self._scopes(cell):
                    self._kept.pop(scope, None)
        self._left, self._odds = left, odds

    def _of_scope(self, scope: Scope, left: Mapping[Row, Cell], odds: Odds) -> list[Candidate]:
        table = Table(self._mesh, scope, left.keys(), odds)
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
