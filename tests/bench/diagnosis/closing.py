"""Follow each kind of fault through the real hub, from fault to closing: how long after healing its incidents close.

One mesh, one fault that lasts for some rounds, no failures by chance; the hub looks once a second. A finding is late if
it closes later than a round and 15 s after healing. With `--beside` a second fault begins at the same moment, and the
bench measures how much later it opens than it does alone.

python -m tests.bench.diagnosis.closing [--paces 30/5,5/1,1/1] [--sizes 5,12,20] [--class pair] [--beside "loss 95%"]
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple, cast

from loguru import logger

from smoker_diagnosis.stats import percentile
from smoker_hub.collect import Collector
from smoker_hub.hub import SOON, Hub
from smoker_hub.incidents import Change

from . import findings
from .days import Days
from .faults import KINDS, Fault
from .findings import Named
from .healthy import INTERVAL as LOOKS_EVERY
from .healthy import MESHES, SimulatedClock, looks_of
from .kinds import ALL_FILES
from .life import SilencedProbers, Truth
from .look import away_from, cut_off
from .table import markdown, numbers
from .world import INTERVAL, PACE, ROUND, World, make

PACES = "30/5,5/1,1/1"
LIMIT = INTERVAL + 15.0  # seconds after healing from which an incident that closes is late
FULL = 3  # rounds that counts cover
BEFORE = 10.0  # seconds for which the hub looks before the fault, at least
LASTS = (FULL + 1) * INTERVAL + ROUND + 15.0  # seconds of the fault: every count is full of it, and findings are open
QUIET = INTERVAL + 5.0  # seconds for which the hub looks after everything has closed
PATIENCE = 8 * INTERVAL + 60.0  # seconds after healing after which the bench gives up
assert ALL_FILES


class Case(NamedTuple):
    """One fault in one mesh, perhaps beside another."""

    kind: str
    size: int
    mesh: int
    seed: int
    beside: str = ""


@dataclass(slots=True)
class Told:
    """One incident that opened. Instants are seconds since the fault began, or since it healed."""

    named: Named
    word: str  # right, one of, false, innocent; empty: it names no place
    opened: float  # after the fault began
    healing: bool  # whether it opened after the fault had healed
    closed: float | None = None  # after healing; None: not while the bench looked


@dataclass(slots=True)
class Healing:
    """What the hub has opened because of one fault."""

    case: Case
    told: list[Told] = field(default_factory=list)
    second: float | None = None  # when the second of two faults was open

    @property
    def closed(self) -> float | None:
        """Return when the last incident that was open at healing closed; None where none was."""
        ends = [PATIENCE if each.closed is None else each.closed for each in self.told if not each.healing]
        return max([end for end in ends if end > 0], default=None)

    @property
    def others(self) -> list[Told]:
        """Return the incidents that opened while the fault healed."""
        return [each for each in self.told if each.healing]


class _Hub(Hub):
    """A hub whose looks cost nothing: it looks once a second, however busy this machine is."""

    @property
    def pause(self) -> float:
        return SOON


def healing(case: Case) -> Healing | None:
    """Run the case. Return None if the mesh cannot have the fault, or if it is none of lost packets."""
    world, chance = make(case.size, case.mesh), random.Random(str(case._replace(beside="")))
    taken = set[str]()
    faults = [_fault(case.kind, world, chance, taken)]
    if case.beside:
        faults.append(_fault(case.beside, world, random.Random(str(case)), taken))
    real = [fault for fault in faults if fault is not None]
    if len(real) < len(faults):
        return None
    days, clock, found = Days(world, 0.0, 0, chance, aged=True), SimulatedClock(), Healing(case)
    days.advance(INTERVAL)
    clock.instant = days.now
    begin = days.now + BEFORE + chance.uniform(0, INTERVAL)
    end = begin + LASTS
    away = cut_off(world, real, away_from(world, real, chance)) if not all(each.reachable for each in real) else set()
    days.strike(real, begin, end)
    truth, first = Truth(world, real, away, ()), Truth(world, real[:1], away, ())
    probers = SilencedProbers(days, [(each.node, each.network) for each in world.states], away, begin, end)
    told: dict[str, Told] = {}

    def tell(change: Change) -> None:
        now = clock.instant
        if change.kind == "open":
            named = findings.read(change.incident.finding)
            told[change.incident.id] = Told(named, truth.of(named), now - begin, now >= end)
            found.told.append(told[change.incident.id])
        elif change.kind == "close" and change.incident.id in told:
            told[change.incident.id].closed = now - end

    hub = _Hub(probers, cast("Collector", probers), interval=LOOKS_EVERY, cluster="", clock=clock, tells=[tell])
    quiet = clock.instant
    for _ in looks_of(hub, days, clock):
        if found.second is None and clock.instant < end:
            words = {first.of(findings.read(each.finding)) for each in hub.incidents.open}
            found.second = clock.instant - begin if "right" in words else None
        quiet = clock.instant if hub.incidents.open else quiet
        if clock.instant > end + PATIENCE or clock.instant > max(end, quiet) + QUIET:
            break
    return found


def _fault(name: str, world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    fault = KINDS[name].make(world, chance, taken)
    if fault is None or fault.change or fault.edit or fault.gone or not fault.wanted:
        return None
    return fault


HEADER = (
    *("interval/timeout", "nodes", "faults", "seconds to close after healing: median", "95 %", "most"),
    *(f"later than a round and {LIMIT - INTERVAL:g} s", "other findings while it healed"),
)
BESIDE = (
    *("interval/timeout", "nodes", "two faults", "the second opened: alone", "beside the other"),
    *("seconds later: median", "95 %", "most", "by more than a round"),
)


def row(pace: str, size: int, found: Sequence[Healing]) -> list[str]:
    """Return the row of the meshes of `size` nodes."""
    closed = sorted(each.closed for each in found if each.closed is not None)
    late = sum(each > LIMIT for each in closed)
    return [pace, str(size), str(len(found)), *_spread(closed), str(late), str(sum(len(x.others) for x in found))]


def row_beside(pace: str, size: int, alone: Sequence[Healing], both: Sequence[Healing]) -> list[str]:
    """Return the row of two faults at once in meshes of `size` nodes: each of `both` beside the same one of `alone`."""
    pairs = [(one.second, two.second) for one, two in zip(alone, both, strict=True)]
    later = sorted(two - one for one, two in pairs if one is not None and two is not None)
    opened = (sum(one is not None for one, _ in pairs), sum(two is not None for _, two in pairs))
    late = sum(each > INTERVAL for each in later)
    return [pace, str(size), str(len(pairs)), *map(str, opened), *_spread(later), str(late)]


def _spread(ordered: Sequence[float]) -> tuple[str, str, str]:
    if not ordered:
        return "-", "-", "-"
    return f"{statistics.median(ordered):.0f}", f"{percentile(ordered, 0.95):.0f}", f"{ordered[-1]:.0f}"


def cases(chosen: argparse.Namespace, size: int) -> Iterator[Case]:
    """Yield every kind of fault, in the meshes in turn."""
    names = [name for name in KINDS if chosen.kind in name]
    meshes = list(MESHES)
    for number, name in enumerate(names * chosen.times):
        turn = number // len(names)
        yield Case(name, size, meshes[(number + turn) % len(meshes)], chosen.seed + turn)


def report(each: Healing) -> Iterator[str]:
    """Yield a line for each incident that closed late, or opened while the fault healed."""
    where = f"{each.case.kind}, {each.case.size} nodes, mesh {each.case.mesh}, seed {each.case.seed}"
    for one in each.told:
        ends = "still open" if one.closed is None else f"closed {one.closed:.0f} s after healing"
        if one.healing:
            yield f"  OTHER {where}: {one.named} ({one.word or 'no place'}); {ends}"
        elif one.closed is None or one.closed > LIMIT:
            yield f"  late  {where}: {one.named} ({one.word or 'no place'}); {ends}"


def _measure(pace: str, chosen: argparse.Namespace) -> tuple[list[list[str]], bool]:
    """Return the rows of one pace, and whether a fault closed late, opened late, or another finding opened."""
    rows, bad = [], False
    beside = [name for name in KINDS if chosen.beside in name] if chosen.beside else []
    with ProcessPoolExecutor(initializer=logger.disable, initargs=("smoker_hub",)) as pool:
        for size in map(int, chosen.sizes):
            listed = list(cases(chosen, size))
            if not beside:
                found = [each for each in pool.map(healing, listed, chunksize=1) if each is not None]
                for line in chain.from_iterable(map(report, found)):
                    print(line, file=sys.stderr, flush=True)
                rows.append(row(pace, size, found))
            else:
                twos = [each._replace(beside=name) for each in listed if KINDS[each.kind].together for name in beside]
                both = list(pool.map(healing, twos, chunksize=1))
                ones = [case._replace(beside="") for case, each in zip(twos, both, strict=True) if each is not None]
                alone = cast("list[Healing]", list(pool.map(healing, ones, chunksize=1)))
                second = [each for each in both if each is not None]
                for one, two in zip(alone, second, strict=True):
                    if one.second is not None and (two.second is None or two.second - one.second > INTERVAL):
                        print(f"  {two.case}: alone {one.second}, beside {two.second}", file=sys.stderr, flush=True)
                rows.append(row_beside(pace, size, alone, second))
            bad |= any(rows[-1][place] != "0" for place in ((8,) if beside else (6, 7)))
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    return rows, bad


def main() -> int:
    """Run this bench. Each pace has a process of its own: the simulated world reads it once."""
    parser = argparse.ArgumentParser(
        prog="tests.bench.diagnosis.closing", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--paces", default=PACES, help="interval and timeout of the probers in seconds, `5/1`")
    parser.add_argument("--sizes", type=numbers, default="5,12,20", help="nodes, separated by commas")
    parser.add_argument("--times", type=int, default=1, help="how often each kind of fault is tried")
    parser.add_argument("--class", dest="kind", default="", help="only kinds of faults whose name has this in it")
    parser.add_argument(
        "--beside", default="", help="kinds of faults that begin at the same moment, by a part of their name"
    )
    parser.add_argument("--seed", type=int, default=1, help="another number gives other meshes and moments")
    chosen = parser.parse_args()
    if "," not in chosen.paces and os.environ.get(PACE) == chosen.paces:
        rows, bad = _measure(chosen.paces, chosen)
        print(markdown(BESIDE if chosen.beside else HEADER, rows))
        return int(bad)
    failed = False
    for pace in chosen.paces.split(","):
        again = [sys.executable, "-m", "tests.bench.diagnosis.closing", *sys.argv[1:], "--paces", pace]
        failed |= bool(subprocess.run(again, env={**os.environ, PACE: pace}, check=False).returncode)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
