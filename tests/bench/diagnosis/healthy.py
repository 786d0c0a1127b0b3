"""Measure how often the hub opens a false finding in a healthy mesh: thousands of looks in a row, with the hub's code.

python -m tests.bench.diagnosis.healthy [--looks N] [--sizes 3,5,20,100] [--background 0,1e-5,…] [--flapping 0,3]
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import cast

from loguru import logger

from smoker_common.clock import Clock
from smoker_diagnosis.finding import SURE, Finding
from smoker_hub.collect import Collected, Collector
from smoker_hub.diagnose import Diagnosis
from smoker_hub.hub import USUAL, Hub
from smoker_hub.incidents import Change
from tests.goals import Goal

from . import findings, lookups
from .days import Days
from .table import markdown, numbers
from .truth import place
from .world import NOW, make

INTERVAL = 5.0  # seconds from one look of the hub to the next, its default
LOOKS = 10_000
BACKGROUNDS = (0.0, 1e-5, 1e-4, 1e-3, 1e-2)
FLAPPING = (0, 3)
MOST = 20  # nodes of a mesh that `make bench-diagnosis` watches for hours
MESHES = {
    0: "pods, two families, three zones",
    1: "pods and host network, two zones",
    3: "pods and host network, two families, four zones",
}


@dataclass
class Seen:
    """The findings of some thousand looks at one healthy mesh."""

    looks: int = 0
    early: int = 0  # looks that the hub added because it suspected something
    named: int = 0  # looks with a name that is false, whatever its confidence
    sure: int = 0  # of these, looks in which one was sure enough to count
    opened: list[findings.Named] = field(default_factory=list)  # false names that opened
    flapping: int = 0  # findings that opened for the path that flaps

    def plus(self, other: Seen) -> None:
        """Add the looks at another mesh."""
        self.looks += other.looks
        self.early += other.early
        self.named += other.named
        self.sure += other.sure
        self.opened += other.opened
        self.flapping += other.flapping


class SimulatedClock(Clock):
    """A clock that stands still until a simulation moves it."""

    instant = NOW

    def now(self) -> float:
        return self.instant

    def wall_time(self) -> float:
        return self.instant


class Probers:
    """Stands in for the hub's collector: every prober answers at once."""

    known = True

    def __init__(self, days: Days) -> None:
        self.days = days

    def look(self) -> Collected:
        return Collected(self.days.states, self.days.waited(), asked=len(self.days.states))

    def start(self) -> None: ...

    def close(self) -> None: ...


class _Diagnosis(Diagnosis):
    """Keeps the findings of the last look, before any rule about time."""

    found: Sequence[Finding] = ()

    def look(self, collected: Collected) -> list[Finding]:
        found = super().look(collected)
        self.found = found
        return found


def watch(size: int, number: int, background: float, flapping: int, looks: int, seed: int = 1) -> Seen:
    """Return the hub's findings about the world `number` of `size` nodes in so many regular looks."""
    chance = random.Random(f"{seed} {size} {number} {background} {flapping}")
    days = Days(lookups.added(make(size, number)), background, flapping, chance, seed=seed)
    clock, seen = SimulatedClock(), Seen()
    right = {place("pair", (link.source, link.target), ()) for link in days.flapping}
    right |= {place("node", (link.source,), ()) for link in days.flapping if link.local}
    probers, diagnosis = Probers(days), _Diagnosis(clock=clock)
    opened: list[Finding] = []

    def tell(change: Change) -> None:
        if change.kind == "open":
            opened.append(change.incident.finding)

    collector = cast("Collector", probers)
    hub = Hub(probers, collector, interval=INTERVAL, cluster="", tells=[tell], diagnosis=diagnosis, clock=clock)
    for early in islice(looks_of(hub, days, clock), looks):
        seen.looks, seen.early = seen.looks + (not early), seen.early + early
        false = [
            each for each in map(findings.read, diagnosis.found) if each.names_a_place and _place(each) not in right
        ]
        seen.named += bool(false)
        seen.sure += any(each.confidence >= SURE and not each.one_of for each in false)
        for each in map(findings.read, opened):
            if each.names_a_place and _place(each) not in right:
                seen.opened.append(each)
            seen.flapping += each.names_a_place and _place(each) in right
        opened.clear()
    return seen


def looks_of(hub: Hub, days: Days, clock: SimulatedClock) -> Iterator[bool]:
    """Look at the mesh when the hub would, without end. Yield after each look whether it was an early one."""
    regular = clock.instant - INTERVAL
    while True:
        early = clock.instant - regular < USUAL * INTERVAL
        regular = regular if early else clock.instant
        hub.look(early=early)
        yield early
        pause = hub.pause
        days.advance(pause)
        clock.instant += pause


def _place(named: findings.Named) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    return place(named.kind, named.nodes, named.zones)


HEADER = (
    *("nodes", "mesh", "background", "paths that flap", "looks", "hours"),
    *("looks with a false name", "looks sure of one", "false names opened", "flapping paths opened"),
)


def table(
    sizes: Iterable[int], backgrounds: Iterable[float], looks: int, seed: int, flapping: Sequence[int] = FLAPPING
) -> tuple[list[list[str]], Seen]:
    """Return a row for each mesh and the sums of all; print each false finding that opened."""
    rows, whole = [], Seen()
    for size, number, background, flaps in product(sizes, MESHES, backgrounds, flapping):
        seen = watch(size, number, background, flaps, looks, seed)
        numbers = (seen.named, seen.sure, len(seen.opened), seen.flapping)
        hours = f"{seen.looks * INTERVAL / 3600:.0f}"
        rows.append(
            [f"{size:,}", MESHES[number], f"{background:g}", str(flaps), f"{looks:,}", hours, *map(str, numbers)]
        )
        print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
        for each, count in Counter(map(str, seen.opened)).items():
            print(f"  opened {count} times: {each}", file=sys.stderr)
        whole.plus(seen)
    return rows, whole


def goals(whole: Seen) -> list[Goal]:
    """Return the goals of a healthy mesh: no false name in any look, and none that the hub opens."""
    looks = whole.looks + whole.early
    if not looks:
        return []
    return [
        Goal("healthy for hours: looks with a false name", "0", f"{whole.named:,} of {looks:,}", whole.named == 0),
        Goal(
            "healthy for hours: false names that the hub opens",
            "0",
            f"{len(whole.opened)} in {looks:,} looks",
            not whole.opened,
        ),
    ]


def main() -> int:
    """Run this bench alone."""
    parser = argparse.ArgumentParser(
        prog="tests.bench.diagnosis.healthy", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--sizes", type=numbers, default="5,20", help="nodes, separated by commas")
    parser.add_argument("--background", type=numbers, default=",".join(map(str, BACKGROUNDS)))
    parser.add_argument(
        "--flapping", type=numbers, default=",".join(map(str, FLAPPING)), help="paths that flap all day"
    )
    parser.add_argument("--looks", type=int, default=LOOKS, help="in a row, of each mesh")
    parser.add_argument("--seed", type=int, default=1, help="another number gives other failures")
    chosen = parser.parse_args()
    logger.disable("smoker_hub")
    sizes, flapping = [int(size) for size in chosen.sizes], [int(number) for number in chosen.flapping]
    rows, whole = table(sizes, chosen.background, chosen.looks, chosen.seed, flapping)
    print(markdown(HEADER, rows))
    return 1 if whole.opened else 0


if __name__ == "__main__":
    sys.exit(main())
