"""The evidence in the state of one prober: its cells, kept and renewed from look to look."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from smoker_diagnosis.evidence import BITS, HOST, POD, Cell, Now, Other, Prober
from smoker_diagnosis.news import News, news_of
from smoker_diagnosis.read import counts, read, read_look_ups
from smoker_diagnosis.shape import EMPTY, NONE, Shape, shape_of
from smoker_diagnosis.state import PEER, RESOLVER, SERVICE, Api, PathState, State
from smoker_diagnosis.sums import Sums

ROUNDS = 3  # a result older than this many intervals is outdated
TIMEOUTS = 3  # probes of one round that may come before it
PROBERS = 16_384  # that are one object in all parts
UNANSWERED: Api = "unanswered"


@dataclass(slots=True)
class Part:
    """The evidence in one state, without the other states."""

    prober: Prober
    state: State
    now: Now
    lasts: float  # seconds after which a result is outdated
    sums: Sums  # of all parts
    shape: Shape = EMPTY  # of the state
    every: list[Cell] = field(default_factory=list)  # by number in the shape. They are these:
    cells: list[Cell] = field(default_factory=list)  # between nodes
    services: list[Cell] = field(default_factory=list)
    resolvers: list[Cell] = field(default_factory=list)
    noted: tuple[int, ...] = ()  # the numbers of those of `cells` with something to report, in order
    others: list[Other] = field(default_factory=list)
    other_places: list[int] = field(default_factory=list)  # of these, in the paths of the state
    zones: dict[str, str] = field(default_factory=dict)  # of the targets
    failing: list[Cell] = field(default_factory=list)
    losing: list[Cell] = field(default_factory=list)
    partial: list[Cell] = field(default_factory=list)  # on which some flows always fail
    unsteady: list[Cell] = field(default_factory=list)
    troubled: list[Cell] = field(default_factory=list)  # of `services`, the ones that fail, or whose kept flow does
    reports: bool = False  # whether it may have something to report, in these lists or elsewhere
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
        changed: Collection[int] | None = ()
        if state is not self.state:
            changed = self._changed(state, news)
            if changed is None:
                return False
            self.state, self.now.paths, self.heard = state, state.paths, None
            self.now.replaced = _replaced(state)
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
            self._read(sorted(changed))
        return True

    def _changed(self, state: State, news: News | None) -> Collection[int] | None:
        """Return the numbers of the cells to read again; None if the paths of `state` are not the same as before."""
        if news is None or not news.leads(self.state, state):
            news = news_of(self.state, state)
        if news is None:
            return None
        before, cell_of = self.state.paths, self.shape.cell_of
        for place in news.longer:
            number, path = cell_of[place], state.paths[place]
            if number != NONE:
                self._lengthen(self.every[number], path, path.past - before[place].past)
        if not (news.changed or self.outdated):
            return ()
        again = [place for place in self.outdated if before[place] != state.paths[place]]
        # Paths of other roles have no cell: they are always read again.
        return {cell_of[place] for place in (*news.changed, *again)} - {NONE}

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
        for place, (path, number) in enumerate(zip(self.state.paths, self.shape.cell_of, strict=True)):
            end = path.at + self.lasts
            if end < self.until and number != NONE and counts(path):
                if end < self.now.instant:
                    self.outdated.append(place)
                else:
                    self.until = end
        self._note_reports()

    def _read(self, changed: Sequence[int]) -> None:
        """Read the paths of the cells `changed` again: often one of dozens, so no other is visited."""
        paths, places_of = self.state.paths, self.shape.places_of
        between = self._between(changed)
        cells = [self.every[number] for number in between]
        self.sums.add(cells, -1)
        oldest = math.inf
        for number in changed:
            cell = self.every[number]
            cell.clear()
            for place in places_of[number]:
                path = paths[place]
                self._add(cell, path, place)
                if path.at < oldest and counts(path):
                    oldest = path.at
        self.sums.add(cells)
        self._list(between)
        end = oldest + self.lasts
        if self.outdated or end == math.inf or end < self.now.instant:
            self._note_ages()
        else:  # this may be too early: at that instant the right one is looked for
            self.until = min(self.until, end)

    def _between(self, numbers: Iterable[int]) -> list[int]:
        """Return those of the cells with these `numbers` that are between nodes."""
        paths, places_of = self.state.paths, self.shape.places_of
        return [number for number in numbers if paths[places_of[number][0]].role == PEER]

    def _add(self, cell: Cell, path: PathState, place: int) -> None:
        """Add the results of `path`, the one at `place`, to its cell."""
        (read_look_ups if path.role == RESOLVER else read)(cell, path, place, self.lasts, starved=self.state.starved)

    def add(self, target: str, path: PathState, to: list[Cell]) -> int:
        """Add a cell for `path`, one of those in `to`. Return its number."""
        cell = Cell(self.state.node, target, path.plane, path.family, self.now)
        self.every.append(cell)
        to.append(cell)
        return len(self.every) - 1

    def read(self) -> None:
        """Read all paths of a new part."""
        for place, (path, number) in enumerate(zip(self.state.paths, self.shape.cell_of, strict=True)):
            if number != NONE:
                self._add(self.every[number], path, place)
        self.sums.add(self.cells)
        self._list(self._between(range(len(self.every))))
        self._note_ages()

    def leave(self) -> None:
        """Take the cells of a part that is of no more use out of the sums."""
        self.sums.add(self.cells, -1)

    def _list(self, changed: Iterable[int]) -> None:
        """List the cells with something to report, after those between nodes with the numbers `changed` were read."""
        some = {
            number: cell
            for number in sorted({*self.noted, *changed})
            if (cell := self.every[number]).bad or cell.lost or cell.unsteady or cell.flows is not None
        }
        self.noted, cells = tuple(some), some.values()
        self.failing = [cell for cell in cells if cell.bad]
        self.losing = [cell for cell in cells if cell.lost and cell.source != cell.target]
        self.partial = [cell for cell in cells if cell.flows is not None]
        self.unsteady = [cell for cell in (*cells, *self.services) if cell.unsteady]
        self.troubled = [cell for cell in self.services if cell.bad or cell.kept is not None]
        self._note_reports()

    def _note_reports(self) -> None:
        """Note whether the part has something to report. It may say so for longer than it has."""
        state = self.state
        some = self.failing or self.losing or self.unsteady or self.partial or self.troubled or self.others
        self.reports = bool(some or state.left or state.moves) or state.api == UNANSWERED or self.until == math.inf

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


def _replaced(state: State) -> float:
    return state.replaced.get("udp", -math.inf)


def part_of(state: State, now: float, sums: Sums) -> Part:
    """Return the part of `state` at the instant `now` of its prober's clock, counted in `sums`."""
    lasts = ROUNDS * state.interval + TIMEOUTS * state.timeout
    clock = Now(now, state.paths, state.interval, _replaced(state))
    part = Part((state.node, state.network), state, clock, lasts, sums)
    found: dict[tuple[str, str, str, str], int] = {}
    cell_of: list[int] = []
    for place, path in enumerate(state.paths):
        number = NONE
        if path.role not in (PEER, SERVICE, RESOLVER):
            part.others.append(Other(state.node, path))
            part.other_places.append(place)
        elif path.role == RESOLVER:
            number = part.add(path.target, path, part.resolvers)
        elif path.probe in BITS:
            target = path.target if path.role == PEER else path.target.rpartition(":")[0].strip("[]") or path.target
            key = path.role, target, path.plane, path.family
            number = found.get(key, NONE)
            if number == NONE:
                number = found[key] = part.add(target, path, part.cells if path.role == PEER else part.services)
            if path.zone:
                part.zones[target] = path.zone
        cell_of.append(number)
    part.shape = shape_of(tuple(cell_of))
    for each in part.cells:
        part.planes[each.plane] += 1
        part.to.setdefault(each.target, []).append(each)
    part.far = tuple({far_prober(each) for each in part.cells})
    part.read()
    return part


def far_prober(cell: Cell) -> Prober:
    """Return the prober at the target of `cell`."""
    return _prober(cell.target, HOST if cell.plane.endswith(HOST) else POD)


@lru_cache(maxsize=PROBERS)
def _prober(node: str, network: str) -> Prober:
    """Return one object for the same prober."""
    return node, network
