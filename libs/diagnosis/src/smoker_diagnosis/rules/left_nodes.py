"""Nodes that are NotReady and failed before that: their paths are no longer probed."""

from __future__ import annotations

from collections.abc import Iterator

from smoker_diagnosis.component import NETWORK, NODE, OVERLAY, Scope
from smoker_diagnosis.finding import Count, Finding, finding_of
from smoker_diagnosis.look import Look

MOST = 0.5  # share of the peers that must have seen it fail


def find(look: Look) -> Iterator[Finding]:
    """Yield the findings."""
    for node, reports in sorted(look.mesh.left.items()):
        failing = sum(reports)
        if node in look.named or node in look.mesh.answering or failing < max(1, MOST * len(reports)):
            continue
        yield finding_of(
            look.cluster,
            "not_ready",
            Scope(NODE, (node,)),
            NETWORK,
            layers=(NETWORK, OVERLAY),
            confidence=0.95 if len(reports) > 1 else 0.8,
            counts=(Count("peers", failing, len(reports)),),
        )
