"""Find the paths on which a hard fault loses every packet: their packets are no evidence of loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from smoker_diagnosis.component import scopes_of
from smoker_diagnosis.evidence import UDP, Mesh
from smoker_diagnosis.explain import Blamed

CLEAR = 3  # packets lost in trains from which a path counts as lossy rather than dead
SLACK = 1.0  # seconds from a train that a fault met to the first probe that failed: no two probes begin together


def dead_cells(mesh: Mesh, blamed: Iterable[Blamed]) -> set[int]:
    """Return the identities of the paths whose UDP a hard fault explains: their packets are no evidence of loss."""
    found: set[int] = set()
    for each in blamed:
        of_udp = {key for key, bit in each.rows if bit == UDP}
        lost = sum(cell.lost for cell in mesh.losing if id(cell) in of_udp)
        if lost < CLEAR:
            found |= of_udp
        if of_udp:
            found.update(_under_way(mesh, each))
    return found


def _under_way(mesh: Mesh, blamed: Blamed) -> Iterator[int]:
    """Yield the paths within a hard fault that it has met with a train under way, and that were not probed since.

    Until their next round nobody knows whether they lose some packets or all.
    """
    component = blamed.component
    bad = [cell for cell in mesh.failing if any((id(cell), bit) in blamed.rows for bit in cell.failing(component.bits))]
    began = max((cell.failing_for(bit) for cell in bad for bit in cell.failing(component.bits)), default=0.0)
    for cell in mesh.losing:
        if not cell.bad & UDP and cell.age(UDP) > began - SLACK and component.scope in scopes_of(cell):
            yield id(cell)
