"""A mesh for hours: the states of all probers as they change from look to look, with failures by chance and faults.

World ─▶ Days (rounds, results, states at an instant) ─▶ the hub itself (its looks, its diagnosis, its incidents)
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from smoker_diagnosis.state import RESOLVER, PathState, State

from . import lookups, noise, service
from .faults import Fault
from .look import struck
from .packets import CLEAN, CONFIRMED, PATIENCE, WINDOW, Act, Found, counted, path_state, rounds
from .world import ALLOWED, DURATION, INTERVAL, NOW, PACKETS, PROBES, ROUND, SPREAD, TIMEOUT, TURN, Prober, World

KEPT = 12  # results of a path that are kept while one of the last three failed or lost packets
WHOLE = SPREAD + 0.1  # seconds after which a round without a failure is over
ENOUGH = ROUND * 3  # seconds in which any round is over
HISTORY = 120  # rounds of which a prober remembers how often a path failed
CONFIRMS = INTERVAL >= 3 * SPREAD + CONFIRMED  # whether a failed probe is repeated: not in quick rounds
SHORT = 2.5  # intervals of a streak that may be chance
AGAIN = 0.2  # chance that a Service path that failed by chance fails at the confirmation, too


@dataclass(slots=True)
class Track:
    """One path and probe."""

    healthy: PathState
    results: deque[Found]
    past: int = 0  # results that its history covers
    ended: deque[float] = field(default_factory=deque)  # when short streaks of failures ended
    lossy: deque[float] = field(default_factory=deque)  # when trains lost packets
    clean: bool = True  # whether the last three results succeeded and lost nothing


@dataclass(slots=True)
class Round:
    """The probes of one address by one prober in one round."""

    state: int  # its number
    place: int  # of its TCP path in the list of the state's paths
    flaps: bool = False
    service: Prober | None = None  # the prober of a round to the echo services
    dns: bool = False  # whether it is a look-up at a DNS server


@dataclass(slots=True)
class _Kept:
    """The paths of one state, and whether they have changed since the state was made."""

    paths: list[PathState]
    clock: float
    made: float = NOW
    changed: bool = False
    tracks: list[Track] = field(default_factory=list)


class Days:
    """The states of `world` as time passes.

    `background`: the share of rounds of a path that fail by chance. `flapping`: the number of paths that fail in four
    of ten rounds. `aged`: whether the probers have a full history of healthy rounds at the beginning. `seed`: of the
    look-ups, so that a world with them has the same failures elsewhere as without.
    """

    def __init__(
        self,
        world: World,
        background: float,
        flapping: int,
        chance: random.Random,
        *,
        aged: bool = False,
        seed: int = 1,
    ) -> None:
        self._world, self._background, self._chance, self.now = world, background, chance, NOW
        self._faults: list[Fault] = []
        self._lasts = (math.inf, math.inf)  # from when until when the faults last
        self._acts: dict[tuple[int, int], list[Act]] = {}  # what they do, by state and place of a path
        self.states: list[State] = list(world.states)
        self.flapping = [
            world.links[n] for n in chance.sample(range(len(world.links)), min(flapping, len(world.links)))
        ]
        flaps = {id(link) for link in self.flapping}
        self._kept = [_Kept(list(state.paths), state.at - NOW) for state in world.states]
        for kept in self._kept:
            kept.tracks = [Track(path, deque(maxlen=KEPT), HISTORY * aged) for path in kept.paths]
        self._begin: dict[int, list[tuple[float, Round]]] = {}  # by second: rounds that begin then
        self._over: dict[int, list[tuple[float, Round]]] = {}  # by second: rounds without a failure that are over
        self._ends: dict[int, list[tuple[Found, int, int]]] = {}  # by second: results, of which state and place
        for link in world.links:
            number = world.place[link.source, link.ends[0]]
            self._plan(NOW - link.ago + INTERVAL, Round(number, link.place, id(link) in flaps))
        for prober, ago in world.service_ago.items():
            place = world.service_place[prober]
            number = world.place[prober]
            self._plan(NOW - ago + INTERVAL, Round(number, place, service=prober))
            for place, path in enumerate(world.states[number].paths):
                if path.role == RESOLVER:
                    self._plan(NOW - ago + INTERVAL, Round(number, place, dns=True))
        self._of_dns = random.Random(f"look-ups {seed}")

    def strike(self, faults: Iterable[Fault], begin: float, end: float) -> None:
        """Let `faults` affect the mesh from the instant `begin`, which is to come, until `end`."""
        self._faults, self._lasts = list(faults), (begin, end)
        for fault in self._faults:
            fault.begin = begin
        active, _ = struck(self._world, self._faults)
        for number, acts in active.items():
            link = self._world.links[number]
            place = self._world.place[link.source, link.ends[0]], link.place
            self._acts[place] = [act._replace(end=end) for act in acts]

    def waited(self) -> dict[tuple[str, str], float]:
        """Return the seconds since each state was made, by node and network."""
        return {
            (state.node, state.network): self.now - kept.made
            for state, kept in zip(self.states, self._kept, strict=True)
        }

    def advance(self, seconds: float) -> None:
        """Let time pass, and make the changed states again."""
        until = self.now + seconds
        for second in range(int(self.now), int(until)):
            for when, each in self._begin.pop(second, ()):
                self._run(when, each)
            for when, each in self._over.pop(second, ()):
                self._succeed(when, each)
            for found, number, place in self._ends.pop(second, ()):
                self._add(found, number, place)
        self.now = until
        for number, kept in enumerate(self._kept):
            if kept.changed:
                kept.changed, kept.made = False, until
                self.states[number] = replace(self.states[number], at=until + kept.clock, paths=list(kept.paths))

    def _plan(self, when: float, each: Round) -> None:
        self._begin.setdefault(int(when), []).append((when, each))

    def _run(self, when: float, each: Round) -> None:
        """Run one round, and plan the next."""
        if each.dns:
            self._plan(when + INTERVAL, each)
            for found in lookups.look_up(self._of_dns, when, self._background, confirm=CONFIRMS):
                self._ends.setdefault(int(found.ended), []).append((found, each.state, each.place))
            return
        what, acts = self._by_chance(each), self._acts.get((each.state, each.place), [])
        doubtful = each.service is None and self._in_doubt(each)
        meets = bool(self._faults) and self._lasts[0] < when + ROUND and when < self._lasts[1]
        if each.service is None and not what and not doubtful and not (meets and acts):
            self._over.setdefault(int(when + WHOLE), []).append((when, each))
            self._plan(when + INTERVAL, each)
            return
        of_probe = (
            self._service(when, each.service, what) if each.service else self._link(when, acts, what, doubtful=doubtful)
        )
        ended = max(found.ended for results in of_probe.values() for found in results if not found.confirms)
        self._plan(when + INTERVAL * max(1, math.ceil((ended - when) / INTERVAL)), each)  # rounds never overlap
        for offset, probe in enumerate(PROBES):
            for found in of_probe[probe]:
                self._ends.setdefault(int(found.ended), []).append((found, each.state, each.place + offset))

    def _in_doubt(self, each: Round) -> bool:
        """Return whether one of the last trains between two nodes lost packets."""
        trains = [found.lost for found in self._kept[each.state].tracks[each.place + 1].results if found.sent]
        return any(trains[-CLEAN:])

    def _link(self, when: float, acts: Iterable[Act], what: str, *, doubtful: bool) -> dict[str, list[Found]]:
        """Return the results of a round between two nodes that begins at `when`."""
        shift = when - (NOW - ENOUGH)
        moved = [act._replace(begin=act.begin - shift, end=act.end - shift) for act in acts]
        ran = rounds(self._chance, ENOUGH, moved, {0: what} if what else None, 1, confirm=CONFIRMS, doubtful=doubtful)
        return {
            probe: [each._replace(began=each.began + shift, ended=each.ended + shift) for each in found]
            for probe, found in ran.results.items()
        }

    def _by_chance(self, each: Round) -> str:
        """Return which probes of a round fail by chance; empty for none."""
        chance = self._chance
        if each.flaps:
            return noise.flapping(chance).get(0, "")
        if chance.random() < self._background:
            return "all" if chance.random() < 0.5 else chance.choice(PROBES)
        return noise.PACKETS if not each.service and chance.random() < self._background else ""

    def _service(self, when: float, prober: Prober, what: str) -> dict[str, list[Found]]:
        """Return the results of the echo services in an interval from `when` on, over which the probes are spread."""
        found = dict[str, list[Found]]()
        why = self._chance.choice(("timeout", "timeout", "resolve_error"))
        for probe in PROBES:
            by_chance, began = what in ("all", probe), when + TURN[probe]
            first = Found(began, began + TIMEOUT, why) if by_chance else self._ask(began, prober, probe)
            found[probe] = [first]
            if first.outcome != "success" and CONFIRMS:
                later = first.ended + CONFIRMED
                again = self._ask(later, prober, probe, PATIENCE)
                if by_chance and self._chance.random() < AGAIN:
                    again = Found(later, later + PATIENCE, why)
                found[probe].append(again._replace(sent=0, lost=0, passes=None, confirms=True))
        return found

    def _ask(self, when: float, prober: Prober, probe: str, timeout: float = TIMEOUT) -> Found:
        begin, end = self._lasts
        if not begin <= when < end:
            return _good(probe, when)
        return service.one(self._world, prober, probe, self._faults, when, self._chance, timeout)

    def _succeed(self, when: float, each: Round) -> None:
        for offset, probe in enumerate(PROBES):
            self._add(_good(probe, when), each.state, each.place + offset)
            when += DURATION[probe]

    def _add(self, found: Found, number: int, place: int) -> None:
        kept = self._kept[number]
        track, kept.changed = kept.tracks[place], True
        good = found.outcome == "success" and not found.lost
        self._remember(track, found, kept.paths[place].since - kept.clock if kept.paths[place].streak else 0.0)
        history = {"past": track.past, "flaps": len(track.ended), "lossy": len(track.lossy)}
        if track.clean and good:
            kept.paths[place] = replace(kept.paths[place], at=found.began + kept.clock, **history)
            return
        if track.clean:
            track.results.extend([_good(track.healthy.probe, found.began - INTERVAL)] * WINDOW)
        track.results.append(found)
        kept.paths[place] = replace(path_state(track.healthy, track.results, kept.clock), **history)
        window = counted(list(track.results))
        track.clean = good and all(each.outcome == "success" and not each.lost for each in window)
        if track.clean:
            track.results.clear()

    def _remember(self, track: Track, found: Found, since: float) -> None:
        """Count what the prober reports of the last rounds. `since`: when its failures began, or 0."""
        if not found.confirms:
            track.past = min(track.past + 1, HISTORY)
        for instants in (track.ended, track.lossy):
            while instants and instants[0] < found.began - HISTORY * INTERVAL:
                instants.popleft()
        if found.lost and not found.confirms:
            track.lossy.append(found.began)
        if since and found.outcome == "success" and found.began - since < SHORT * INTERVAL:
            track.ended.append(found.began)


def _good(probe: str, when: float) -> Found:
    udp = probe == "udp"
    return Found(when, when + DURATION[probe], "success", PACKETS if udp else 0, passes=ALLOWED if udp else None)
