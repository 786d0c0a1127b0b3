"""Find the node whose flows to several peers fail: one member of an ECMP group or of a bond is broken there.

Each probe and each train has a source port of its own, and so loses every packet or none. Such losses are not
independent, as those that loss.py counts are: on a few paths they look like a broken pair, or a dead node. Here each
of the last three rounds since the oldest check that found some counts once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from smoker_diagnosis.candidates import LEAST_SHARE
from smoker_diagnosis.component import ALL, MAY, MUST, NODE, PAIR, Component, Priors, Scope, cells_of, scopes_of
from smoker_diagnosis.evidence import ECHO, UDP, Cell, Mesh, each_bit
from smoker_diagnosis.flows import CHANCE
from smoker_diagnosis.loss import MANY
from smoker_diagnosis.lossy import GAIN, MOST, NEAR, Lossy, Scored, loses, lossy_of, rank
from smoker_diagnosis.mesh_loss import LAYERS
from smoker_diagnosis.worth import LEAST_A_PATH

BY_CHANCE = 0.01  # share of the results that fail without a cause
CHECK = -math.log(CHANCE)  # evidence of a check
MOST_UNCHECKED = 2.0  # what one whose flows a check has not found to fail can say for it: it may fail by chance
SLACK = 1.0  # seconds: the probes of a round do not begin together
DEAD = 2  # failures in a row of every probe: such a path fails whole, whatever a check has found before


def find_flow_loss(mesh: Mesh) -> list[Lossy]:
    """Return the nodes and pairs whose flows fail, or one of several places where that is not known yet.

    A pair on which nothing but the check fails is left to the rule of failing flows, which blames neither end. So are
    flows that fail at more places than could break at once.
    """
    partial = [cell for cell in mesh.partial if not cell.local and not _dead(cell)]
    if not partial:
        return []
    places = _places(mesh, partial) if len(partial) < MANY else []  # of thousands of paths no few places are the cause
    everywhere = _everywhere(mesh, partial)
    together = sum(each.gain for each in places)
    if everywhere is not None and everywhere.gain > together - NEAR:
        if everywhere.gain < together + NEAR:
            everywhere.one_of = (everywhere.component.scope, *(each.component.scope for each in places))
        return [everywhere]
    if len(places) == MOST:
        return []
    return [
        each
        for each in places
        if each.component.scope.kind == NODE or each.one_of or any(cell.lost or cell.bad for cell in each.cells)
    ]


def _places(mesh: Mesh, partial: Sequence[Cell]) -> list[Lossy]:
    """Return the nodes and pairs that explain the flows of `partial`, the best one first."""
    found: list[Lossy] = []
    out: set[int] = set()  # identities of the paths that are explained
    while partial and len(found) < MOST:
        scored = sorted(_scored(mesh, partial, out), key=rank)
        if not scored or scored[0].score < GAIN:
            break
        found.append(lossy_of(_doubted(scored)))
        out.update(id(cell) for cell in found[-1].cells)
        partial = [cell for cell in partial if id(cell) not in out]
    return found


def _everywhere(mesh: Mesh, partial: Sequence[Cell]) -> Lossy | None:
    """Return the explanation that flows fail everywhere, where enough of the paths show it."""
    if len(partial) < LEAST_SHARE * mesh.count:
        return None
    scored = sorted(_of_scope(mesh, Scope(ALL), Priors(mesh), _seconds(partial), ()), key=rank)
    return lossy_of(scored) if scored else None


def _doubted(scored: Sequence[Scored]) -> Sequence[Scored]:
    """Return `scored` with a node as the best only as far as it explains more than the pairs that have failing flows.

    The broken member can be between racks: then some pairs of the node fail, and the others work.
    """
    best, *others = scored
    if best.component.scope.kind != NODE:
        return scored
    node = best.component.scope.nodes[0]
    pairs = {each.component.scope: each for each in reversed(others) if each.component.scope.kind == PAIR}
    touching = [each for scope, each in pairs.items() if node in scope.nodes and each.score > 0]
    if not touching:
        return scored
    most = max(touching, key=lambda each: each.score)
    as_good = Scored(most.component, sum(each.score for each in touching), most.rate, most.cells)
    return sorted([*scored, as_good], key=rank)


def _scored(mesh: Mesh, partial: Sequence[Cell], out: Collection[int]) -> Iterator[Scored]:
    touched = Counter(scope for cell in partial for scope in scopes_of(cell) if scope.kind in (NODE, PAIR))
    nodes = [scope.nodes[0] for scope, _ in touched.most_common() if scope.kind == NODE]
    first = {*nodes[:MOST]}  # with thousands of nodes, only those with most of these paths are examined
    priors, seconds = Priors(mesh), _seconds(partial)
    for scope in sorted(scope for scope in touched if first.intersection(scope.nodes)):
        yield from _of_scope(mesh, scope, priors, seconds, out)


def _seconds(partial: Iterable[Cell]) -> float:
    """Return the seconds since the oldest of the checks: for so long the flows have failed at least."""
    return SLACK + max(cell.now.instant - cell.flows.at for cell in partial if cell.flows is not None)


def _of_scope(mesh: Mesh, scope: Scope, priors: Priors, seconds: float, out: Collection[int]) -> Iterator[Scored]:
    cells = [cell for cell in cells_of(mesh, scope) if cell.known & ECHO and not cell.local and id(cell) not in out]
    for layer in LAYERS:
        component = Component(scope, layer)
        members = [cell for cell in cells if _belongs(component, cell)]
        share = _share(members)
        if share:
            score = sum(_worth(cell, share, seconds) for cell in members) - priors.of(component)
            yield Scored(component, score, share, members)


def _belongs(component: Component, cell: Cell) -> bool:
    how = loses(component, cell)
    return how == MUST or (how == MAY and (cell.flows is not None or cell.bad > 0))


def _share(cells: Iterable[Cell]) -> float:
    """Return the share of the flows of `cells` that fail, by the checks."""
    checks = [cell.flows for cell in cells if cell.flows is not None]
    tried = sum(check.tried for check in checks)
    return sum(check.failing for check in checks) / tried if tried else 0.0


def _worth(cell: Cell, share: float, seconds: float) -> float:
    """Return how much likelier the last `seconds` are if this share of the flows fails than by chance (logarithm)."""
    failed = worked = 0
    for bit in each_bit(cell.known & ECHO):
        path = cell.now.paths[cell.places[bit]]
        rounds = cell.rounds_since(bit, seconds)
        misses = min(sum(path.failures.values()), rounds)
        failed, worked = failed + misses, worked + rounds - misses
        if bit == UDP and path.sent:  # each train has a source port of its own
            trains = rounds - misses
            lost = min(round(trains * path.lost / path.sent), trains)
            failed, worked = failed + lost, worked + trains - lost
    of_results = failed * math.log(share / BY_CHANCE) + worked * math.log(1 - share)
    if cell.flows is None:
        return max(min(of_results, MOST_UNCHECKED), LEAST_A_PATH)
    return max(CHECK + of_results, LEAST_A_PATH)


def _dead(cell: Cell) -> bool:
    bits = cell.known & ECHO
    return cell.bad & bits == bits and all(cell.failed[bit].streak >= DEAD for bit in cell.failing(bits))
