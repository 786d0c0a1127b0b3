"""Collect the evidence in the states of all probers.

State ─▶ Part (the cells of one prober, renewed from look to look) ─▶ Mesh (all of them, by node)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from smoker_diagnosis.evidence import BITS, TCP, UDP, Cell, Mesh, Prober
from smoker_diagnosis.moved import Moves, stays
from smoker_diagnosis.part import Part, far_prober, part_of
from smoker_diagnosis.state import State

SLACK = 1.0  # seconds between two documents that were fetched together
SHARE_OF_ROUND = 0.3  # the same where rounds are short
MOST_OF = 0.8  # a prober hangs if this share of the paths to it connect without an answer


class Evidence:
    """Builds the mesh of each look. The part of each prober is kept, and renewed when its state has changed."""

    def __init__(self) -> None:
        self._parts: dict[Prober, Part] = {}
        self._zones: dict[str, str] = {}
        self._to: dict[str, dict[Prober, list[Cell]]] = {}  # by target and prober
        self._moves = Moves()
        self._far: Counter[Prober] = Counter()  # how many probers probe each

    def mesh(
        self,
        states: Iterable[State],
        waited: Mapping[Prober, float] | None = None,
        leaves: Callable[[str], bool] = stays,
    ) -> Mesh:
        """Return the evidence in `states`.

        `waited`: by node and network, the age of a state in seconds, if it was not fetched just now.
        `leaves(node)`: whether pods leave that node, because it is drained or gone.
        """
        before, self._parts = self._parts, {}
        for state in states:
            who = state.node, state.network
            now = state.at + (waited or {}).get(who, 0.0)
            part = before.get(who)
            if part is None or not part.renew(state, now):
                part = part_of(state, now)
                self._forget(before.get(who))
                self._far.update(part.far)
                for target, cells in part.to.items():
                    self._to.setdefault(target, {})[who] = cells
            self._parts[who] = part
        for gone in before.keys() - self._parts.keys():
            self._forget(before[gone])
        mesh = Mesh()
        for part in self._parts.values():
            _join(mesh, part)
        self._place(mesh)
        mesh.to = self._to
        mesh.directed = _directed(self._parts)
        mesh.silent = {each for each, probers in self._far.items() if probers and each not in self._parts}
        mesh.nodes = mesh.answering | self._to.keys() | mesh.left.keys()
        _separate_mute_probers(mesh)
        self._moves.look(mesh.echoes, mesh.services, self._parts, leaves)
        mesh.moves, mesh.evicted = self._moves.of, self._moves.evicted
        for cell in mesh.failing:
            _note_arrival(cell, self._parts)
        return mesh

    def _forget(self, part: Part | None) -> None:
        """Take the paths of `part` out of those by target."""
        if part is None:
            return
        self._far.subtract(part.far)
        for target in part.to:
            probers = self._to[target]
            probers.pop((part.state.node, part.state.network), None)
            if not probers:
                del self._to[target]

    def _place(self, mesh: Mesh) -> None:
        """Set the zones of every cell that has none yet."""
        changed, self._zones = mesh.zones != self._zones, mesh.zones
        for part in self._parts.values():
            if changed or not part.placed:
                part.placed = True
                here = mesh.zones.get(part.state.node, "")
                for cell in part.cells:
                    cell.source_zone, cell.target_zone = here, mesh.zones.get(cell.target, "")


def _join(mesh: Mesh, part: Part) -> None:
    """Add the evidence of one prober to the mesh."""
    state = part.state
    mesh.count += len(part.cells)
    mesh.failing += part.failing
    mesh.losing += part.losing
    mesh.services += part.services
    mesh.resolvers += part.resolvers
    mesh.dns_pods.update(state.dns_pods)
    mesh.others += part.others
    mesh.known += part.known
    mesh.unsteady += part.unsteady
    mesh.past += part.past
    mesh.flaps += part.flaps
    mesh.trains += part.trains
    mesh.lossy += part.lossy
    mesh.sent += part.sent
    mesh.lost += part.lost
    mesh.planes.update(part.planes)
    mesh.own.setdefault(state.node, []).append(part.cells)
    mesh.answering.add(state.node)
    for node, zone in part.zones.items():
        mesh.zones.setdefault(node, zone)
    if state.zone or state.node not in mesh.zones:
        mesh.zones[state.node] = state.zone
    if part.hung:
        mesh.hung.add((state.node, state.network))
    if state.api == "unanswered":
        mesh.without_api.add(state.node)
    for left in state.left:
        mesh.left.setdefault(left.node, []).append(left.failing)
    for probe, nodes in state.echoes.items():
        if probe in BITS:
            mesh.echoes.setdefault(BITS[probe], set()).update(nodes)


def _directed(parts: Mapping[Prober, Part]) -> int:
    """Return how many pairs of a source and a target there are."""
    first: dict[str, dict[str, list[Cell]]] = {}
    count = 0
    for (node, _), part in parts.items():
        before = first.setdefault(node, part.to)
        count += len(part.to) if before is part.to else len(part.to.keys() - before.keys())
    return count


def _note_arrival(cell: Cell, parts: Mapping[Prober, Part]) -> None:
    """Note whether the last UDP probe of `cell` arrived at its far end, if it was not answered."""
    cell.heard = None
    failure, far = cell.failed.get(UDP), parts.get(far_prober(cell))
    if failure is None or failure.outcome != "timeout" or far is None:
        return
    age = far.age_of(cell)
    if age is not None:  # the address of one that never arrived may be translated on the path
        cell.heard = age <= cell.age(UDP) + min(SLACK, SHARE_OF_ROUND * far.state.interval)


def _separate_mute_probers(mesh: Mesh) -> None:
    """Find the probers that hang, and remove the paths to them from those that fail because of the network.

    The kernel of their node completes TCP handshakes, so the path carries packets in both directions; but the process
    behind it answers nothing.
    """
    suspects = {far_prober(cell) for cell in mesh.failing if cell.connected}
    for node, network in suspects:
        into = [cell for cell in mesh.entering(node) if far_prober(cell) == (node, network) and cell.known & TCP]
        mute = [cell for cell in into if cell.connected & TCP]
        began = max((cell.failing_for(TCP) for cell in mute), default=0.0)
        spoke = [cell for cell in into if not cell.bad & TCP and cell.age(TCP) < began]
        others = [cell for cell in into if cell.bad & TCP & ~cell.connected]
        certain = len(mute) > 1 or any(cell.failed[TCP].streak > 1 for cell in mute)
        if certain and len(mute) >= MOST_OF * (len(mute) + len(spoke) + len(others)):
            mesh.mute[node, network] = len(mute), len(into)
    if mesh.mute:
        mesh.failing = [cell for cell in mesh.failing if far_prober(cell) not in mesh.mute]
        mesh.losing = [cell for cell in mesh.losing if far_prober(cell) not in mesh.mute]
