"""Certificates of targets that expire soon or have expired, by the earliest date that a prober has seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from smoker_diagnosis.component import TARGET, Scope
from smoker_diagnosis.finding import Count, Finding, finding_of
from smoker_diagnosis.look import Look
from smoker_diagnosis.state import PathState

URGENT = 14 * 86_400.0  # seconds before expiry from which the finding is a warning; it never becomes critical
LAST = 253_402_300_799.0  # the end of the year 9999


def find(look: Look) -> Iterator[Finding]:
    """Yield one finding for each target whose certificate expires within the time that its probe warns of."""
    of: dict[str, list[PathState]] = {}
    asked: dict[str, int] = {}
    for _source, path in look.mesh.others:
        asked[path.target] = asked.get(path.target, 0) + 1
        if path.expires > 0:
            of.setdefault(path.target, []).append(path)
    for target, paths in sorted(of.items()):
        first = min(paths, key=lambda path: path.expires)
        urgent = min(path.expires_in for path in paths) <= URGENT
        yield finding_of(
            look.cluster,
            "certificate",
            Scope(TARGET, (target,)),
            "certificate",
            layers=("certificate",),
            severity="warning" if urgent else "info",
            confidence=0.99,
            counts=(Count("other", len(paths), asked[target]),),
            notes=("expired" if first.expires_in < 0 else "expires", _date(first.expires)),
        )


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(min(seconds, LAST), UTC).strftime("%Y-%m-%d %H:%M UTC")
