"""Find the components whose paths lose more packets than the rest of the mesh does (binomial).

By chance a path loses packets in rare bursts. Where the whole mesh loses single packets, too, a place must lose more
than that (mesh_loss.py).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from smoker_diagnosis.candidates import enough_paths
from smoker_diagnosis.component import (
    ALL,
    INSIDE_ZONE,
    MAY,
    MUST,
    NODE,
    PAIR,
    ZONE,
    ZONE_PAIR,
    Component,
    Priors,
    Scope,
    cells_of,
    narrow_scopes_of,
    scopes_of,
    wide_scopes_of,
)
from smoker_diagnosis.evidence import Cell, Mesh, share_lost
from smoker_diagnosis.lossy import GAIN, MOST, Lossy, Scored, hit, lossy_of, rank
from smoker_diagnosis.mesh_loss import LAYERS, WINDOW, Usual
from smoker_diagnosis.sightings import CERTAIN
from smoker_diagnosis.worth import worth, worth_of_all

BACKGROUND = 2e-3  # share of the paths that lose packets by chance, before anything is known
WEIGHT_OF_PRIOR = 200  # weight of this guess, in paths
LEAST = 0.01  # a lower rate of loss is not reported
SLIGHT = 0.015  # with a lower rate it must be certain where trains often lose packets
MOST_BACKGROUND = 0.2
FEW = 8  # paths of a component; with fewer the loss may be chance
COINCIDENCES = 1.0  # times the logarithm of a higher background: more random losses are more often adjacent
GAIN_BESIDE = 8.0  # what a place must gain where the whole mesh loses packets: each look compares many places with it
FAR = 40.0  # a scope whose bound is lower than the best score by more is not examined
SMALL = frozenset({NODE, PAIR})
WIDE = frozenset({ZONE, ZONE_PAIR, INSIDE_ZONE, ALL})
SCOPES = SMALL | WIDE
MANY = 4000  # lossy paths from which wide components are searched first


def find_loss(mesh: Mesh, dead: Collection[int]) -> list[Lossy]:
    """Return the lossy components, the most certain first. `dead`: identities of cells that a hard fault explains."""
    if not mesh.losing:
        return []
    usual = Usual(mesh, dead)
    found = _find(mesh, dead, BACKGROUND, SCOPES, usual)
    cells = _explained(found)
    in_bursts = WINDOW * (by_history(mesh, cells) - usual.lossy_trains)
    if found and in_bursts > 2 * BACKGROUND:
        usual = Usual(mesh, dead)
        found = _find(mesh, dead, min(in_bursts, MOST_BACKGROUND), SCOPES, usual)
    found = found if usual.is_even else _beyond_chance(mesh, dead)
    if WINDOW * by_history(mesh, without=()) <= 2 * BACKGROUND:
        return found
    return [each for each in found if each.rate >= SLIGHT or (each.confidence >= CERTAIN and not each.one_of)]


def _beyond_chance(mesh: Mesh, dead: Collection[int]) -> list[Lossy]:
    """Return the components that lose more packets than bursts by chance do, where the rest does not lose evenly."""
    found = _better(mesh, dead, BACKGROUND)
    if not found:
        return found
    cells = _explained(found)
    explained = {*dead, *map(id, cells)}
    paths = sum(id(cell) not in explained for cell in mesh.losing)
    background = (paths + BACKGROUND * WEIGHT_OF_PRIOR) / (mesh.known + WEIGHT_OF_PRIOR)
    background = max(background, WINDOW * by_history(mesh, cells))
    # More is lost by chance than assumed: search again with that rate.
    return _better(mesh, dead, min(background, MOST_BACKGROUND)) if background > 2 * BACKGROUND else found


def _explained(found: Iterable[Lossy]) -> list[Cell]:
    """Return the paths of the components in `found`, except of those so small that their loss may be chance."""
    return [cell for each in found for cell in each.cells if len(each.cells) >= FEW]


def by_history(mesh: Mesh, without: Iterable[Cell]) -> float:
    """Return the share of the trains in the history that lost packets, but for those of the cells in `without`."""
    cells = {id(cell): cell for cell in without}.values()
    lossy = mesh.lossy - sum(cell.lossy for cell in cells)
    trains = mesh.trains - sum(cell.trains for cell in cells)
    return lossy / (trains + WEIGHT_OF_PRIOR)


def _better(mesh: Mesh, dead: Collection[int], background: float) -> list[Lossy]:
    """Return the likelier of two explanations: one with zones, one with only nodes and pairs."""
    found = _find(mesh, dead, background, SCOPES)
    if all(each.component.scope.kind in SMALL for each in found):
        return found
    bounds = sorted(_bounds(mesh, set(dead), background, SMALL, dict.fromkeys(SMALL, 0.0)).values(), reverse=True)
    if sum(bounds[:MOST]) < sum(each.gain for each in found):
        return found  # at their best, nodes and pairs explain less
    small = _find(mesh, dead, background, SMALL)
    return max(found, small, key=lambda some: sum(each.gain for each in some))


def _find(
    mesh: Mesh, dead: Collection[int], background: float, kinds: frozenset[str], usual: Usual | None = None
) -> list[Lossy]:
    """Return the components of these `kinds` that lose packets; with `usual`, more than the rest of the mesh does."""
    out, priors, found = set(dead), Priors(mesh), list[Lossy]()
    more = COINCIDENCES * math.log(background / BACKGROUND)
    # A loss everywhere is found without all nodes and pairs that it touches.
    some = [kinds & WIDE, kinds] if len(mesh.losing) > MANY and kinds & WIDE else [kinds]
    while len(found) < MOST:
        search = _Search(mesh, out, priors, background, some[0], usual)
        scored = sorted(_scored(search), key=rank)
        if usual is not None:  # a place that loses more than the rest comes before the rest
            places = [each for each in scored if each.component.scope.kind != ALL and each.score >= GAIN_BESIDE + more]
            scored = places or [each for each in scored if each.component.scope.kind == ALL]
        if not scored or scored[0].score < GAIN + more:
            if len(some) == 1:
                break
            some.pop(0)
            continue
        found.append(lossy_of(scored))
        out.update(id(cell) for cell in found[-1].cells)
        if usual is not None and found[-1].component.scope.kind != ALL:
            usual.leave_out(found[-1].cells)
    return found


@dataclass(slots=True)
class _Search:
    mesh: Mesh
    out: Collection[int]  # identities of the cells that something else explains
    priors: Priors
    background: float
    kinds: frozenset[str]
    usual: Usual | None


def _scored(search: _Search) -> Iterator[Scored]:
    """Yield the components that may lose packets, with their gain."""
    mesh, out, priors, background = search.mesh, search.out, search.priors, search.background
    best = 0.0
    bounds = _bounds(mesh, out, background, search.kinds, {kind: GAIN + priors.lowest(kind) for kind in search.kinds})
    for scope in sorted(bounds, key=lambda each: (-bounds[each], each)):
        if bounds[scope] - priors.lowest(scope.kind) < best - FAR:
            continue
        cells = [cell for cell in cells_of(mesh, scope) if cell.sent and not cell.local and id(cell) not in out]
        families = {cell.family for cell in cells}
        narrow: list[tuple[str, ...]] = [()]
        if len(families) > 1:
            narrow += [(family,) for family in families]
        for only in narrow:
            some = [cell for cell in cells if not only or cell.family in only]
            usual = search.usual.rates_without(some) if search.usual and scope.kind != ALL else {}
            for layer in LAYERS:
                fit = _fit(search, Component(scope, layer, families=only), some, usual)
                if fit is not None:
                    if search.usual is None or scope.kind != ALL:
                        best = max(best, fit.score)
                    yield fit


def _fit(search: _Search, component: Component, cells: Sequence[Cell], usual: Mapping[str, float]) -> Scored | None:
    """Return how well a component explains the losses of `cells`, the paths in its scope. `usual`: rates by plane."""
    must = _of_layer(cells, component.layer, MUST)
    rate = share_lost(must)
    if rate < LEAST:
        return None
    members, score = must, worth_of_all(must, rate, search.background, usual)
    for way in _ways(component.scope, _of_layer(cells, component.layer, MAY)):
        at_most = min(share_lost(way), rate)  # all of them cross the overlay in one direction, or none does: as likely
        gain = worth_of_all(way, at_most, search.background, usual) - math.log(2) if at_most > 0 else 0.0
        if gain > 0:
            score += gain
            members = members + [cell for cell in way if cell.lost]
    return Scored(component, score - search.priors.of(component), rate, members)


def _of_layer(cells: Sequence[Cell], layer: str, how: int) -> list[Cell]:
    """Return those of `cells` that fail with `layer`, as `how` says: `MUST` or `MAY`."""
    planes = {plane for plane in {cell.plane for cell in cells} if hit(layer, plane) == how}
    return [cell for cell in cells if cell.plane in planes]


def _ways(scope: Scope, cells: Iterable[Cell]) -> Iterable[list[Cell]]:
    """Return the paths of `cells` out of the first place of `scope`, and the others; together where it has no place."""
    ways = defaultdict[bool, list[Cell]](list)
    for cell in cells:
        here = cell.source in scope.nodes[:1] if scope.nodes else cell.source_zone in scope.zones[:1]
        ways[here].append(cell)
    return ways.values()


def _bounds(
    mesh: Mesh, out: Collection[int], background: float, kinds: frozenset[str], least: Mapping[str, float]
) -> dict[Scope, float]:
    """Return the highest gain of each scope from its lossy paths, where it is at least what `least` has for its kind.

    By chance thousands of scopes have one lossy path, and gain too little.
    """
    bounds: dict[Scope, float] = {}
    paths = Counter[Scope]()
    for cell, gains in _between(mesh, out, background):
        most, many = sum(gains), len(gains)
        for scope in (wide_scopes_of if kinds <= WIDE else narrow_scopes_of if kinds <= SMALL else scopes_of)(cell):
            if scope.kind in kinds:
                bounds[scope] = bounds.get(scope, 0.0) + most
                paths[scope] += many
    sizes = Counter(mesh.zones.values())
    return {
        scope: most
        for scope, most in bounds.items()
        if most >= least[scope.kind] and enough_paths(mesh, scope, paths[scope], sizes)
    }


def _between(mesh: Mesh, out: Collection[int], background: float) -> Iterable[tuple[Cell, list[float]]]:
    """Return one path of each source and target between which packets are lost, and the highest gain of each path.

    Such paths have the same scopes, so a loss of everything needs no sum for each path and scope.
    """
    found: dict[tuple[str, str], tuple[Cell, list[float]]] = {}
    for cell in mesh.losing:
        if id(cell) not in out:
            most = worth(cell, max(cell.lost / cell.sent, LEAST), background)
            if most > 0:
                found.setdefault((cell.source, cell.target), (cell, []))[1].append(most)
    return found.values()
