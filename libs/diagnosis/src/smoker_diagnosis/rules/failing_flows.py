"""Flows of a path that always fail while its other flows work: one member of an ECMP group or of a bond is broken.

Where a fault or a loss of packets is found on the path, the flows are evidence of that finding. Otherwise they are a
finding of their own, which names the two ends and blames neither: the broken member can be anywhere between them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from smoker_diagnosis.component import ALL, PAIR, Scope
from smoker_diagnosis.evidence import Cell
from smoker_diagnosis.finding import Count, Finding, finding_of, flows_of
from smoker_diagnosis.look import Look
from smoker_diagnosis.name import within

LAYER = "flows"


def find(look: Look) -> Iterator[Finding]:
    """Yield one finding with the paths that no other finding has."""
    if not look.mesh.partial:
        return
    explained = {id(cell) for each in look.lossy for cell in each.cells}
    explained |= {id(cell) for each in look.blamed for cell in within(look.mesh, each.component)}
    named = look.named
    cells = [cell for cell in look.mesh.partial if id(cell) not in explained and not {cell.source, cell.target} & named]
    if not cells:
        return
    mine = {id(cell) for cell in cells}
    look.stray = [each for each in look.stray if id(each.cell) not in mine]
    planes = Counter(cell.plane for cell in cells)
    pairs = {_pair(cell) for cell in cells}
    yield finding_of(
        look.cluster,
        "flows",
        Scope(PAIR, pairs.pop()) if len(pairs) == 1 else Scope(ALL),
        LAYER,
        layers=(LAYER,),
        severity="warning",
        confidence=0.95,
        counts=tuple(Count(plane, count, look.mesh.planes[plane]) for plane, count in sorted(planes.items())),
        flows=flows_of(cells),
    )


def _pair(cell: Cell) -> tuple[str, str]:
    return (cell.source, cell.target) if cell.source < cell.target else (cell.target, cell.source)
