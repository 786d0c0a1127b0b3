"""Which failing paths a loss of packets explains: a probe fails if it loses its packets, and fails again by chance.

Lost packets end in silence. A path whose probe was refused or answered wrongly has another cause, and so has one that
failed more often in a row than this loss makes likely.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from smoker_diagnosis.component import NO, Scope, concerns, scopes_of
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
        self._losses = [each for each in findings if each.kind == "loss"]
        self._zones = {state.node: state.zone for state in states}
        self._paths = sum(len(state.paths) for state in states)
        self._echoes: dict[str, set[str]] = {}  # by probe: nodes of the echo's pods, if known
        for state in states if self._losses else ():
            for probe, nodes in state.echoes.items():
                self._echoes.setdefault(probe, set()).update(nodes)
        self._at_pods: dict[tuple[str, str], bool] = {}  # by id of a loss and probe: whether the pods may be there

    def explains(self, state: State, path: PathState) -> bool:
        """Return whether a loss explains that `path`, of the prober `state`, fails."""
        if path.last not in SILENCE:
            return False
        share = max((each.share for each in self._losses if self._meets(each, state, path)), default=0.0)
        return may_fail(share, path.streak, self._paths)

    def _meets(self, loss: Finding, state: State, path: PathState) -> bool:
        """Return whether packets of `path` cross the place of `loss`."""
        places = loss.one_of or (loss.scope,)
        if path.role == PEER:
            return self._between_nodes(loss, places, state, path)
        if path.role != SERVICE:
            return False
        key = loss.id, path.probe
        if key not in self._at_pods:
            self._at_pods[key] = self._concerns(places, self._pods(path.probe))
        return self._at_pods[key] or self._concerns(places, (state.node,))

    def _between_nodes(self, loss: Finding, places: Collection[Scope], state: State, path: PathState) -> bool:
        there = path.zone or self._zones.get(path.target, "")
        cell = Cell(state.node, path.target, path.plane, path.family, source_zone=state.zone, target_zone=there)
        if cell.local or (loss.families and path.family not in loss.families):
            return False
        layers = {loss.layer, *loss.layers}
        return any(hit(layer, path.plane) != NO for layer in layers) and not set(places).isdisjoint(scopes_of(cell))

    def _pods(self, probe: str) -> Collection[str]:
        """Return the nodes of the pods behind the echo service of `probe`; where they are unknown, every node."""
        return self._echoes.get(probe) or self._zones.keys()

    def _concerns(self, places: Collection[Scope], nodes: Collection[str]) -> bool:
        return any(concerns(scope, node, self._zones.get(node, "")) for scope in places for node in nodes)
