"""Find look-ups that lose one of two queries sent together from one socket: a race in the node's connection tracking.

C libraries ask for A and AAAA in this manner. Both packets begin the same connection, so the kernel makes its
translation to a DNS pod twice and drops the second packet. Only queries to the Service are translated: if queries
directly to the pods are lost as often, it is packet loss.

Half answers are compared with the packets that are lost. Each node is tested by itself, and then all of them together:
a node that happens to have some by chance says nothing about the mesh, and there are many nodes.

After a half answer the prober asks again, many times at once: by the Service and, at the same moment, at the pods. If
far more are half answered by the Service, that is certain at once. Without such a check a race must last for longer
than a round, because loss that has just begun shows in half answers sooner than in the trains.

Where one of several DNS pods answers nothing, half answers say nothing: the two queries can go to different pods.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from smoker_diagnosis.component import ALL, NODE, Scope
from smoker_diagnosis.evidence import DNS, Cell, Mesh, share_lost
from smoker_diagnosis.finding import SHOWN_FAILING, Count, Finding, Seen, finding_of
from smoker_diagnosis.look import Look
from smoker_diagnosis.mesh_loss import WINDOW
from smoker_diagnosis.resolvers import LAYER_RACE, LAYER_REPLICA, is_service
from smoker_diagnosis.sightings import CERTAIN
from smoker_diagnosis.stats import at_least, shared

Counted = Callable[[Cell], tuple[int, int]]  # half answers, and look-ups

LEAST = 2  # look-ups: one can be a lost packet
CHANCE = 1e-3  # the probability from which packet loss explains as many
UNSURE = 0.9  # the confidence without a check
SURELY = 2e-4  # the probability from which loss that hits all look-ups alike explains a check: checks are repeated
USUAL = 5e-4  # share of the look-ups that are half answered in any network, before anything is known
OVER = 1e-3  # the probability of so many whole answers in a row from which the race is over
SURELY_OVER = 1e-4  # the same by checks: those that found the race say that it takes a larger share than it does


def find(look: Look) -> Iterator[Finding]:
    """Yield the finding, where neither loss of packets nor a fault at its nodes explains it."""
    if not any(cell.partly or cell.again or (cell.halves and cell.halves.count) for cell in look.mesh.resolvers):
        return
    if any(each.layer == LAYER_REPLICA for each in look.services):
        return
    by_service, straight = _by_node(look, service=True), _by_node(look, service=False)
    checked = _checked(look.mesh, by_service)
    for counted in (_in_more_rounds, _in_last_rounds):
        slowly = _raced(look.mesh, by_service, straight, counted)
        raced = [*checked, *(node for node in slowly if node not in checked)]
        own = [cell for node in (by_service if len(raced) > 1 else raced) for cell in by_service[node]]
        if raced and not _is_over(own):
            yield _finding(look, raced, own, counted, sure=len(raced) == len(checked))
            return


def _finding(look: Look, raced: Sequence[str], own: Sequence[Cell], counted: Counted, *, sure: bool) -> Finding:
    failing = [cell for cell in own if (counted(cell)[0] or _in_checks(cell)[0]) and cell.source in raced]
    return finding_of(
        look.cluster,
        "dns",
        Scope(ALL) if len(raced) > 1 else Scope(NODE, tuple(raced)),
        LAYER_RACE,
        layers=(LAYER_RACE,),
        severity="warning",
        confidence=CERTAIN if sure else UNSURE,
        share=_share(own, _in_checks if sure else counted),
        outcomes=("timeout",),
        counts=(Count("dns", len(failing), len(own)),),
        failing=tuple(
            Seen(cell.source, cell.target, cell.plane, cell.family, "dns", "timeout")
            for cell in failing[:SHOWN_FAILING]
        ),
    )


def _in_last_rounds(cell: Cell) -> tuple[int, int]:
    return cell.partly, cell.tries.get(DNS, 0)


def _in_more_rounds(cell: Cell) -> tuple[int, int]:
    """Return the counts that tell a race from packet loss; an older prober has none."""
    return (cell.halves.count, cell.halves.of) if cell.halves is not None else (0, 0)


def _in_checks(cell: Cell) -> tuple[int, int]:
    """Return the counts of what was asked again after half answers."""
    return (cell.again.halved, cell.again.of) if cell.again is not None else (0, 0)


def _checked(mesh: Mesh, by_service: Mapping[str, list[Cell]]) -> list[str]:
    """Return the nodes whose checks are enough: neither loss nor chance explains that the pods answer so much more."""
    checks = {node: [cell.again for cell in cells if cell.again is not None] for node, cells in by_service.items()}
    nodes = sum(map(bool, checks.values()))
    found = []
    for node, again in checks.items():
        halved, of = sum(each.halved for each in again), sum(each.of for each in again)
        others = sum(each.halved_pods + each.silent_pods for each in again)
        of_others = sum(each.of_pods for each in again)
        if halved < LEAST or nodes * shared(halved, of, others, of_others) > SURELY:
            continue
        paths = [cell for cell in (*mesh.leaving(node), *mesh.entering(node)) if not cell.local]
        if at_least(halved, of * _by_loss(share_lost(paths), 0.0)) <= CHANCE:
            found.append(node)
    return found


def _is_over(cells: Iterable[Cell]) -> bool:
    """Return whether so many whole answers would be unlikely since the last half one if the race went on.

    It began with the first half answer, so it takes a larger share of the look-ups than the counts say.
    """
    known = [cell for cell in cells if cell.halves is not None and cell.now.interval > 0]
    age = min(map(_since_half, known), default=math.inf)
    if age == math.inf:
        return False
    again = [cell.again for cell in known if cell.again is not None and cell.now.instant - cell.again.since < age]
    if (1 - _share_of_checks(known)) ** sum(each.whole for each in again) < SURELY_OVER:
        return True
    rounds = min(age / cell.now.interval for cell in known)
    share = _share(known, _in_more_rounds)
    halved = [(cell, cell.halves) for cell in known if cell.halves is not None and cell.halves.count]
    if halved and all(each.first for _, each in halved):
        lasted = max((cell.now.instant - each.first) / cell.now.interval for cell, each in halved) - rounds
        share = max(share, sum(each.count for _, each in halved) / ((lasted + 1) * len(known) + 1))
    return bool((1 - min(share, 1.0)) ** (rounds * len(known)) < OVER)


def _since_half(cell: Cell) -> float:
    """Return the seconds since the last half answer, in a round or a check; infinity if none is known."""
    instants = [cell.halves.at] if cell.halves is not None and cell.halves.count else []
    if cell.again is not None and cell.again.halved:
        instants.append(cell.again.at)
    return cell.now.instant - max(instants, default=-math.inf)


def _share_of_checks(cells: Iterable[Cell]) -> float:
    """Return the share of half answers in the checks until the last half answer: rather too low."""
    each = [cell.again for cell in cells if cell.again is not None]
    return sum(one.halved for one in each) / (sum(one.of - one.whole for one in each) + 1)


def _by_node(look: Look, *, service: bool) -> dict[str, list[Cell]]:
    """Return the look-ups by Service, or those directly to the pods, of each node at which no fault is named."""
    of: dict[str, list[Cell]] = {}
    for cell in look.mesh.resolvers:
        if is_service(cell) == service:
            of.setdefault(cell.source, []).append(cell)
    return {node: cells for node, cells in of.items() if not look.blames(node)}


def _raced(
    mesh: Mesh, by_service: Mapping[str, list[Cell]], straight: Mapping[str, list[Cell]], counted: Counted
) -> list[str]:
    """Return the nodes with more half answers than packet loss explains; several stand for every node."""
    longer = counted is _in_more_rounds
    packets = mesh.lost / mesh.sent if mesh.sent else 0.0
    a_train = mesh.sent / max(mesh.planes.total(), 1) / WINDOW
    over = _loss_that_is_over(mesh.lossy, mesh.trains, packets, a_train) if longer else 0.0
    usual = over + _by_loss(packets, _share(chain.from_iterable(straight.values()), counted))
    sums = {node: _sum(cells, counted) for node, cells in by_service.items()}
    if longer:  # nothing shows earlier loss as well as queries to the pods do
        sums = {node: each for node, each in sums.items() if _sum(straight.get(node, ()), counted)[1]}
    halved = {node: many for node, (many, _) in sums.items() if many}
    expected = {node: tries * usual for node, (_, tries) in sums.items()}
    for node in halved:  # its own loss may be higher
        paths = [cell for cell in (*mesh.leaving(node), *mesh.entering(node)) if not cell.local]
        share = _by_loss(share_lost(paths), _share(straight.get(node, ()), counted))
        if longer:
            lossy, trains = sum(cell.lossy for cell in paths), sum(cell.trains for cell in paths)
            share += _loss_that_is_over(lossy, trains, share_lost(paths), a_train)
        expected[node] = max(expected[node], sums[node][1] * share)
    raced = [
        node for node, many in halved.items() if many >= LEAST and len(sums) * at_least(many, expected[node]) <= CHANCE
    ]
    others = [node for node in halved if node not in raced]
    many = sum(halved[node] for node in others)
    if many >= LEAST and at_least(many, sum(expected[node] for node in expected.keys() - raced)) <= CHANCE:
        raced += others
    return raced


def _by_loss(packets: float, straight: float) -> float:
    """Return the share of look-ups in which loss takes one of both queries, or its answer: rather too many.

    `packets`: the share that the trains lose. `straight`: the share of half answers to queries directly to the pods;
    it alone shows a loss that is over, and from few look-ups.
    """
    return USUAL + straight + max(2 * packets, straight)


def _loss_that_is_over(lossy: int, trains: int, packets: float, a_train: float) -> float:
    """Return which share of the trains lost packets beyond those that do at the present rate: look-ups lose no more.

    `lossy` of so many `trains` of the history lost packets. `packets`: the share that is lost now, of `a_train` packets
    each.
    """
    return max(0.0, lossy / trains - (1 - (1 - packets) ** a_train)) if trains else 0.0


def _sum(cells: Iterable[Cell], counted: Counted) -> tuple[int, int]:
    """Return the half answers, and the look-ups."""
    each = [counted(cell) for cell in cells]
    return sum(many for many, _ in each), sum(tries for _, tries in each)


def _share(cells: Iterable[Cell], counted: Counted) -> float:
    """Return the share of the look-ups on `cells` of which one query was answered."""
    halved, tries = _sum(cells, counted)
    return halved / max(tries, halved, 1)
