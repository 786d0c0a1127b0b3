"""From the states of all probers to evidence.

State ─▶ Part (the cells of one prober, kept while its state stays the same) ─▶ Mesh (all of them, by node)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from smoker_diagnosis.evidence import (
    BITS,
    DNS,
    HOST,
    LARGE,
    LOCAL_ERROR,
    MTU,
    POD,
    RESOLVE,
    UDP,
    Cell,
    Failure,
    Mesh,
    Prober,
)
from smoker_diagnosis.state import PEER, SERVICE, PathState, State

ROUNDS = 3  # intervals after which a result says nothing about now
TIMEOUTS = 3  # probes of one round that may come before it
SLACK = 1.0  # seconds between two documents that were fetched together
SHARE_OF_ROUND = 0.3  # the same where rounds are short


@dataclass(slots=True)
class Part:
    """What one state says, without the other states."""

    state: State
    late: float  # seconds since the state was made
    cells: list[Cell] = field(default_factory=list)
    services: list[Cell] = field(default_factory=list)
    others: list[tuple[str, PathState]] = field(default_factory=list)
    zones: dict[str, str] = field(default_factory=dict)  # of the targets
    failing: list[Cell] = field(default_factory=list)
    losing: list[Cell] = field(default_factory=list)
    planes: Counter[str] = field(default_factory=Counter)
    to: dict[str, list[Cell]] = field(default_factory=dict)  # by target
    far: set[Prober] = field(default_factory=set)  # the probers at the far ends
    known: int = 0
    sent: int = 0
    lost: int = 0
    hung: bool = False
    placed: bool = False  # whether its cells have their zones
    heard: dict[tuple[str, str, str], float] | None = None  # by node, plane and family: age; made when it is needed

    def age_of(self, cell: Cell) -> float | None:
        """Return the seconds since this prober's responder heard the source of `cell`; None: never."""
        if self.heard is None:
            at = self.state.at
            self.heard = {(each.node, each.plane, each.family): at - each.at for each in self.state.heard}
        return self.heard.get((cell.source, cell.plane, cell.family))


class Evidence:
    """Makes the mesh of each look. What is known of a prober is kept until its state is another object."""

    def __init__(self) -> None:
        self._parts: dict[Prober, Part] = {}
        self._zones: dict[str, str] = {}
        self._to: dict[str, dict[Prober, list[Cell]]] = {}  # by target and prober
        self._far: Counter[Prober] = Counter()  # how many probers probe each

    def mesh(self, states: Iterable[State], waited: Mapping[Prober, float] | None = None) -> Mesh:
        """Return the evidence in `states`.

        `waited`: by node and network, seconds since that state was made, where it was not fetched just now.
        """
        before, self._parts = self._parts, {}
        for state in states:
            who = state.node, state.network
            late = (waited or {}).get(who, 0.0)
            part = before.get(who)
            if part is None or part.state is not state or part.late != late:
                part = part_of(state, late)
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
        for cell in mesh.failing:
            _hear(cell, self._parts)
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
        """Give every cell the zones of its ends, where they are new."""
        changed, self._zones = mesh.zones != self._zones, mesh.zones
        for part in self._parts.values():
            if changed or not part.placed:
                part.placed = True
                here = mesh.zones.get(part.state.node, "")
                for cell in part.cells:
                    cell.source_zone, cell.target_zone = here, mesh.zones.get(cell.target, "")


def part_of(state: State, late: float) -> Part:
    """Return what `state` says."""
    part = Part(state, late)
    lasts = ROUNDS * state.interval + TIMEOUTS * state.timeout
    found: dict[tuple[str, str, str, str], Cell] = {}
    for path in state.paths:
        if path.role not in (PEER, SERVICE):
            part.others.append((state.node, path))
        elif path.probe in BITS:
            target = path.target if path.role == PEER else path.target.rpartition(":")[0].strip("[]") or path.target
            key = path.role, target, path.plane, path.family
            cell = found.get(key)
            if cell is None:
                cell = found[key] = Cell(state.node, target, path.plane, path.family)
                (part.cells if path.role == PEER else part.services).append(cell)
            _add(cell, path, state, late=late, lasts=lasts)
            if path.zone:
                part.zones[target] = path.zone
    part.hung = bool(state.paths) and min(state.at - path.at for path in state.paths) + late > lasts
    for cell in part.cells:
        _count(part, cell)
    return part


def _add(cell: Cell, path: PathState, state: State, *, late: float, lasts: float) -> None:
    """Add what `path` says to its cell. What is too old, local, or failed without CPU says nothing."""
    age = state.at - path.at + late
    if path.sent:
        cell.sent += path.sent
        cell.lost += path.lost
        cell.requests_lost += path.requests_lost
        cell.replies_lost += path.replies_lost
    if not path.last or path.last == LOCAL_ERROR or age > lasts:
        return
    if path.role == SERVICE:  # each attempt began with a look-up
        unresolved = path.failures.get(RESOLVE, 0)
        for bit, tries, misses in (
            (DNS, path.attempts, unresolved),
            (BITS[path.probe], path.attempts - unresolved, path.failed - unresolved),
        ):
            cell.tries[bit] = cell.tries.get(bit, 0) + tries
            cell.misses[bit] = cell.misses.get(bit, 0) + misses
    ok = path.last == "success"
    if state.starved and not ok:
        return
    bit = BITS[path.probe]
    if bit == UDP and path.lost and not state.starved:  # where trains lose packets, an unanswered PING is one more
        cell.sent += path.attempts
        cell.lost += path.failures.get("timeout", 0)
    if path.large and (ok or path.last == MTU):
        cell.mtu, cell.passes = path.mtu, path.passes
        tried = state.at + late - path.large_at if path.large_at else age  # not every round tries a large packet
        _set(cell, LARGE, path, max(tried, age), state.at + late, bad=path.large == "black_hole")
    if path.last == RESOLVE:  # the name was not found: nothing is known of what is behind it
        _set(cell, DNS, path, age, state.at + late, bad=True)
    else:  # a packet that is too large says nothing against the small ones, and they were answered
        _set(cell, bit, path, age, state.at + late, bad=not ok and path.last != MTU)


def _set(cell: Cell, bit: int, path: PathState, age: float, now: float, *, bad: bool) -> None:
    cell.known |= bit
    cell.ages[bit] = age
    if bad:
        cell.bad |= bit
        before = cell.failed[bit].streak if bit in cell.failed else 0  # the look-ups of all probes count together
        cell.failed[bit] = Failure(path.last, max(now - path.since, age), max(path.streak, 1) + before)
        cell.offender = path.offender or cell.offender


def _count(part: Part, cell: Cell) -> None:
    part.planes[cell.plane] += 1
    part.to.setdefault(cell.target, []).append(cell)
    part.far.add(_far(cell))
    part.known += bool(cell.known)
    if cell.bad:
        part.failing.append(cell)
    if not cell.local:
        part.sent += cell.sent
        part.lost += cell.lost
        if cell.lost:
            part.losing.append(cell)


def _far(cell: Cell) -> Prober:
    return cell.target, HOST if cell.plane.endswith(HOST) else POD


def _join(mesh: Mesh, part: Part) -> None:
    """Add what one prober says to the mesh."""
    state = part.state
    mesh.count += len(part.cells)
    mesh.failing += part.failing
    mesh.losing += part.losing
    mesh.services += part.services
    mesh.others += part.others
    mesh.known += part.known
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


def _hear(cell: Cell, parts: Mapping[Prober, Part]) -> None:
    """Note whether the far end of `cell` heard its last UDP probe, where that was not answered."""
    cell.heard = None
    failure, far = cell.failed.get(UDP), parts.get(_far(cell))
    if failure is None or failure.outcome != "timeout" or far is None:
        return
    age = far.age_of(cell)
    if age is not None:  # one that was never heard may have its address translated on the way
        cell.heard = age + far.late <= cell.ages[UDP] + min(SLACK, SHARE_OF_ROUND * far.state.interval)
