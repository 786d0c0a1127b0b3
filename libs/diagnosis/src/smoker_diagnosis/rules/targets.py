"""Additional targets (neither peers nor echo services) that fail from every node that probes them."""

from __future__ import annotations

from collections.abc import Iterator

from smoker_diagnosis.component import TARGET, Scope
from smoker_diagnosis.evidence import Other
from smoker_diagnosis.finding import Count, Finding, causes_of, finding_of
from smoker_diagnosis.look import Look
from smoker_diagnosis.traces import last_hops

MOST_OF = 0.8  # share of the probers that counts as all


def find(look: Look) -> Iterator[Finding]:
    """Yield their findings. Results from nodes that are named already do not count."""
    of: dict[str, list[Other]] = {}
    for other in look.mesh.others:
        if other.judged and other.source not in look.named:
            of.setdefault(other.path.target, []).append(other)
    for target, seen in sorted(of.items()):
        failing = [other.path for other in seen if other.fails]
        if not failing or len(failing) < MOST_OF * len(seen):
            continue
        look.targets.add(target)
        yield finding_of(
            look.cluster,
            "target",
            Scope(TARGET, (target,)),
            "target",
            layers=("target",),
            probes=tuple(sorted({path.probe for path in failing})),
            confidence=0.95 if len(failing) > 1 else 0.9,
            outcomes=tuple(sorted({path.last for path in failing})),
            since=max(path.at - path.since for path in failing),
            counts=(Count("other", len(failing), len(seen)),),
            last_hops=last_hops((other.source, target, other.path.traced) for other in seen),
            causes=causes_of(path.error for path in failing),
        )
