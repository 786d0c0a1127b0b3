"""Paths that fail again and again all day: they are listed once, and are no evidence for or against any place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from smoker_diagnosis.component import Scope
from smoker_diagnosis.evidence import NAMES, Cell
from smoker_diagnosis.finding import SHOWN_FAILING, Count, Finding, Seen, finding_of
from smoker_diagnosis.look import Look


def find(look: Look) -> Iterator[Finding]:
    """Yield one finding with all of them, but for those that a loss of packets explains."""
    lossy = {id(cell) for each in look.lossy for cell in each.cells}
    cells = [cell for cell in look.mesh.unsteady if id(cell) not in lossy]
    if not cells:
        return
    cells.sort(key=lambda cell: (-cell.flaps, cell.source, cell.target))
    planes = Counter(cell.plane for cell in cells)
    yield finding_of(
        look.cluster,
        "unsteady",
        Scope(""),
        "",
        severity="info",
        confidence=0.97,
        counts=tuple(Count(plane, count, look.paths_of(plane)) for plane, count in sorted(planes.items())),
        failing=tuple(_seen(cell) for cell in cells[:SHOWN_FAILING]),
    )


def _seen(cell: Cell) -> Seen:
    probes = ",".join(name for bit, name in NAMES.items() if bit & cell.unsteady)
    return Seen(
        cell.source, cell.target, cell.plane, cell.family, probes, f"failed {cell.flaps} times in {cell.past} results"
    )
