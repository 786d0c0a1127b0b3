"""Find look-ups that lose one of two queries sent together from one socket: a race in the node's connection tracking.

C libraries ask for A and AAAA in this manner. Both packets begin the same connection, so the kernel makes its
translation to a DNS pod twice and drops the second packet. Only queries to the Service are translated: if queries
directly to the pods are lost as often, it is packet loss.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from smoker_diagnosis.component import ALL, NODE, Scope
from smoker_diagnosis.evidence import DNS, Mesh
from smoker_diagnosis.finding import SHOWN_FAILING, Count, Finding, Seen, finding_of
from smoker_diagnosis.look import Look
from smoker_diagnosis.loss import share_lost
from smoker_diagnosis.resolvers import LAYER_RACE, is_service
from smoker_diagnosis.stats import at_least

LEAST = 2  # look-ups: one can be a lost packet
CHANCE = 1e-3  # the probability from which packet loss explains as many


def find(look: Look) -> Iterator[Finding]:
    """Yield the finding, where no loss of packets explains it."""
    by_service = [cell for cell in look.mesh.resolvers if is_service(cell)]
    raced = [cell for cell in by_service if cell.partly]
    count = sum(cell.partly for cell in raced)
    if count < LEAST or look.blamed:
        return
    sources = {cell.source for cell in raced}
    tries = sum(cell.tries.get(DNS, 0) for cell in by_service if cell.source in sources)
    if at_least(count, tries * _share_by_loss(look.mesh, sources)) > CHANCE:
        return
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


def _share_by_loss(mesh: Mesh, sources: Collection[str]) -> float:
    """Return the share of look-ups by `sources` in which packet loss takes one of both queries, or its answer.

    It is seen in the trains between these nodes and their peers, and in the queries directly to the pods.
    """
    paths = {id(cell): cell for node in sources for cell in (*mesh.leaving(node), *mesh.entering(node))}.values()
    straight = [cell for cell in mesh.resolvers if not is_service(cell) and cell.source in sources]
    tries, partly = sum(cell.tries.get(DNS, 0) for cell in straight), sum(cell.partly for cell in straight)
    return 2 * share_lost(paths) + (partly / tries if tries else 0.0)
