"""Find the direction of a loss: packets into a place, or out of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from smoker_diagnosis.component import INTO, NODE, ONE_WAY, OUT_OF, PAIR, Scope
from smoker_diagnosis.evidence import UDP, Cell

AGREE = 0.4  # share of the failed probes whose far end must agree
ONE_SIDED = 4  # loss in one direction must be this many times that of the other, and at least
CERTAIN = 6  # packets more


def of_failures(scope: Scope, failing: Iterable[Cell]) -> str:
    """Return "in" to or "out" of the scope's last node, or "both", as the far ends tell; empty: not known."""
    if scope.kind not in (NODE, INTO, OUT_OF, PAIR, ONE_WAY):
        return ""
    end, seen = scope.nodes[-1], Counter[tuple[bool, bool]]()
    for cell in failing:
        if cell.heard is not None and cell.bad & UDP:
            seen[cell.target == end, cell.heard] += 1
    # A probe that arrived and has no answer lost its reply; one that did not arrive says nothing about replies.
    arrives, leaves = seen[True, True], seen[False, True]
    if max(arrives, leaves) < AGREE * seen.total() or not arrives + leaves:
        return "both" if seen[True, False] and seen[False, False] else ""
    return "both" if arrives and leaves else "out" if arrives else "in"


def of_loss(scope: Scope, cells: Iterable[Cell]) -> str:
    """Return the same for packets, from the two sequence numbers of STAMP."""
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
