"""Nodes that are NotReady and failed before that: their paths are no longer probed.

A node can become NotReady before most of its peers have probed it again. Then it counts that none of its own probers
answers the caller any more: the hub may have started after the fault, and know nothing from before.
"""

from __future__ import annotations

from collections.abc import Iterator

from smoker_diagnosis.component import NETWORK, NODE, OVERLAY, Scope
from smoker_diagnosis.finding import Count, Finding, finding_of
from smoker_diagnosis.look import Look

MOST = 0.5  # share of the peers that must have seen it fail


def find(look: Look) -> Iterator[Finding]:
    """Yield the findings."""
    for node, reports in sorted(look.mesh.left.items()):
        failing, unheard = sum(reports), look.mesh.unheard[node]
        enough = 1 if unheard else max(1, MOST * len(reports))
        if node in look.named or node in look.mesh.answering or failing < enough:
            continue
        counts = [Count("peers", failing, len(reports))]
        if unheard:
            counts.append(Count("probers", unheard, unheard))
        yield finding_of(
            look.cluster,
            "not_ready",
            Scope(NODE, (node,)),
            NETWORK,
            layers=(NETWORK, OVERLAY),
            confidence=0.95 if len(reports) > 1 or unheard else 0.8,
            counts=tuple(counts),
        )
