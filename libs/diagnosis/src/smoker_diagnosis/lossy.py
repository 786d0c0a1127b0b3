"""A component that loses packets: how well it fits, what fits as well, and which paths it affects."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from smoker_diagnosis.component import MAY, MUST, NO, Component, Scope, cells_of, fails
from smoker_diagnosis.evidence import Cell, Mesh
from smoker_diagnosis.healing import is_over

GAIN = 3.0  # what a component must gain beyond its price
NEAR = 3.0  # a component that fits worse than the best by less than this may be the true one
SAME = 0.5  # layers that differ by less are reported together
MOST = 8  # components that are named at most
DILUTED = 3.0  # rounds that are counted; a young loss is in one of them
MOST_RATE = 0.9
HEAVY = 0.2  # rate from which look-ups and Service probes also fail at times


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

    @property
    def healed(self) -> bool:
        """Return whether the loss is over, and only still in the counts."""
        return not any(cell.flows for cell in self.cells) and is_over(self.cells)


@dataclass(slots=True)
class Scored:
    """A component that may lose packets, and how well it fits."""

    component: Component
    score: float
    rate: float
    cells: list[Cell]


def rank(scored: Scored) -> tuple[float, Component]:
    """Return the key that sorts the best one first."""
    return -scored.score, scored.component


def lossy_of(scored: Sequence[Scored]) -> Lossy:
    """Return the best of `scored` with the alternatives that fit equally well."""
    best = scored[0]
    component = best.component
    layers = [
        each.component.layer
        for each in scored
        if (each.component.scope, each.component.families) == (component.scope, component.families)
        and each.score > best.score - SAME
    ]
    places: dict[Scope, float] = {}
    for each in scored:
        places.setdefault(each.component.scope, each.score)
    near = tuple(sorted(scope for scope, score in places.items() if score > best.score - NEAR))
    doubt = sum(math.exp((score - best.score) / 2) for scope, score in places.items() if scope != component.scope)
    confidence = 1 / (1 + doubt + math.exp(-best.score / 2))
    one_of = near if len(near) > 1 else ()
    return Lossy(component, best.rate, best.score, confidence, tuple(layers), one_of, best.cells)


def loses(component: Component, cell: Cell) -> int:
    """Return whether the packets of `cell`, a path between two nodes, are lost with `component`."""
    if component.families and cell.family not in component.families:
        return NO
    return hit(component.layer, cell.plane)


def hit(layer: str, plane: str) -> int:
    """Return the same of the paths of a plane with `layer`."""
    return fails(layer, plane, local=False, source_in=True, target_in=True)


def rates_of(mesh: Mesh, lossy: Iterable[Lossy]) -> dict[int, float]:
    """Return the rate of loss by identity of a path, for all paths within the components in `lossy`."""
    rates: dict[int, float] = {}
    for each in lossy:
        rate = min(_understated(mesh, each) * each.rate, MOST_RATE)
        for cell in cells_of(mesh, each.component.scope):
            how = NO if cell.local else loses(each.component, cell)
            if how == MUST or (how == MAY and cell.lost):
                rates[id(cell)] = max(rate, rates.get(id(cell), 0.0))
    return rates


def _understated(mesh: Mesh, lossy: Lossy) -> float:
    """Return by what factor the counts understate the rate of a loss: they cover rounds before a young one, too.

    The histories of its paths say how many trains have lost packets since then: those beyond the usual of the mesh.
    """
    cells = {id(cell): cell for cell in lossy.cells}.values()
    lost, trains = sum(cell.lossy for cell in cells), sum(cell.trains for cell in cells)
    elsewhere = (mesh.lossy - lost) / max(mesh.trains - trains, 1)
    packets = sum(cell.sent for cell in cells) / DILUTED / max(len(cells), 1)
    expected = len(cells) * (1 - math.pow(1 - min(lossy.rate, MOST_RATE), packets))  # lossy trains, each round
    rounds = (lost - elsewhere * trains) / expected if expected else 1.0
    return DILUTED / min(max(rounds, 1.0), DILUTED)
