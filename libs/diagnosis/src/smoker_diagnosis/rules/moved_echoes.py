"""Echo services whose pods moved while probes failed: information, not a fault."""

from __future__ import annotations

from collections.abc import Iterator

from smoker_diagnosis.component import SERVICE, Scope
from smoker_diagnosis.evidence import NAMES
from smoker_diagnosis.finding import Count, Finding, finding_of
from smoker_diagnosis.look import Look


def find(look: Look) -> Iterator[Finding]:
    """Yield the findings, until every path has a result from after the move."""
    for bit, move in sorted(look.mesh.moves.items()):
        missed = move.missed(bit)
        if not (move.before and move.after and missed) or move.before == move.after:
            continue  # the first pods of an echo start, and pods that restart in their place do not move
        yield finding_of(
            look.cluster,
            "moved",
            Scope(SERVICE, (NAMES[bit],)),
            "service",
            layers=("service",),
            probes=(NAMES[bit],),
            severity="info",
            confidence=0.97,
            counts=(Count("service", missed, sum(cell.places[bit] >= 0 for cell in look.mesh.services)),),
            notes=(", ".join(sorted(move.before)), ", ".join(sorted(move.after))),
        )
