"""The evidence of one look, and its explanation so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from smoker_diagnosis.component import concerns
from smoker_diagnosis.dead import dead_cells
from smoker_diagnosis.evidence import Cell, Mesh
from smoker_diagnosis.explain import Blamed, Stray
from smoker_diagnosis.flow_loss import find_flow_loss
from smoker_diagnosis.loss import find_loss
from smoker_diagnosis.lossy import Lossy, rates_of
from smoker_diagnosis.services import Service, find_services
from smoker_diagnosis.wide import explained


@dataclass(slots=True)
class Look:
    """The evidence and its explanation."""

    cluster: str
    mesh: Mesh
    blamed: list[Blamed]
    lossy: list[Lossy]
    services: list[Service]
    following: list[Cell]  # paths to the echo services that fail because of `blamed`
    stray: list[Stray]  # paths with failures that have no explanation
    named: set[str] = field(default_factory=set)  # nodes that are named so far
    targets: set[str] = field(default_factory=set)  # further targets that are named so far

    def blames(self, node: str) -> bool:
        """Return whether a hard fault is named that may keep packets of `node` from its peers."""
        return any(self._may_concern(each, node) for each in self.blamed)

    def loss_at(self, node: str) -> float:
        """Return the highest rate of loss that is found at `node`."""
        return max((each.rate for each in self.lossy if self._may_concern(each, node)), default=0.0)

    def paths_of(self, plane: str) -> int:
        """Return how many paths of a plane there are."""
        mesh = self.mesh
        targets = {(source, path.target, path.family) for source, path in mesh.others if path.plane == plane}
        own = sum(cell.plane == plane for cell in (*mesh.services, *mesh.resolvers))
        return mesh.planes[plane] + own + len(targets)

    def _may_concern(self, found: Blamed | Lossy, node: str) -> bool:
        zone = self.mesh.zones.get(node, "")
        scopes = found.one_of or (found.component.scope,)
        return any(concerns(scope, node, zone) for scope in scopes)


def look_at(mesh: Mesh, cluster: str) -> Look:
    """Explain the evidence: first hard faults, then loss, then what is left of the Services."""
    blamed, stray = explained(mesh)
    lossy = find_flow_loss(mesh) if mesh.partial else []
    if mesh.losing:
        lossy += find_loss(mesh, {id(cell) for each in lossy for cell in each.cells} | dead_cells(mesh, blamed))
    if lossy:  # a path that loses packets also fails at times: search again with that rate
        blamed, stray = explained(mesh, rates_of(mesh, lossy))
    services, following = find_services(mesh, blamed, lossy)
    return Look(cluster, mesh, blamed, lossy, services, following, stray)
