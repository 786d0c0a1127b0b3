"""Additional targets (neither peers nor echo services) that fail from every node that probes them."""

from __future__ import annotations

from collections.abc import Iterator

from smoker_diagnosis.component import TARGET, Scope
from smoker_diagnosis.finding import Count, Finding, finding_of
from smoker_diagnosis.look import Look
from smoker_diagnosis.state import Traced
from smoker_diagnosis.traces import last_hops

MOST_OF = 0.8  # share of the probers that counts as all


def find(look: Look) -> Iterator[Finding]:
    """Yield their findings. Results from nodes that are named already do not count."""
    of: dict[str, list[tuple[bool, str]]] = {}
    traces: dict[str, list[tuple[str, str, Traced | None]]] = {}
    for other in look.mesh.others:
        if other.judged and other.source not in look.named:
            of.setdefault(other.path.target, []).append((other.fails, other.path.last))
            traces.setdefault(other.path.target, []).append((other.source, other.path.target, other.path.traced))
    for target, seen in sorted(of.items()):
        outcomes = [outcome for bad, outcome in seen if bad]
        if not outcomes or len(outcomes) < MOST_OF * len(seen):
            continue
        look.targets.add(target)
        yield finding_of(
            look.cluster,
            "target",
            Scope(TARGET, (target,)),
            "target",
            layers=("target",),
            confidence=0.95 if len(outcomes) > 1 else 0.9,
            outcomes=tuple(sorted(set(outcomes))),
            counts=(Count("other", len(outcomes), len(seen)),),
            last_hops=last_hops(traces[target]),
        )
