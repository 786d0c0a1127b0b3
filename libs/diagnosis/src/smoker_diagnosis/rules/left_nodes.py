"""Nodes that are NotReady and failed before that: their paths are no longer probed.

A node can become NotReady before its peers have probed it again. Then it is enough that none of its own probers answers
the caller any more: the hub may have started after the fault, and know nothing from before.
"""

from __future__ import annotations

from collections.abc import Iterator

from smoker_diagnosis.component import NETWORK, NODE, OVERLAY, Scope
from smoker_diagnosis.finding import Count, Finding, finding_of
from smoker_diagnosis.look import Look


def find(look: Look) -> Iterator[Finding]:
    """Yield the findings."""
    mesh = look.mesh
    for node in sorted(mesh.left.keys() | mesh.down.keys()):
        reports, silent = mesh.left.get(node, []), mesh.down.get(node, 0)
        of_peers = Count("peers", sum(reports), len(reports))
        if node in look.named or node in mesh.answering or node in mesh.to or not (of_peers.half_fail or silent):
            continue
        counts = [of_peers] if reports else []
        if silent:
            counts.append(Count("probers", silent, silent))
        yield finding_of(
            look.cluster,
            "not_ready",
            Scope(NODE, (node,)),
            NETWORK,
            layers=(NETWORK, OVERLAY),
            confidence=0.95 if len(reports) > 1 or silent else 0.8,
            counts=tuple(counts),
        )
