"""Where packets are lost: the component whose paths lose more than the rest of the mesh does by chance (binomial)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from smoker_diagnosis.component import (
    ALL,
    INSIDE_ZONE,
    MUST,
    NETWORK,
    NODE,
    OVERLAY,
    PAIR,
    ZONE,
    ZONE_PAIR,
    Component,
    Priors,
    Scope,
    cells_of,
    fails,
    scopes_of,
)
from smoker_diagnosis.evidence import Cell, Mesh

BACKGROUND = 1e-3  # packets lost by chance, before anything is known
WEIGHT_OF_PRIOR = 2000  # packets that this guess counts for
LEAST = 0.01  # a lower rate is not named
FACTOR = 5  # times the background that a rate must be
BURSTS = 0.7  # packets of one train are not lost independently: what each counts for
MOST_A_PATH = 8.0  # what one path can say for a component
LEAST_A_PATH = -3.5
GAIN = 3.0
NEAR = 3.0
MOST = 8
SCOPES = {NODE, PAIR, ZONE, ZONE_PAIR, INSIDE_ZONE, ALL}
ONE_SIDED = 4  # times as much loss in one direction as in the other, and at least
CERTAIN = 6  # packets more


@dataclass(slots=True)
class Lossy:
    """A component that loses packets."""

    component: Component
    rate: float  # of its round trips
    gain: float
    confidence: float
    layers: tuple[str, ...]
    one_of: tuple[Scope, ...]
    cells: list[Cell]  # the paths within it that have packets
    direction: str  # "in", "out": into or out of the node, towards or from the second node; "both"; empty: not known


def find_loss(mesh: Mesh, dead: Collection[int]) -> list[Lossy]:
    """Return what loses packets, the clearest first. `dead`: identities of cells that a hard fault explains."""
    left = [cell for cell in mesh.cells if cell.sent and not cell.local and id(cell) not in dead]
    sent, lost = sum(cell.sent for cell in left), sum(cell.lost for cell in left)
    priors, found = Priors(mesh), list[Lossy]()
    background = BACKGROUND
    if sent and lost / sent < LEAST:  # the mesh itself says what is usual
        background = (lost + BACKGROUND * WEIGHT_OF_PRIOR) / (sent + WEIGHT_OF_PRIOR)
    while len(found) < MOST:
        best = _best(mesh, left, priors, max(background, 2e-4))
        if best is None:
            return found
        found.append(best)
        taken = {id(cell) for cell in best.cells}
        left = [cell for cell in left if id(cell) not in taken]
    return found


def _best(mesh: Mesh, left: list[Cell], priors: Priors, background: float) -> Lossy | None:
    there = {id(cell) for cell in left}
    bound: dict[Scope, float] = {}
    for cell in left:
        if not cell.lost:
            continue
        most = min(_worth(cell, max(cell.lost / cell.sent, LEAST), background), MOST_A_PATH)
        if most > 0:
            for scope in scopes_of(cell):
                if scope.kind in SCOPES:
                    bound[scope] = bound.get(scope, 0.0) + most
    scored: list[tuple[float, Component, float, list[Cell]]] = []
    for scope, most in bound.items():
        if most - priors.of(Component(scope, OVERLAY)) < GAIN:
            continue
        cells = [cell for cell in cells_of(mesh, scope) if id(cell) in there]
        families = {cell.family for cell in cells}
        for layer in (OVERLAY, NETWORK):
            for only in [(), *((family,) for family in families if len(families) > 1)]:
                members = [
                    cell
                    for cell in cells
                    if (not only or cell.family in only)
                    and fails(layer, cell.plane, local=False, source_in=True, target_in=True) == MUST
                ]
                component = Component(scope, layer, families=only)
                rate = _rate(members)
                if rate < max(LEAST, FACTOR * background):
                    continue
                score = sum(min(max(_worth(cell, rate, background), LEAST_A_PATH), MOST_A_PATH) for cell in members)
                scored.append((score - priors.of(component), component, rate, members))
    scored.sort(key=lambda each: (-each[0], each[1]))
    if not scored or scored[0][0] < GAIN:
        return None
    score, component, rate, members = scored[0]
    layers = [
        each.layer
        for other, each, *_ in scored
        if each.scope == component.scope and other > score - 0.5 and each.families == component.families
    ]
    places: dict[Scope, float] = {}
    for other, each, *_ in scored:
        places.setdefault(each.scope, other)
    near = tuple(sorted(scope for scope, other in places.items() if other > score - NEAR))
    doubt = sum(math.exp((other - score) / 2) for scope, other in places.items() if scope != component.scope)
    confidence = 1 / (1 + doubt + math.exp(-score / 2))
    return Lossy(
        component,
        rate,
        score,
        confidence,
        tuple(dict.fromkeys(layers)),
        near if len(near) > 1 else (),
        members,
        direction(component.scope, members),
    )


def _rate(cells: Iterable[Cell]) -> float:
    sent = lost = 0
    for cell in cells:
        sent += cell.sent
        lost += cell.lost
    return lost / sent if sent else 0.0


def _worth(cell: Cell, rate: float, background: float) -> float:
    """Return how much likelier the losses of `cell` are at `rate` than at `background`, as a logarithm."""
    rate = min(rate, 0.99)
    worth = cell.lost * math.log(rate / background) + (cell.sent - cell.lost) * math.log((1 - rate) / (1 - background))
    return BURSTS * worth if worth > 0 else worth


def direction(scope: Scope, cells: Iterable[Cell]) -> str:
    """Return in which direction packets are lost: STAMP's two counts say which half of a round trip was."""
    if scope.kind not in (NODE, PAIR):
        return ""
    end = scope.nodes[-1]
    into = out = 0
    for cell in cells:
        if cell.target == end:
            into, out = into + cell.requests_lost, out + cell.replies_lost
        else:
            into, out = into + cell.replies_lost, out + cell.requests_lost
    if into + out < CERTAIN:
        return ""
    if into >= ONE_SIDED * out and into - out >= CERTAIN:
        return "in"
    return "out" if out >= ONE_SIDED * into and out - into >= CERTAIN else "both"
