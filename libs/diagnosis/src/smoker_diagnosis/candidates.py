"""Which components to look at: the scopes of the failing paths, those first that could explain most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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
from smoker_diagnosis.likelihood import Odds, Table

FIRST = 16  # scopes that are looked at in any case
FAR = 0.25  # share of the best gain below which another scope is not looked at
CLOSE = 3.0  # a scope's components that gain less than its best by more are left out
LEAST_SHARE = 0.1  # of the paths of a zone or of everything that must fail or lose before it is looked at


@dataclass(slots=True)
class Candidate:
    """A component, and what it gains beyond its price."""

    component: Component
    gain: float


class Candidates:
    """Finds components for failing paths."""

    def __init__(self, mesh: Mesh, priors: Priors) -> None:
        self._mesh, self._priors = mesh, priors
        self._zones = Counter(mesh.zones.values())

    def find(self, left: Mapping[Row, Cell], odds: Odds) -> list[Candidate]:
        """Return each scope's best component for the failures in `left`, with those close to it, best first."""
        worth: dict[Scope, float] = {}
        paths: Counter[Scope] = Counter()
        for cell in {key: cell for (key, _), cell in left.items()}.values():
            most = odds.most(cell)
            for scope in scopes_of(cell):
                worth[scope] = worth.get(scope, 0.0) + most
                paths[scope] += 1
        found: list[Candidate] = []
        best = 0.0
        for number, scope in enumerate(sorted(worth, key=lambda scope: (-worth[scope], scope))):
            most = worth[scope] - self._priors.of(Component(scope, OF_SCOPE[scope.kind][0]))
            if most < 0 or (number >= FIRST and most < FAR * best):
                continue  # at its best it would explain little
            if not enough_paths(self._mesh, scope, paths[scope], self._zones):
                continue
            found += self._of_scope(scope, left, odds)
            best = max(best, max((each.gain for each in found), default=0.0))
        return sorted(found, key=lambda each: (-each.gain, each.component))

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
    """Whether `scope` is a place of its own, and enough of its paths are touched; `zones`: by zone, how many nodes."""
    if not another_place(scope, zones):
        return False
    if scope.nodes:
        return True
    size, nodes = mesh.count, max(len(mesh.nodes), 1)
    if scope.zones:
        smallest = min(zones[zone] for zone in scope.zones) / nodes
        size = int(size * (smallest if scope.kind == ZONE else smallest * zones[scope.zones[-1]] / nodes))
    return paths >= LEAST_SHARE * size
