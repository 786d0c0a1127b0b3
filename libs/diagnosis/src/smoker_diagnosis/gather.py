"""Collect the evidence in the states of all probers.

State ─▶ Part (the cells of one prober, renewed from look to look) ─▶ Mesh (all of them, by node)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from smoker_diagnosis.evidence import BITS, HOST, POD, TCP, UDP, Cell, Mesh, Prober
from smoker_diagnosis.moved import Moves, stays
from smoker_diagnosis.news import News
from smoker_diagnosis.part import UNANSWERED, Part, far_prober, part_of
from smoker_diagnosis.state import State
from smoker_diagnosis.sums import Sums
from smoker_diagnosis.zones import Zones

SLACK = 1.0  # seconds between two documents that were fetched together
SHARE_OF_ROUND = 0.3  # the same where rounds are short
MOST_OF = 0.8  # a prober hangs if this share of the paths to it connect without an answer


@dataclass(slots=True)
class Layout:
    """The part of the evidence that stays the same while the probers probe the same paths. Fields are as in `Mesh`."""

    own: dict[Prober, list[Cell]] = field(default_factory=dict)
    services: list[Cell] = field(default_factory=list)
    resolvers: list[Cell] = field(default_factory=list)
    answering: set[str] = field(default_factory=set)
    nodes: set[str] = field(default_factory=set)
    silent: dict[Prober, float] = field(default_factory=dict)


class Evidence:
    """Builds the mesh of each look. The part of each prober is kept, and renewed when its state has changed."""

    def __init__(self) -> None:
        self._parts: dict[Prober, Part] = {}
        self._sums = Sums()
        self._layout = Layout()
        self._to: dict[str, dict[Prober, list[Cell]]] = {}  # by target and prober
        self._zones = Zones(self._parts, self._to)
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
        new, gone = self._renew(states, waited or {}, news or {})
        if new or gone:
            self._zones.renew(new, gone)
            self._layout = self._laid_out()
        layout, sums = self._layout, self._sums
        mesh = Mesh(
            own=layout.own,
            to=self._to,
            count=self._planes.total(),
            directed=self._directed,
            planes=self._planes,
            services=layout.services,
            resolvers=layout.resolvers,
            zones=self._zones.of,
            answering=layout.answering,
            silent=layout.silent,
            known=sums.known,
            past=sums.past,
            flaps=sums.flaps,
            trains=sums.trains,
            lossy=sums.lossy,
            sent=sums.sent,
            lost=sums.lost,
        )
        moving = _join(mesh, self._parts.values())
        mesh.nodes = layout.nodes | mesh.left.keys() if mesh.left else layout.nodes
        _separate_mute_probers(mesh)
        self._moves.look(mesh.echoes, mesh.services, self._parts, moving, leaves)
        mesh.moves, mesh.evicted = self._moves.of, self._moves.evicted
        for cell in mesh.failing:
            _note_arrival(cell, self._parts)
        return mesh

    def _renew(
        self, states: Iterable[State], waited: Mapping[Prober, float], news: Mapping[Prober, News]
    ) -> tuple[list[Part], list[Part]]:
        """Renew the parts, in the order of `states`. Return those that are new, and those that are no longer there."""
        before = dict(self._parts)
        self._parts.clear()
        new: list[Part] = []
        gone: list[Part] = []
        for state in states:
            who = state.node, state.network
            now = state.at + waited.get(who, 0.0)
            part = before.pop(who, None)
            if part is None or not part.renew(state, now, news.get(who)):
                gone += [each for each in (part, self._parts.get(who)) if each is not None]
                self._forget(part)
                self._forget(self._parts.get(who))  # if two states are of one prober
                part = part_of(state, now, self._sums)
                new.append(part)
                self._note(part)
            self._parts[part.prober] = part
        for each in before.values():
            self._forget(each)
        return new, [*gone, *before.values()]

    def _laid_out(self) -> Layout:
        """Return the layout with the parts of now."""
        parts = self._parts
        answering = {node for node, _ in parts}
        return Layout(
            own={who: part.cells for who, part in parts.items()},
            services=list(chain.from_iterable(part.services for part in parts.values())),
            resolvers=list(chain.from_iterable(part.resolvers for part in parts.values())),
            answering=answering,
            nodes=answering | self._to.keys(),
            silent={each: math.inf for each, probers in self._far.items() if probers and each not in parts},
        )

    def _note(self, part: Part) -> None:
        """Add the paths of `part` to those of all probers."""
        node, network = part.prober
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
        part.leave()
        node, network = part.prober
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


def _join(mesh: Mesh, parts: Iterable[Part]) -> list[Part]:
    """Add what the probers report to the mesh. Return the parts of those that saw pods of an echo move.

    There are thousands of them: most have nothing to report, and know the same pods.
    """
    moving: list[Part] = []
    echoes: list[Mapping[str, Iterable[str]]] = [{}]
    dns_pods: Mapping[str, str] = {}
    for part in parts:
        state = part.state
        if state.echoes is not echoes[-1]:
            echoes.append(state.echoes)
        if state.dns_pods is not dns_pods:
            dns_pods = state.dns_pods
            mesh.dns_pods.update(dns_pods)
        if not part.reports:
            continue
        mesh.failing += part.failing
        mesh.losing += part.losing
        mesh.unsteady += part.unsteady
        mesh.partial += part.partial
        mesh.others += part.others
        if part.hung:
            mesh.hung.add(part.prober)
        if state.api == UNANSWERED:
            mesh.without_api.add(state.node)
        for left in state.left:
            mesh.left.setdefault(left.node, []).append(left.failing)
        if state.moves:
            moving.append(part)
    mesh.echoes = _by_bit(echoes)
    return moving


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
