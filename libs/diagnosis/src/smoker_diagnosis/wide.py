"""Explain faults of a large part of the mesh: first the wide ones by a sample, then all others without these failures.

With thousands of nodes a fault of everything fails hundreds of thousands of probes. A few thousand of them show as well
which part of the mesh is broken. Everything else is judged by all paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from zlib import crc32

from smoker_diagnosis.component import NO, Component, cells_of, fails, narrow_scopes_of, scopes_of, wide_scopes_of
from smoker_diagnosis.evidence import Cell, Mesh, Row
from smoker_diagnosis.explain import Blamed, Reach, Stray

MANY = 4000  # failing paths from which wide components are found by a sample
SAMPLE = 2000  # failing paths of a sample, about
SURE = 0.9  # confidence of a wide component


def explained(mesh: Mesh, rates: Mapping[int, float] | None = None) -> tuple[list[Blamed], list[Stray]]:
    """Return the best explanation of the failing probes, and the paths that it leaves.

    `rates`: of packets lost, by identity of a path.
    """
    wide = _wide(mesh, rates) if len(mesh.failing) > MANY else None
    rows: set[Row] = set().union(*(each.rows for each in wide or ()))
    reach = Reach(mesh, rates, rows, scopes_of if wide is None else narrow_scopes_of)
    blamed = reach.explain()
    stray = reach.unexplained(blamed)
    if wide:
        blamed = [replace(each, rows=_rows(mesh, each.component)) for each in blamed]
    return (wide or []) + blamed, stray


def _wide(mesh: Mesh, rates: Mapping[int, float] | None) -> list[Blamed] | None:
    """Return the components without nodes that a sample of the probers shows, each with all failures it explains.

    None: the sample leaves a doubt.
    """
    found = Reach(_sample(mesh, -(-len(mesh.failing) // SAMPLE)), rates, scopes=wide_scopes_of).explain()
    if any(each.confidence < SURE or each.one_of for each in found):
        return None
    return [replace(each, rows=_rows(mesh, each.component)) for each in found]


def _sample(mesh: Mesh, every: int) -> Mesh:
    """Return the mesh as one of `every` nodes sees it. Names of nodes often count the zones, so they are hashed."""
    own = {prober: one for prober, one in mesh.own.items() if crc32(prober[0].encode()) % every == 0}
    sources = {node for node, _ in own}
    count = sum(len(one.cells) for one in own.values())
    failing = [cell for cell in mesh.failing if cell.source in sources]
    known = sum(cell.known > 0 for one in own.values() for cell in one.cells)
    return replace(mesh, own=own, count=count, failing=failing, known=known)


def _rows(mesh: Mesh, component: Component) -> set[Row]:
    """Return the failures that `component` explains, whether another one explains them as well or not."""
    return {
        (id(cell), bit)
        for cell in cells_of(mesh, component.scope)
        if cell.bad & component.bits and _fails(component, cell)
        for bit in cell.failing(component.bits)
    }


def _fails(component: Component, cell: Cell) -> bool:
    if component.families and cell.family not in component.families:
        return False
    node = component.scope.nodes[0] if len(component.scope.nodes) == 1 else ""
    ends = {"source_in": cell.source == node, "target_in": cell.target == node}
    return fails(component.layer, cell.plane, local=cell.local, **ends) != NO
