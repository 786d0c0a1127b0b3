"""Measure faults in a mesh in which something always fails by chance: what the hub opens, how soon, and when it closes.

A mesh runs for an hour, a fault begins, lasts for three minutes and ends. The hub's own code looks at it all the while.

python -m tests.bench.diagnosis.life [--sizes 5,20] [--background 0.01] [--flapping 1,2,3] [--class pair]
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple, cast

from loguru import logger

from smoker_diagnosis.state import State
from smoker_diagnosis.stats import percentile
from smoker_hub.collect import Collected, Collector
from smoker_hub.hub import Hub

from . import findings
from .days import Days
from .faults import KINDS, Fault
from .findings import Named
from .healthy import INTERVAL, MESHES, Probers, SimulatedClock, looks_of
from .kinds import ALL_FILES
from .look import Look, add_truths, away_from, cut_off, struck
from .table import markdown, numbers
from .truth import Accept, judge
from .world import INTERVAL as ROUND_EVERY
from .world import TIMEOUT, Prober, World, make

HOUR = 3600.0  # seconds for which the mesh runs before: the probers' histories are full then
STEP = 60.0  # of these at once
BEFORE = 60.0  # seconds for which the hub looks before the fault
LASTS = 180.0  # seconds of the fault
AFTER = 300.0  # seconds for which the hub looks after it at most
QUIET = 60.0  # seconds for which it looks after the finding has closed
PATIENCE = ROUND_EVERY + TIMEOUT  # seconds for which the hub keeps the last state of a silent prober
assert ALL_FILES


class Case(NamedTuple):
    """One fault in one mesh."""

    kind: str
    size: int
    mesh: int
    background: float
    flapping: int
    seed: int


@dataclass
class Life:
    """What the hub has opened because of one fault. Instants are seconds since it began."""

    right: float | None = None  # when a finding was open that names its place
    one_of: float | None = None  # when one was open that has its place among several
    partly: list[Named] = field(default_factory=list)  # with its place, and another kind, layer or direction
    false: list[Named] = field(default_factory=list)  # open findings with another place
    innocent: list[Named] = field(default_factory=list)  # of these, the ones about nodes that are not at fault
    closed: float | None = None  # seconds from its end until no finding about it was open


class SilencedProbers(Probers):
    """Stands in for the hub's collector: while a fault cuts probers off from the hub, they do not answer it."""

    def __init__(self, days: Days, keys: Sequence[Prober], silent: set[int], begin: float, end: float) -> None:
        super().__init__(days)
        self._keys, self._silent, self._lasts = keys, silent, (begin, end)
        self._states: dict[Prober, tuple[State, float]] = {}  # the last one of each, and its age when it answered
        self._answered: dict[Prober, float] = {}
        self._unanswered: dict[Prober, float] = {}  # when each was first asked in vain

    def look(self) -> Collected:
        now, ages = self.days.now, self.days.waited()
        away = self._silent if self._lasts[0] <= now < self._lasts[1] else set[int]()
        for number, key in enumerate(self._keys):
            if number not in away:
                self._unanswered.pop(key, None)
                self._states[key], self._answered[key] = (self.days.states[number], ages[key]), now
        silent = {
            key: now - self._unanswered.setdefault(key, now) for number, key in enumerate(self._keys) if number in away
        }
        lost = frozenset(key for key, age in silent.items() if age > PATIENCE)
        kept = [key for key in self._keys if key not in lost]
        return Collected(
            states=[self._states[key][0] for key in kept],
            waited={key: self._states[key][1] + now - self._answered[key] for key in kept},
            silent=silent,
            errors=dict.fromkeys(silent, "no answer"),
            lost=lost,
            asked=len(self._keys),
            missed=len(silent),
            nodes=frozenset(node for node, _ in self._keys),
        )


class Truth:
    """Judges the findings about `faults`."""

    def __init__(self, world: World, faults: Sequence[Fault], away: set[int], flapping: Sequence[Accept]) -> None:
        _, hits = struck(world, faults)
        self._look = Look([], (), [], list(flapping))
        for without in (set[int](), away):  # what the hub cannot fetch it cannot tell apart
            states = [state for number, state in enumerate(world.states) if number not in without]
            seen = Look(states, (), [], [])
            add_truths(world, faults, hits, seen)
            self._look.truths.extend(seen.truths)
            self._look.tolerated.extend(seen.tolerated)
        accepts = [accept for _, each, _ in self._look.truths for accept in each]
        self._zones = {zone for accept in accepts for zone in accept.zones}
        self._nodes = {node for accept in accepts for node in accept.nodes}
        self._nodes.update(*(fault.near or world.nodes for fault in faults))
        self._nodes |= {node for node, zone in world.zones.items() if zone in self._zones}
        self._known: dict[Named, str] = {}

    def of(self, named: Named) -> str:
        """Return what `named` is: right, partly, one of, false, innocent; nothing for no place or one that flaps."""
        found = self._known.get(named)
        if found is None:
            verdict = judge(self._look.truths, self._look.tolerated, [named])
            found = "right" if verdict.placed else "one of" if verdict.one_of else "false" if verdict.false else ""
            if found == "right" and verdict.partly and not verdict.whole:
                found = "partly"
            elif found == "false" and named.nodes and not self._nodes & {*named.nodes}:
                found = "innocent"
            self._known[named] = found
        return found


def lives(case: Case) -> Life | None:
    """Run the case. Return None if the mesh cannot have the fault.

    Faults that consist of changed or missing states, and not of lost packets, are left out as well.
    """
    world, chance = make(case.size, case.mesh), random.Random(str(case))
    fault = KINDS[case.kind].make(world, chance, set())
    if fault is None or fault.change or fault.edit or fault.gone or not fault.wanted:
        return None
    days, clock, life = Days(world, case.background, case.flapping, chance), SimulatedClock(), Life()
    while days.now < clock.instant + HOUR:
        days.advance(STEP)
    clock.instant = days.now
    begin = days.now + BEFORE + chance.uniform(0, ROUND_EVERY)
    end = begin + LASTS
    away = set[int]() if fault.reachable else cut_off(world, [fault], away_from(world, [fault], chance))
    days.strike([fault], begin, end)
    pairs = [Accept("pair", (link.source, link.target)) for link in days.flapping if not link.local]
    pairs += [Accept("node", (link.source,)) for link in days.flapping if link.local]
    truth = Truth(world, [fault], away, pairs)
    keys = [(state.node, state.network) for state in world.states]
    probers = SilencedProbers(days, keys, away, begin, end)
    hub = Hub(probers, cast("Collector", probers), interval=INTERVAL, cluster="", clock=clock)
    for _ in looks_of(hub, days, clock):
        words = set()
        for named in [findings.read(incident.finding) for incident in hub.incidents.open]:
            word = truth.of(named)
            words.add(word)
            _note(life, named, word, clock.instant - begin)
        if clock.instant >= end and not words & {"right", "partly", "one of"} and life.closed is None:
            life.closed = clock.instant - end
        if clock.instant > end + (AFTER if life.closed is None else life.closed + QUIET):
            return life
    return None


def _note(life: Life, named: Named, word: str, since: float) -> None:
    if word in ("right", "partly") and life.right is None:
        life.right = since
    if word == "partly":
        if named.what not in {each.what for each in life.partly}:
            life.partly.append(named)
    elif word == "one of" and life.one_of is None:
        life.one_of = since
    elif word in ("false", "innocent") and named.names_a_place:
        known = {(each.what, each.kind, each.nodes, each.zones) for each in life.false}
        if (named.what, named.kind, named.nodes, named.zones) not in known:
            life.false.append(named)
            if word == "innocent":
                life.innocent.append(named)


HEADER = (
    *("nodes", "background", "paths that flap", "faults", "place opened", "one of several", "not opened"),
    *("with another kind, layer or direction open", "with another place open", "with an innocent node open"),
    *("seconds to open: median", "95 %"),
    *("seconds to close: median", "95 %"),
)


def row(size: int, background: float, flapping: int, found: Sequence[Life]) -> list[str]:
    """Return the row of one cell of the table."""
    right = [each.right for each in found if each.right is not None]
    closed = [each.closed for each in found if each.closed is not None and (each.right or each.one_of)]
    one_of = sum(each.right is None and each.one_of is not None for each in found)
    many = max(len(found), 1)
    wrong = [_some(found, name) for name in ("partly", "false", "innocent")]
    shares = (len(right), one_of, len(found) - len(right) - one_of, *wrong)
    return [
        *(f"{size:,}", f"{background:g}", str(flapping), str(len(found))),
        *(f"{100 * each / many:.1f} %" for each in shares),
        *_spread(right),
        *_spread(closed),
    ]


def _some(found: Sequence[Life], name: str) -> int:
    return sum(bool(getattr(each, name)) for each in found)


def _spread(values: Sequence[float]) -> tuple[str, str]:
    if not values:
        return "-", "-"
    return f"{statistics.median(values):.0f}", f"{percentile(sorted(values), 0.95):.0f}"


def cases(chosen: argparse.Namespace, size: int, background: float, flapping: int) -> Iterator[Case]:
    """Yield the cases of one cell: every kind of fault in the meshes in turn."""
    names = [name for name in KINDS if chosen.kind in name]
    for number, name in enumerate(names * chosen.times):
        mesh = list(MESHES)[(number + number // len(names)) % len(MESHES)]
        yield Case(name, size, mesh, background, flapping, chosen.seed + number // len(names))


def main() -> int:
    """Run this bench."""
    parser = argparse.ArgumentParser(prog="tests.bench.diagnosis.life", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=numbers, default="5,20", help="nodes, separated by commas")
    parser.add_argument("--background", type=numbers, default="0.01", help="failures by chance, a path and round")
    parser.add_argument("--flapping", type=numbers, default="1,2,3", help="paths that flap all day")
    parser.add_argument("--times", type=int, default=1, help="how often each kind of fault is tried")
    parser.add_argument("--class", dest="kind", default="", help="only kinds of faults whose name has this in it")
    parser.add_argument("--seed", type=int, default=1, help="another number gives other lives")
    chosen = parser.parse_args()
    logger.disable("smoker_hub")
    rows, innocent, missed = [], 0, Counter[str]()
    for size, background, flapping in product(chosen.sizes, chosen.background, chosen.flapping):
        found = []
        for case in cases(chosen, int(size), background, int(flapping)):
            life = lives(case)
            if life is None:
                continue
            found.append(life)
            missed[case.kind] += life.right is None
            if life.partly or life.false or life.right is None:
                some = [(each, "PARTLY ") for each in life.partly]
                some += [(each, "INNOCENT " if each in life.innocent else "") for each in life.false]
                more = "; ".join(f"{word}{each}" for each, word in some)
                print(f"{tuple(case)}: right after {life.right}, one of after {life.one_of}. {more}", file=sys.stderr)
        rows.append(row(int(size), background, int(flapping), found))
        innocent += _some(found, "innocent")
        print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    print(markdown(HEADER, rows))
    return 1 if innocent else 0


if __name__ == "__main__":
    sys.exit(main())
