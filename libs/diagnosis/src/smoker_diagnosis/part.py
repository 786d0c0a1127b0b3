"""The evidence in the state of one prober: its cells, kept and renewed from look to look."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from smoker_diagnosis.evidence import BITS, HOST, POD, Cell, Now, Other, Prober
from smoker_diagnosis.news import News, news_of
from smoker_diagnosis.read import counts, read, read_look_ups
from smoker_diagnosis.state import PEER, RESOLVER, SERVICE, Api, PathState, State

ROUNDS = 3  # a result older than this many intervals is outdated
TIMEOUTS = 3  # probes of one round that may come before it
PROBERS = 16_384  # that are one object in all parts
UNANSWERED: Api = "unanswered"


@dataclass(slots=True)
class Sums:
    """What the paths between nodes of all probers add up to. Fields are as in `Mesh`."""

    known: int = 0
    past: int = 0
    flaps: int = 0
    trains: int = 0
    lossy: int = 0
    sent: int = 0
    lost: int = 0


@dataclass(slots=True)
class Part:
    """The evidence in one state, without the other states."""

    prober: Prober
    state: State
    now: Now
    lasts: float  # seconds after which a result is outdated
    sums: Sums  # of all parts
    of_path: list[Cell | None] = field(default_factory=list)  # the cell of each path of the state, in its order
    cells: list[Cell] = field(default_factory=list)
    services: list[Cell] = field(default_factory=list)
    resolvers: list[Cell] = field(default_factory=list)
    others: list[Other] = field(default_factory=list)
    other_places: list[int] = field(default_factory=list)  # of these, in the paths of the state
    zones: dict[str, str] = field(default_factory=dict)  # of the targets
    failing: list[Cell] = field(default_factory=list)
    losing: list[Cell] = field(default_factory=list)
    partial: list[Cell] = field(default_factory=list)  # on which some flows always fail
    unsteady: list[Cell] = field(default_factory=list)
    reports: bool = False  # whether it may have something to report, in these four lists or elsewhere
    planes: Counter[str] = field(default_factory=Counter)
    to: dict[str, list[Cell]] = field(default_factory=dict)  # by target
    far: tuple[Prober, ...] = ()  # the probers at the far ends
    until: float = math.inf  # no result becomes outdated before this instant,
    outdated: list[int] = field(default_factory=list)  # except those of these paths: they already are
    heard: dict[tuple[str, str, str], float] | None = None  # instants by node, plane and family; made when needed

    def renew(self, state: State, now: float, news: News | None = None) -> bool:
        """Update the part with a newer state of the same paths, at the instant `now` of its prober's clock.

        Only paths that do not go on as before are read again. `news`: those of `state`, if they are known; otherwise
        the states are compared here. Return False where the part cannot be renewed; it is then of no more use.
        """
        if now < self.now.instant:
            return False
        changed: set[Cell] | None = set()
        if state is not self.state:
            changed = self._changed(state, news)
            if changed is None:
                return False
            self.state, self.now.paths, self.heard = state, state.paths, None
            if self.other_places:
                self.others = [Other(state.node, state.paths[place]) for place in self.other_places]
            if state.left or state.moves or state.api == UNANSWERED:
                self.reports = True
        if now > self.until:
            self._note_ages()
            if now > self.until:
                return False
        self.now.instant = now
        if changed:
            self._read(changed)
        return True

    def _changed(self, state: State, news: News | None) -> set[Cell] | None:
        """Return the cells that must be read again; None if the paths of `state` are not the same as before."""
        if news is None or not news.leads(self.state, state):
            news = news_of(self.state, state)
        if news is None:
            return None
        before = self.state.paths
        for place in news.longer:
            cell, path = self.of_path[place], state.paths[place]
            if cell is not None:
                self._lengthen(cell, path, path.past - before[place].past)
        again = [place for place in self.outdated if before[place] != state.paths[place]]
        if not (news.changed or again):
            return set()
        # Paths of other roles have no cell: they are always read again.
        return {cell for place in (*news.changed, *again) if (cell := self.of_path[place]) is not None}

    def _lengthen(self, cell: Cell, path: PathState, more: int) -> None:
        """Add results to the history of `path`, which worked."""
        if path.role == RESOLVER:
            return
        cell.past += more
        train = more if path.sent else 0
        cell.trains += train
        if path.role == PEER:
            self.sums.past += 0 if cell.unsteady else more
            self.sums.trains += 0 if cell.local else train

    def _note_ages(self) -> None:
        """Note which results are outdated, and the instant at which the oldest of the others becomes outdated."""
        self.until, self.outdated = math.inf, []
        for place, (path, cell) in enumerate(zip(self.state.paths, self.of_path, strict=True)):
            end = path.at + self.lasts
            if end < self.until and cell is not None and counts(path):
                if end < self.now.instant:
                    self.outdated.append(place)
                else:
                    self.until = end
        self._note_reports()

    def _read(self, changed: Collection[Cell]) -> None:
        """Read the paths of `changed` again: often one of dozens, so the others are not counted again."""
        peers = [cell for cell in self.cells if cell in changed]
        again = [(cell, place) for place, cell in enumerate(self.of_path) if cell in changed and cell is not None]
        self._count(peers, -1)
        for cell in changed:
            cell.clear()
        for cell, place in again:
            self.add(cell, place)
        self._count(peers)
        self._list()
        paths = [self.state.paths[place] for _, place in again]
        ends = [path.at + self.lasts for path in paths if counts(path)]
        if self.outdated or not ends or min(ends) < self.now.instant:
            self._note_ages()
        else:  # this may be too early: at that instant the right one is looked for
            self.until = min(self.until, *ends)

    def add(self, cell: Cell, place: int) -> None:
        """Add the results of the path at `place` to its cell."""
        path = self.state.paths[place]
        (read_look_ups if path.role == RESOLVER else read)(cell, path, place, self.lasts, starved=self.state.starved)

    def count(self) -> None:
        """Sum up the cells of a new part."""
        self._count(self.cells)
        self._list()
        self._note_ages()

    def leave(self) -> None:
        """Take the cells of a part that is of no more use out of the sums."""
        self._count(self.cells, -1)

    def _count(self, cells: Iterable[Cell], times: int = 1) -> None:
        """Add the numbers of `cells`, or take them out with -1 for `times`."""
        known = past = flaps = trains = lossy = sent = lost = 0
        for cell in cells:  # thousands of probers have hundreds each: so there is one loop
            known += cell.known > 0
            if not cell.unsteady:
                past, flaps = past + cell.past, flaps + cell.flaps
            if cell.sent and cell.source != cell.target:
                trains, lossy = trains + cell.trains, lossy + cell.lossy
                sent, lost = sent + cell.sent, lost + cell.lost
        sums = self.sums
        sums.known += times * known
        sums.past += times * past
        sums.flaps += times * flaps
        sums.trains += times * trains
        sums.lossy += times * lossy
        sums.sent += times * sent
        sums.lost += times * lost

    def _list(self) -> None:
        """List the cells with something to report."""
        some = [each for each in self.cells if each.bad or each.lost or each.unsteady or each.flows is not None]
        self.failing = [cell for cell in some if cell.bad]
        self.losing = [cell for cell in some if cell.lost and cell.source != cell.target]
        self.unsteady = [cell for cell in (*some, *self.services) if cell.unsteady]
        self.partial = [cell for cell in some if cell.flows is not None]
        self._note_reports()

    def _note_reports(self) -> None:
        """Note whether the part has something to report. It may say so for longer than it has."""
        state = self.state
        some = self.failing or self.losing or self.unsteady or self.partial or self.others or state.left or state.moves
        self.reports = bool(some) or state.api == UNANSWERED or self.until == math.inf

    @property
    def hung(self) -> bool:
        """Whether the prober has not probed for so long that it must hang. A new one has no results yet."""
        if self.until != math.inf:  # some result counts
            return False
        newest = max([path.at for path in self.state.paths if path.last], default=math.inf)
        return self.now.instant - newest > self.lasts

    def age_of(self, cell: Cell) -> float | None:
        """Return the seconds since this prober's responder heard the source of `cell`; None: never."""
        if self.heard is None:
            self.heard = {(each.node, each.plane, each.family): each.at for each in self.state.heard}
        at = self.heard.get((cell.source, cell.plane, cell.family))
        return None if at is None else self.now.instant - at


def part_of(state: State, now: float, sums: Sums) -> Part:
    """Return the part of `state` at the instant `now` of its prober's clock, counted in `sums`."""
    lasts = ROUNDS * state.interval + TIMEOUTS * state.timeout
    part = Part((state.node, state.network), state, Now(now, state.paths, state.interval), lasts, sums)
    found: dict[tuple[str, str, str, str], Cell] = {}
    for place, path in enumerate(state.paths):
        cell = None
        if path.role not in (PEER, SERVICE, RESOLVER):
            part.others.append(Other(state.node, path))
            part.other_places.append(place)
        elif path.role == RESOLVER:
            cell = Cell(state.node, path.target, path.plane, path.family, part.now)
            part.resolvers.append(cell)
        elif path.probe in BITS:
            target = path.target if path.role == PEER else path.target.rpartition(":")[0].strip("[]") or path.target
            key = path.role, target, path.plane, path.family
            cell = found.get(key)
            if cell is None:
                cell = found[key] = Cell(state.node, target, path.plane, path.family, part.now)
                (part.cells if path.role == PEER else part.services).append(cell)
            if path.zone:
                part.zones[target] = path.zone
        part.of_path.append(cell)
        if cell is not None:
            part.add(cell, place)
    for each in part.cells:
        part.planes[each.plane] += 1
        part.to.setdefault(each.target, []).append(each)
    part.far = tuple({far_prober(each) for each in part.cells})
    part.count()
    return part


def far_prober(cell: Cell) -> Prober:
    """Return the prober at the target of `cell`."""
    return _prober(cell.target, HOST if cell.plane.endswith(HOST) else POD)


@lru_cache(maxsize=PROBERS)
def _prober(node: str, network: str) -> Prober:
    """Return one object for the same prober."""
    return node, network
