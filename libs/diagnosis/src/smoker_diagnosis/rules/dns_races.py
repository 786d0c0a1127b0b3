"""Find look-ups that lose one of two queries sent together from one socket: a race in the node's connection tracking.

C libraries ask for A and AAAA in this manner. Both packets begin the same connection, so the kernel makes its
translation to a DNS pod twice and drops the second packet. Only queries to the Service are translated: if queries
directly to the pods are lost as well, it is packet loss.
"""

from __future__ import annotations

from collections.abc import Iterator

from smoker_diagnosis.component import ALL, NODE, Scope
from smoker_diagnosis.evidence import DNS
from smoker_diagnosis.finding import SHOWN_FAILING, Count, Finding, Seen, finding_of
from smoker_diagnosis.look import Look
from smoker_diagnosis.resolvers import LAYER_RACE, is_service

LEAST = 2  # look-ups: one can be a lost packet


def find(look: Look) -> Iterator[Finding]:
    """Yield the finding, where no loss of packets explains it."""
    by_service = [cell for cell in look.mesh.resolvers if is_service(cell)]
    straight = sum(cell.partly for cell in look.mesh.resolvers if not is_service(cell))
    raced = [cell for cell in by_service if cell.partly]
    count = sum(cell.partly for cell in raced)
    if count < LEAST or straight or look.lossy or look.blamed:
        return
    sources = {cell.source for cell in raced}
    if any({cell.source, cell.target} & sources for cell in look.mesh.losing):  # packets are lost there, perhaps these
        return
    tries = sum(cell.tries.get(DNS, 0) for cell in by_service if cell.source in sources)
    yield finding_of(
        look.cluster,
        "dns",
        Scope(ALL) if len(sources) > 1 else Scope(NODE, tuple(sources)),
        LAYER_RACE,
        layers=(LAYER_RACE,),
        severity="warning",
        confidence=0.9,
        share=count / max(tries, count),
        outcomes=("timeout",),
        counts=(Count("dns", len(raced), len(by_service)),),
        failing=tuple(
            Seen(cell.source, cell.target, cell.plane, cell.family, "dns", "timeout") for cell in raced[:SHOWN_FAILING]
        ),
    )
