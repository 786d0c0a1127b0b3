"""Collect the evidence in the states of all probers.

State ─▶ Part (the cells of one prober, renewed from look to look) ─▶ Mesh (all of them, by node)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from smoker_diagnosis.evidence import BITS, TCP, UDP, Cell, Mesh, Prober
from smoker_diagnosis.layout import Layout
from smoker_diagnosis.moved import Moves, stays
from smoker_diagnosis.news import News
from smoker_diagnosis.part import UNANSWERED, Part, far_prober, part_of
from smoker_diagnosis.state import State
from smoker_diagnosis.sums import Sums

SLACK = 1.0  # seconds between two documents that were fetched together
SHARE_OF_ROUND = 0.3  # the same where rounds are short
MOST_OF = 0.8  # a prober hangs if this share of the paths to it connect without an answer


class Evidence:
    """Builds the mesh of each look. The part of each prober is kept, and renewed when its state has changed."""

    def __init__(self) -> None:
        self._parts: dict[Prober, Part] = {}
        self._sums = Sums()
        self._layout = Layout(self._parts)
        self._moves = Moves()

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
        reporting = self._renew(states, waited or {}, news or {})
        layout, sums = self._layout, self._sums
        mesh = Mesh(
            own=self._parts,
            to=layout.to,
            count=layout.planes.total(),
            directed=layout.directed,
            planes=layout.planes,
            services=layout.services,
            resolvers=layout.resolvers,
            zones=layout.zones,
            answering=layout.answering,
            nodes=layout.nodes,
            silent=layout.silent,
            known=sums.known,
            past=sums.past,
            flaps=sums.flaps,
            trains=sums.trains,
            lossy=sums.lossy,
            sent=sums.sent,
            lost=sums.lost,
        )
        _note_pods(mesh, self._parts.values())
        for part in reporting:
            _join(mesh, part)
        if mesh.left:
            mesh.nodes = layout.nodes | mesh.left.keys()
        _separate_mute_probers(mesh)
        moving = [part for part in reporting if part.state.moves]
        self._moves.look(mesh.echoes, mesh.services, self._parts, moving, leaves)
        mesh.moves, mesh.evicted = self._moves.of, self._moves.evicted
        for cell in mesh.failing:
            _note_arrival(cell, self._parts)
        return mesh

    def _renew(
        self, states: Iterable[State], waited: Mapping[Prober, float], news: Mapping[Prober, News]
    ) -> list[Part]:
        """Renew the parts, in the order of `states`. Return those that may have something to report."""
        before = dict(self._parts)
        self._parts.clear()
        new, gone, reporting = list[Part](), list[Part](), list[Part]()
        for state in states:
            who = state.node, state.network
            now = state.at + waited.get(who, 0.0)
            part = before.pop(who, None)
            if part is None or not part.renew(state, now, news.get(who)):
                twin = self._parts.get(who)  # where two states are of one prober, the later one counts
                for each in (part, twin):
                    if each is not None:
                        gone.append(each)
                        self._forget(each)
                part = part_of(state, now, self._sums)
                new.append(part)
                self._layout.add(part)
            self._parts[part.prober] = part
            if part.reports:
                reporting.append(part)
        for each in before.values():
            gone.append(each)
            self._forget(each)
        self._layout.settle(new, gone)
        return reporting

    def _forget(self, part: Part) -> None:
        """Take the paths of a part that is of no more use out of those of all probers."""
        part.leave()
        self._layout.remove(part)


def _note_pods(mesh: Mesh, parts: Iterable[Part]) -> None:
    """Add the pods of the echo services and of the DNS to the mesh. Most probers know the same ones."""
    echoes: list[Mapping[str, Iterable[str]]] = [{}]
    dns_pods: Mapping[str, str] = {}
    for part in parts:
        state = part.state
        if state.echoes is not echoes[-1]:
            echoes.append(state.echoes)
        if state.dns_pods is not dns_pods:
            dns_pods = state.dns_pods
            mesh.dns_pods.update(dns_pods)
    mesh.echoes = _by_bit(echoes)


def _join(mesh: Mesh, part: Part) -> None:
    """Add what one prober reports to the mesh."""
    state = part.state
    mesh.failing += part.failing
    mesh.losing += part.losing
    mesh.unsteady += part.unsteady
    mesh.partial += part.partial
    mesh.troubled += part.troubled
    mesh.others += part.others
    if part.hung:
        mesh.hung.add(part.prober)
    if state.api == UNANSWERED:
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
