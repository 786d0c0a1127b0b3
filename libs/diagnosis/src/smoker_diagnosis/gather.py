"""Collect the evidence in the states of all probers.

State ─▶ Part (the cells of one prober, renewed from look to look) ─▶ Mesh (all of them, by node)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from smoker_diagnosis.evidence import BITS, HOST, POD, TCP, UDP, Cell, Mesh, Prober
from smoker_diagnosis.moved import Moves, stays
from smoker_diagnosis.news import News
from smoker_diagnosis.part import Part, far_prober, part_of
from smoker_diagnosis.state import State

SLACK = 1.0  # seconds between two documents that were fetched together
SHARE_OF_ROUND = 0.3  # the same where rounds are short
MOST_OF = 0.8  # a prober hangs if this share of the paths to it connect without an answer


@dataclass(slots=True)
class Layout:
    """The part of the evidence that stays the same while the probers probe the same paths."""

    own: dict[str, list[list[Cell]]] = field(default_factory=dict)  # as in `Mesh`, like the others
    services: list[Cell] = field(default_factory=list)
    resolvers: list[Cell] = field(default_factory=list)
    zones: dict[str, str] = field(default_factory=dict)


class Evidence:
    """Builds the mesh of each look. The part of each prober is kept, and renewed when its state has changed."""

    def __init__(self) -> None:
        self._parts: dict[Prober, Part] = {}
        self._layout = Layout()
        self._to: dict[str, dict[Prober, list[Cell]]] = {}  # by target and prober
        self._moves = Moves()
        self._far: Counter[Prober] = Counter()  # how many probers probe each
        self._planes: Counter[str] = Counter()  # how many paths each has
        self._directed = 0  # pairs of a source and a target

    def mesh(
        self,
        states: Iterable[State],
        waited: Mapping[Prober, float] | None = None,
        leaves: Callable[[str], bool] = stays,
        news: Mapping[Prober, News] | None = None,
    ) -> Mesh:
        """Return the evidence in `states`.

        `waited`: by node and network, the age of a state in seconds, if it was not fetched just now.
        `leaves(node)`: whether pods leave that node, because it is drained or gone.
        `news`: by node and network, what changed since the state before, where the caller has compared them.
        """
        layout = self._renewed_layout(*self._renew(states, waited or {}, news or {}))
        mesh = Mesh(
            own=layout.own,
            to=self._to,
            count=self._planes.total(),
            directed=self._directed,
            planes=self._planes,
            services=layout.services,
            resolvers=layout.resolvers,
            zones=layout.zones,
            answering=set(layout.own),
        )
        echoes: dict[int, Mapping[str, Iterable[str]]] = {}  # by identity: most probers know the same ones
        for part in self._parts.values():
            _join(mesh, part)
            echoes[id(part.state.echoes)] = part.state.echoes
        mesh.echoes = _by_bit(echoes.values())
        mesh.silent = {each: math.inf for each in self._far.keys() - self._parts.keys() if self._far[each]}
        mesh.nodes = mesh.answering | self._to.keys() | mesh.left.keys()
        _separate_mute_probers(mesh)
        self._moves.look(mesh.echoes, mesh.services, self._parts, leaves)
        mesh.moves, mesh.evicted = self._moves.of, self._moves.evicted
        for cell in mesh.failing:
            _note_arrival(cell, self._parts)
        return mesh

    def _renew(
        self, states: Iterable[State], waited: Mapping[Prober, float], news: Mapping[Prober, News]
    ) -> tuple[list[Part], bool]:
        """Renew the parts, in the order of `states`. Return those that are new, and whether some are gone."""
        before, self._parts = self._parts, {}
        new: list[Part] = []
        for state in states:
            who = state.node, state.network
            now = state.at + waited.get(who, 0.0)
            part = before.get(who)
            if part is None or not part.renew(state, now, news.get(who)):
                part = part_of(state, now)
                new.append(part)
                self._forget(before.get(who))
                self._note(part)
            self._parts[who] = part
        gone = before.keys() - self._parts.keys()
        for each in gone:
            self._forget(before[each])
        return new, bool(gone)

    def _renewed_layout(self, new: Sequence[Part], gone: bool) -> Layout:
        """Return the layout with the parts `new`, where `gone` also without some."""
        if new or gone:
            before, layout = self._layout, Layout(zones=_zones(self._parts, self._to))
            for (node, _), part in self._parts.items():
                layout.own.setdefault(node, []).append(part.cells)
                layout.services += part.services
                layout.resolvers += part.resolvers
            self._set_zones(new, before, layout)
            self._layout = layout
        return self._layout

    def _set_zones(self, new: Iterable[Part], before: Layout, layout: Layout) -> None:
        """Set the zones of the cells: of those of `new` parts, and of nodes whose zone is another than before."""
        zones = layout.zones
        for part in new:
            here = zones.get(part.state.node, "")
            for cell in part.cells:
                cell.source_zone, cell.target_zone = here, zones.get(cell.target, "")
        for node in {node for node, _ in zones.items() ^ before.zones.items()}:
            zone = zones.get(node, "")
            for cell in chain.from_iterable(layout.own.get(node, ())):
                cell.source_zone = zone
            for cell in chain.from_iterable(self._to.get(node, {}).values()):
                cell.target_zone = zone

    def _note(self, part: Part) -> None:
        """Add the paths of `part` to those of all probers."""
        node, network = part.state.node, part.state.network
        self._far.update(part.far)
        self._planes.update(part.planes)
        for target, cells in part.to.items():
            probers = self._to.setdefault(target, {})
            self._directed += not _from_node(probers, node)
            probers[node, network] = cells

    def _forget(self, part: Part | None) -> None:
        """Take the paths of `part` out of those of all probers."""
        if part is None:
            return
        node, network = part.state.node, part.state.network
        self._far.subtract(part.far)
        self._planes.subtract(part.planes)
        for target in part.to:
            probers = self._to[target]
            if probers.pop((node, network), None) is not None:
                self._directed -= not _from_node(probers, node)
            if not probers:
                del self._to[target]


def _from_node(probers: Mapping[Prober, list[Cell]], node: str) -> bool:
    """Return whether one of `probers` is on `node`."""
    return (node, POD) in probers or (node, HOST) in probers


def _zones(parts: Mapping[Prober, Part], to: Mapping[str, Iterable[Prober]]) -> dict[str, str]:
    """Return the zone of each node: of its own prober, or of one that probes it. `to`: the probers by target."""
    zones = {node: "" for node, _ in parts}
    zones.update((node, part.state.zone) for (node, _), part in parts.items() if part.state.zone)
    if any(part.zones for part in parts.values()):
        for target in (each for each in to if not zones.get(each)):
            told = (parts[each].zones.get(target) for each in to[target])
            zone = next(filter(None, told), None)
            if zone is not None:
                zones[target] = zone
    return zones


def _join(mesh: Mesh, part: Part) -> None:
    """Add the evidence of one prober to the mesh: there are thousands of them, and most have nothing to report."""
    state = part.state
    mesh.known += part.known
    mesh.past += part.past
    mesh.flaps += part.flaps
    mesh.trains += part.trains
    mesh.lossy += part.lossy
    mesh.sent += part.sent
    mesh.lost += part.lost
    if part.reports:
        mesh.failing += part.failing
        mesh.losing += part.losing
        mesh.unsteady += part.unsteady
        mesh.partial += part.partial
    if state.dns_pods:
        mesh.dns_pods.update(state.dns_pods)
    if part.others:
        mesh.others += part.others
    if part.hung:
        mesh.hung.add((state.node, state.network))
    if state.api == "unanswered":
        mesh.without_api.add(state.node)
    for left in state.left:
        mesh.left.setdefault(left.node, []).append(left.failing)


def _by_bit(of: Iterable[Mapping[str, Iterable[str]]]) -> dict[int, set[str]]:
    """Return the nodes of each echo service's pods, by bit."""
    found: dict[int, set[str]] = {}
    for echoes in of:
        for probe, nodes in echoes.items():
            if probe in BITS:
                found.setdefault(BITS[probe], set()).update(nodes)
    return found


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
