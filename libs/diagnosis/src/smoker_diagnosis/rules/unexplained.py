"""Paths that fail, and that no component explains: they are listed, and nothing is blamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from smoker_diagnosis.component import Scope
from smoker_diagnosis.evidence import ECHO, LARGE
from smoker_diagnosis.finding import SHOWN_FAILING, Count, Finding, finding_of, seen
from smoker_diagnosis.look import Look

OFTEN = 2  # failures in a row before such a path is worth a finding


def find(look: Look) -> Iterator[Finding]:
    """Yield one finding with all of them."""
    stray = [cell for cell in look.stray if any(each.streak >= OFTEN for each in cell.failed.values())]
    if not stray:
        return
    names = sorted({f"{cell.source}>{cell.target}" for cell in stray})
    planes = Counter(cell.plane for cell in stray)
    yield finding_of(
        look.cluster,
        "unknown",
        Scope("", tuple(names[:SHOWN_FAILING])),
        "",
        severity="warning",
        confidence=0.5,
        outcomes=tuple(sorted({each.outcome for cell in stray for each in cell.failed.values()})),
        counts=tuple(Count(plane, count, look.mesh.planes[plane]) for plane, count in sorted(planes.items())),
        failing=tuple(seen(stray, ECHO | LARGE))[:SHOWN_FAILING],
    )
