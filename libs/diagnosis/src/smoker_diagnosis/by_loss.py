"""Which failing paths a loss of packets explains: a probe fails if it loses its packets, and fails again by chance.

Lost packets end in silence. A path whose probe was refused or answered wrongly has another cause, and so has one that
failed more often in a row than this loss makes likely.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from smoker_diagnosis.component import ALL, NO, Scope, concerns, scopes_of
from smoker_diagnosis.evidence import MTU, RESOLVE, Cell
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.lossy import hit
from smoker_diagnosis.state import PEER, SERVICE, PathState, State

CHANCE = 1e-3  # the probability up to which loss of packets does not explain so many failures in a row
SILENCE = ("timeout", RESOLVE, MTU)  # outcomes of probes whose packets are lost


def may_fail(rate: float, times: int, paths: int) -> bool:
    """Return whether one of `paths` that lose packets at `rate` may by chance fail so many times in a row."""
    return paths * rate**times > CHANCE


class ByLoss:
    """The losses among the findings of a mesh, and the failing paths that they explain."""

    def __init__(self, findings: Iterable[Finding], states: Sequence[State]) -> None:
        losses = [each for each in findings if each.kind == "loss"]
        self._at: dict[Scope, list[Finding]] = {}  # by place: the losses that may be there
        for loss in losses:
            for place in loss.one_of or (loss.scope,):
                self._at.setdefault(place, []).append(loss)
        self._nodes = {node for place in self._at for node in place.nodes}
        self._in_zones = {zone for place in self._at for zone in place.zones}
        self._everywhere = any(place.kind == ALL for place in self._at)
        self._zones = {state.node: state.zone for state in states}
        self._paths = sum(len(state.paths) for state in states)
        self._echoes: dict[str, set[str]] = {}  # by probe: nodes of the echo's pods, if known
        for state in states if losses else ():
            for probe, nodes in state.echoes.items():
                self._echoes.setdefault(probe, set()).update(nodes)
        self._between: dict[tuple[str, str, str, str], list[Finding]] = {}  # by the ends of a path and their zones
        self._at_nodes: dict[str, float] = {}  # by source node: the share of a Service path
        self._at_pods: dict[str, float] = {}  # by probe: the same at the pods behind its Service

    def explains(self, state: State, path: PathState) -> bool:
        """Return whether a loss explains that `path`, of the prober `state`, fails."""
        if not self._at or path.last not in SILENCE:
            return False
        return may_fail(self._share(state, path), path.streak, self._paths)

    def _share(self, state: State, path: PathState) -> float:
        """Return the largest share of packets that a loss takes from `path`; 0 if they cross the place of none."""
        if path.role == PEER:
            losses = self._crossed(state.node, path.target, state.zone, path.zone or self._zones.get(path.target, ""))
            return max((each.share for each in losses if _takes(each, path)), default=0.0)
        if path.role != SERVICE:
            return 0.0
        if state.node not in self._at_nodes:
            self._at_nodes[state.node] = self._share_at((state.node,))
        if path.probe not in self._at_pods:
            self._at_pods[path.probe] = self._share_at(self._pods(path.probe))
        return max(self._at_nodes[state.node], self._at_pods[path.probe])

    def _crossed(self, source: str, target: str, here: str, there: str) -> Sequence[Finding]:
        """Return the losses at a place that packets between two nodes, in the zones `here` and `there`, cross."""
        if source == target or not self._is_near(source, target, here, there):
            return ()
        ends = source, target, here, there
        if ends not in self._between:
            cell = Cell(source, target, "", "", source_zone=here, target_zone=there)
            self._between[ends] = [each for scope in scopes_of(cell) for each in self._at.get(scope, ())]
        return self._between[ends]

    def _is_near(self, source: str, target: str, here: str, there: str) -> bool:
        """Return whether the place of a loss names an end of the path, or its zone."""
        at_end = source in self._nodes or target in self._nodes
        return at_end or self._everywhere or here in self._in_zones or there in self._in_zones

    def _pods(self, probe: str) -> Collection[str]:
        """Return the nodes of the pods behind the echo service of `probe`; where they are unknown, every node."""
        return self._echoes.get(probe) or self._zones.keys()

    def _share_at(self, nodes: Collection[str]) -> float:
        """Return the largest share of the losses that may keep packets of any of `nodes` from its peers."""
        near = [
            each.share
            for scope, losses in self._at.items()
            if any(concerns(scope, node, self._zones.get(node, "")) for node in nodes)
            for each in losses
        ]
        return max(near, default=0.0)


def _takes(loss: Finding, path: PathState) -> bool:
    """Return whether packets of the plane and the family of `path` are lost with `loss`."""
    if loss.families and path.family not in loss.families:
        return False
    return any(hit(layer, path.plane) != NO for layer in {loss.layer, *loss.layers})
