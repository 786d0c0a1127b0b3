"""The evidence in the state of one prober: its cells, kept and renewed from look to look."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
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
    Now,
    Other,
    Prober,
)
from smoker_diagnosis.state import PEER, RESOLVER, SERVICE, PathState, State

ROUNDS = 3  # a result older than this many intervals is outdated
TIMEOUTS = 3  # probes of one round that may come before it
FLAPS = 4  # short streaks of failures in its history from which a path is unsteady,
OFTEN = 0.1  # if they are this share of its results


@dataclass(slots=True)
class Part:
    """The evidence in one state, without the other states."""

    state: State
    now: Now
    lasts: float  # seconds after which a result is outdated
    of_path: list[Cell | None] = field(default_factory=list)  # the cell of each path of the state, in its order
    cells: list[Cell] = field(default_factory=list)
    services: list[Cell] = field(default_factory=list)
    resolvers: list[Cell] = field(default_factory=list)
    others: list[Other] = field(default_factory=list)
    other_places: list[int] = field(default_factory=list)  # of these, in the paths of the state
    zones: dict[str, str] = field(default_factory=dict)  # of the targets
    failing: list[Cell] = field(default_factory=list)
    losing: list[Cell] = field(default_factory=list)
    planes: Counter[str] = field(default_factory=Counter)
    to: dict[str, list[Cell]] = field(default_factory=dict)  # by target
    far: set[Prober] = field(default_factory=set)  # the probers at the far ends
    known: int = 0
    unsteady: list[Cell] = field(default_factory=list)
    past: int = 0
    flaps: int = 0
    trains: int = 0
    lossy: int = 0
    sent: int = 0
    lost: int = 0
    newest: float = -math.inf  # instant at which its last probe began
    until: float = math.inf  # instant at which the oldest of its results becomes outdated
    placed: bool = False  # whether its cells have their zones
    heard: dict[tuple[str, str, str], float] | None = None  # instants by node, plane and family; made when needed

    def renew(self, state: State, now: float) -> bool:
        """Update the part with a newer state of the same paths, at the instant `now` of its prober's clock.

        Only changed paths are read again: from look to look these are a few of each prober. Return False, and leave
        the part as it was, where it cannot be renewed.
        """
        if not self.now.instant <= now <= self.until:
            return False
        if state is not self.state:
            changed = self._changed(state)
            if changed is None:
                return False
            self.state, self.now.instant, self.heard = state, now, None
            self._read(changed)
            self.others = [Other(state.node, state.paths[place]) for place in self.other_places]
        self.now.instant = now
        return True

    def _changed(self, state: State) -> set[Cell] | None:
        """Return the cells that `state` changes; None if its paths are not the same as before."""
        before = self.state
        if len(state.paths) != len(before.paths) or _terms(state) != _terms(before):
            return None
        changed: set[Cell] = set()
        for old, new, cell in zip(before.paths, state.paths, self.of_path, strict=True):
            if old is not new and old != new:
                if _place(old) != _place(new):
                    return None
                if cell is not None:  # paths of other roles have no cell: they are always read again
                    changed.add(cell)
        return changed

    def _read(self, changed: Collection[Cell]) -> None:
        """Read the paths of `changed` again."""
        for cell in changed:
            cell.clear()
        for path, each in zip(self.state.paths, self.of_path, strict=True):
            if each in changed and each is not None:
                (_add_look_ups if path.role == RESOLVER else _add)(each, path, self)
        self.count()

    def count(self) -> None:
        """Sum up the cells."""
        self.newest = max([path.at for path in self.state.paths], default=-math.inf)
        oldest = min([cell.oldest for cell in (*self.services, *self.resolvers)], default=math.inf)
        self.failing, self.losing, self.unsteady = [], [], []
        known = past = flaps = trains = lossy = sent = lost = 0
        for cell in self.cells:  # thousands of probers have hundreds each: so there is one loop
            oldest = min(oldest, cell.oldest)
            known += cell.known > 0
            if cell.bad:
                self.failing.append(cell)
            if cell.unsteady:
                self.unsteady.append(cell)
            else:
                past, flaps = past + cell.past, flaps + cell.flaps
            if cell.sent and cell.source != cell.target:
                trains, lossy = trains + cell.trains, lossy + cell.lossy
                sent, lost = sent + cell.sent, lost + cell.lost
                if cell.lost:
                    self.losing.append(cell)
        self.until = oldest + self.lasts
        self.known, self.past, self.flaps = known, past, flaps
        self.trains, self.lossy, self.sent, self.lost = trains, lossy, sent, lost

    @property
    def hung(self) -> bool:
        """Whether the prober has not probed for so long that it must hang."""
        return bool(self.state.paths) and self.now.instant - self.newest > self.lasts

    def age_of(self, cell: Cell) -> float | None:
        """Return the seconds since this prober's responder heard the source of `cell`; None: never."""
        if self.heard is None:
            self.heard = {(each.node, each.plane, each.family): each.at for each in self.state.heard}
        at = self.heard.get((cell.source, cell.plane, cell.family))
        return None if at is None else self.now.instant - at


def part_of(state: State, now: float) -> Part:
    """Return the part of `state` at the instant `now` of its prober's clock."""
    part = Part(state, Now(now), ROUNDS * state.interval + TIMEOUTS * state.timeout)
    found: dict[tuple[str, str, str, str], Cell] = {}
    for place, path in enumerate(state.paths):
        cell = None
        if path.role not in (PEER, SERVICE, RESOLVER):
            part.others.append(Other(state.node, path))
            part.other_places.append(place)
        elif path.role == RESOLVER:
            cell = Cell(state.node, path.target, path.plane, path.family, part.now)
            part.resolvers.append(cell)
            _add_look_ups(cell, path, part)
        elif path.probe in BITS:
            target = path.target if path.role == PEER else path.target.rpartition(":")[0].strip("[]") or path.target
            key = path.role, target, path.plane, path.family
            cell = found.get(key)
            if cell is None:
                cell = found[key] = Cell(state.node, target, path.plane, path.family, part.now)
                (part.cells if path.role == PEER else part.services).append(cell)
            _add(cell, path, part)
            if path.zone:
                part.zones[target] = path.zone
        part.of_path.append(cell)
    for each in part.cells:
        part.planes[each.plane] += 1
        part.to.setdefault(each.target, []).append(each)
        part.far.add(far_prober(each))
    part.count()
    return part


def _add(cell: Cell, path: PathState, part: Part) -> None:
    """Add the results of `path` to its cell, except outdated and local ones, and failures for lack of CPU."""
    if path.sent:
        cell.trains += path.past
        cell.lossy += path.lossy
        cell.sent += path.sent
        cell.lost += path.lost
        cell.requests_lost += path.requests_lost
        cell.replies_lost += path.replies_lost
    if not path.last or path.last == LOCAL_ERROR or part.now.instant > path.at + part.lasts:
        return
    cell.past, cell.flaps = cell.past + path.past, cell.flaps + path.flaps
    if path.role == SERVICE:
        _count_attempts(cell, path)
    if path.flaps >= FLAPS and path.flaps >= OFTEN * path.past:
        cell.unsteady |= BITS[path.probe]
        return
    cell.oldest = min(cell.oldest, path.at)
    ok, starved = path.last == "success", part.state.starved
    if starved and not ok:
        return
    bit = BITS[path.probe]
    if bit == UDP and path.lost and not starved:  # where trains lose packets, an unanswered PING is one more
        cell.sent += path.attempts
        cell.lost += path.failures.get("timeout", 0)
    if path.large and (ok or path.last == MTU):
        cell.mtu, cell.passes = path.mtu, path.passes
        tried = min(path.large_at, path.at) if path.large_at else path.at  # not every round tries a large packet
        _set(cell, LARGE, path, tried, bad=path.large == "black_hole")
    if path.last == RESOLVE:  # the name was not found, so nothing is known about its target
        _set(cell, DNS, path, path.at, bad=True)
    else:  # the large packet was lost; the small ones were answered
        _set(cell, bit, path, path.at, bad=not ok and path.last != MTU)


def _add_look_ups(cell: Cell, path: PathState, part: Part) -> None:
    """Add the results of a path to a DNS server to its cell, within the same bounds."""
    if not path.last or path.last == LOCAL_ERROR or part.now.instant > path.at + part.lasts:
        return
    cell.oldest = min(cell.oldest, path.at)
    cell.tries, cell.misses, cell.partly = {DNS: path.attempts}, {DNS: path.failed}, path.partly
    ok = path.last == "success"
    if ok or not part.state.starved:
        _set(cell, DNS, path, path.at, bad=not ok)


def _count_attempts(cell: Cell, path: PathState) -> None:
    """Count the attempts of the last rounds at a Service. Each began with a look-up of its name."""
    unresolved = path.failures.get(RESOLVE, 0)
    for bit, tries, misses in (
        (DNS, path.attempts, unresolved),
        (BITS[path.probe], path.attempts - unresolved, path.failed - unresolved),
    ):
        cell.tries = {**cell.tries, bit: cell.tries.get(bit, 0) + tries}
        cell.misses = {**cell.misses, bit: cell.misses.get(bit, 0) + misses}


def _set(cell: Cell, bit: int, path: PathState, at: float, *, bad: bool) -> None:
    cell.known |= bit
    cell.at[bit] = at
    if bad:
        cell.bad |= bit
        before = cell.failed[bit].streak if bit in cell.failed else 0  # the look-ups of all probes count together
        failure = Failure(path.last, min(path.since, at), max(path.streak, 1) + before)
        cell.failed = {**cell.failed, bit: failure}
        cell.offender = path.offender or cell.offender
        cell.connected |= bit if path.connected else 0


def far_prober(cell: Cell) -> Prober:
    return cell.target, HOST if cell.plane.endswith(HOST) else POD


def _terms(state: State) -> tuple[float, float, bool]:
    return state.interval, state.timeout, state.starved


def _place(path: PathState) -> tuple[str, ...]:
    return path.role, path.target, path.plane, path.family, path.probe, path.zone
