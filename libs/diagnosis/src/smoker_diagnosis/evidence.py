"""From the states of all probers to evidence: one cell per path between two nodes, one per path to the echo services.

State ─▶ Cell (what works and what fails of one path, how old each result is) ─▶ Mesh (the cells, by node and zone)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from smoker_diagnosis.state import PEER, SERVICE, Heard, PathState, State

TCP, UDP, HTTP, LARGE, DNS = 1, 2, 4, 8, 16  # what is judged of a path, each a bit
BITS = {"tcp": TCP, "udp": UDP, "http": HTTP}
NAMES = {TCP: "tcp", UDP: "udp", HTTP: "http", LARGE: "large", DNS: "dns"}
ECHO = TCP | UDP | HTTP  # the probes that every echo answers

POD, HOST = "pod", "host"
CROSSING_OPTIONAL = "pod-host"  # pod to host: some CNIs carry it by the overlay, others do not
LOCAL_ERROR, MTU, RESOLVE = "local_error", "mtu", "resolve_error"
ROUNDS = 3  # intervals after which a result says nothing about now
SLACK = 1.0  # seconds between two documents that were fetched together


@dataclass(slots=True, eq=False)
class Cell:
    """One path from a node to a node (or to a Service) over one plane and address family. Ages are in seconds."""

    source: str
    target: str  # a node; for a Service: its host
    plane: str
    family: str
    source_zone: str = ""
    target_zone: str = ""
    known: int = 0  # bits with a result that counts
    bad: int = 0  # of these, the ones whose last result failed
    ages: dict[int, float] = field(default_factory=dict)  # by bit: since the last probe began
    since: dict[int, float] = field(default_factory=dict)  # by failing bit: since its first failure in a row began
    streaks: dict[int, int] = field(default_factory=dict)  # by failing bit: failures in a row
    outcomes: dict[int, str] = field(default_factory=dict)  # by failing bit
    attempts: dict[int, int] = field(default_factory=dict)  # by bit, over the last rounds
    failures: dict[int, int] = field(default_factory=dict)
    sent: int = 0  # packets of the trains
    lost: int = 0
    requests_lost: int = 0
    replies_lost: int = 0
    mtu: int = 0
    passes: int = 0
    offender: str = ""
    heard: bool | None = None  # whether the far end heard the last failed UDP probe; None: not known

    @property
    def local(self) -> bool:
        """Whether both ends are on one node."""
        return self.source == self.target

    @property
    def dead(self) -> bool:
        """Whether every probe fails."""
        return bool(self.bad & ECHO) and not (self.known & ECHO) & ~self.bad

    def failing(self, bits: int) -> Iterator[int]:
        """Yield those of `bits` that fail."""
        bad = self.bad & bits
        while bad:
            bit = bad & -bad
            yield bit
            bad ^= bit


@dataclass(slots=True)
class Mesh:
    """All evidence of one look."""

    cells: list[Cell] = field(default_factory=list)  # between nodes
    services: list[Cell] = field(default_factory=list)  # to the echo services; `target` is their host
    others: list[tuple[str, PathState]] = field(default_factory=list)  # source and path of every other role
    zones: dict[str, str] = field(default_factory=dict)  # of nodes
    by_source: dict[str, list[Cell]] = field(default_factory=dict)
    by_target: dict[str, list[Cell]] = field(default_factory=dict)
    answering: set[str] = field(default_factory=set)  # nodes with a prober whose state is here
    silent: set[tuple[str, str]] = field(default_factory=set)  # node and network of probers that others probe
    hung: set[tuple[str, str]] = field(default_factory=set)  # whose state is here and is old
    left: dict[str, list[bool]] = field(default_factory=dict)  # by node that is not ready: whether it failed before
    echoes: dict[int, set[str]] = field(default_factory=dict)  # by bit: nodes of the echo's pods, where known
    without_api: set[str] = field(default_factory=set)  # nodes on which the API server does not answer
    interval: float = 30.0

    @property
    def nodes(self) -> set[str]:
        """Every node that the evidence mentions."""
        return self.answering | self.by_source.keys() | self.by_target.keys() | self.left.keys()

    @property
    def planes(self) -> set[str]:
        """The planes between nodes."""
        return {cell.plane for cell in self.cells}


def mesh_of(states: Iterable[State], waited: Mapping[tuple[str, str], float] | None = None) -> Mesh:
    """Return the evidence in `states`.

    `waited`: by node and network, seconds since that state was made, where it was not fetched just now.
    """
    mesh, listed, hears = Mesh(), list(states), {}
    for state in listed:
        mesh.zones[state.node] = state.zone or mesh.zones.get(state.node, "")
        mesh.answering.add(state.node)
        hears[state.node, state.network] = _heard(state)
    mesh.interval = max((state.interval for state in listed), default=30.0)
    found: dict[tuple[str, str, str, str, str], Cell] = {}
    for state in listed:
        who = state.node, state.network
        late = (waited or {}).get(who, 0.0)
        lasts = ROUNDS * state.interval + 3 * state.timeout
        if state.paths and min(state.at - path.at + late for path in state.paths) > lasts:
            mesh.hung.add(who)
        for node, failing in ((left.node, left.failing) for left in state.left):
            mesh.left.setdefault(node, []).append(failing)
        for probe, nodes in state.echoes.items():
            if probe in BITS:
                mesh.echoes.setdefault(BITS[probe], set()).update(nodes)
        if state.api == "unanswered":
            mesh.without_api.add(state.node)
        for path in state.paths:
            if path.role not in (PEER, SERVICE):
                mesh.others.append((state.node, path))
            elif path.probe in BITS:
                host = path.target if path.role == PEER else _host(path.target)
                key = (path.role, state.node, host, path.plane, path.family)
                cell = found.get(key)
                if cell is None:
                    cell = found[key] = Cell(state.node, host, path.plane, path.family)
                _add(
                    cell, path, age=state.at - path.at + late, lead=state.at + late, lasts=lasts, starved=state.starved
                )
                if path.zone:
                    mesh.zones.setdefault(path.target, path.zone)
    for (role, *_), cell in found.items():
        if role == PEER:
            _place(mesh, cell, hears)
        else:
            mesh.services.append(cell)
    return mesh


def _place(mesh: Mesh, cell: Cell, hears: Mapping[tuple[str, str], Mapping[tuple[str, str, str], float]]) -> None:
    cell.source_zone, cell.target_zone = mesh.zones.get(cell.source, ""), mesh.zones.get(cell.target, "")
    mesh.cells.append(cell)
    mesh.by_source.setdefault(cell.source, []).append(cell)
    mesh.by_target.setdefault(cell.target, []).append(cell)
    far = cell.target, HOST if cell.plane.endswith(HOST) else POD
    heard = hears.get(far)
    if heard is None:
        mesh.silent.add(far)
    elif cell.outcomes.get(UDP) == "timeout":
        last = heard.get((cell.source, cell.plane, cell.family))
        if last is not None:  # one that was never heard may have its address translated on the way
            cell.heard = last <= cell.ages[UDP] + min(SLACK, 0.3 * mesh.interval)


def _heard(state: State) -> dict[tuple[str, str, str], float]:
    """By node, plane and family, the age of what the responder of `state` heard last."""

    def age(heard: Heard) -> float:
        return state.at - heard.at

    return {(heard.node, heard.plane, heard.family): age(heard) for heard in state.heard}


def _add(cell: Cell, path: PathState, *, age: float, lead: float, lasts: float, starved: bool) -> None:
    """Add what `path` says to its cell. What is too old, local, or failed without CPU says nothing."""
    cell.sent += path.sent
    cell.lost += path.lost
    cell.requests_lost += path.requests_lost
    cell.replies_lost += path.replies_lost
    if not path.last or path.last == LOCAL_ERROR or age > lasts:
        return
    if path.role == SERVICE:  # each attempt began with a look-up
        cell.attempts[DNS] = cell.attempts.get(DNS, 0) + path.attempts
        cell.failures[DNS] = cell.failures.get(DNS, 0) + path.failures.get(RESOLVE, 0)
    ok = path.last == "success"
    if starved and not ok:
        return
    bit = BITS[path.probe]
    if path.large and (ok or path.last == MTU):
        tried = lead - path.large_at if path.large_at else age
        _set(cell, LARGE, bad=path.large == "black_hole", age=max(tried, age), path=path, lead=lead)
        cell.mtu, cell.passes = path.mtu, path.passes
    # A packet that is too large says nothing against the small ones, and they were answered.
    _set(cell, bit, bad=not ok and path.last != MTU, age=age, path=path, lead=lead)


def _set(cell: Cell, bit: int, *, bad: bool, age: float, path: PathState, lead: float) -> None:
    cell.known |= bit
    cell.ages[bit] = age
    cell.attempts[bit] = path.attempts
    cell.failures[bit] = path.failed
    if bad:
        cell.bad |= bit
        cell.since[bit] = max(lead - path.since, age)
        cell.streaks[bit] = max(path.streak, 1)
        cell.outcomes[bit] = path.last
        cell.offender = path.offender or cell.offender
        if path.last == RESOLVE:  # the name was not found: nothing is known of what is behind it
            cell.known |= DNS
            cell.bad = (cell.bad | DNS) & ~bit
            cell.known &= ~bit
            cell.ages[DNS], cell.since[DNS] = age, cell.since.pop(bit)
            cell.streaks[DNS] = cell.streaks.pop(bit) + cell.streaks.get(DNS, 0)  # of all probes together
            cell.outcomes[DNS] = cell.outcomes.pop(bit)


def _host(authority: str) -> str:
    return authority.rpartition(":")[0].strip("[]") or authority


def is_name(host: str) -> bool:
    """Whether `host` has to be looked up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def planes_of(cells: Collection[Cell]) -> dict[str, int]:
    """Return how many of `cells` each plane has."""
    counts: dict[str, int] = {}
    for cell in cells:
        counts[cell.plane] = counts.get(cell.plane, 0) + 1
    return counts
