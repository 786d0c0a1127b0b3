"""The looks of the table: which worlds, which faults and how often, and the argument that repeats one look."""

from __future__ import annotations

import argparse
import functools
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from loguru import logger

from tests.marked import put_inside
from tests.origin import origin

from . import findings, healthy
from .faults import KINDS, Fault
from .kinds import ALL_FILES
from .look import Look, take
from .table import COMPLETE, HEALTHY, Table, markdown, numbers
from .truth import Verdict, judge
from .world import LARGE_MESH, World, make

WORLDS = 10  # of each size below LARGE_MESH
FEWER = {LARGE_MESH: 5, 5 * LARGE_MESH: 20}  # nodes from which a cell has so many times fewer looks
SHOWN = 3  # silent probers that are printed
FEW_NODES = 5  # with fewer, two faults hide each other
ACCURACY = Path(__file__).parents[3] / "docs" / "accuracy.md"
BEGIN, END = "<!-- tables of bench-diagnosis: begin -->", "<!-- tables of bench-diagnosis: end -->"
assert ALL_FILES


@functools.lru_cache(maxsize=64)
def small_world(size: int, number: int) -> World:
    return make(size, number)


@functools.lru_cache(maxsize=2)
def large_world(size: int, number: int) -> World:
    return make(size, number)


def world(size: int, number: int) -> World:
    return (large_world if size >= LARGE_MESH else small_world)(size, number)


@functools.lru_cache(maxsize=64)
def small_kept(size: int, number: int) -> findings.Kept:
    return findings.Kept(world(size, number).states)


@functools.lru_cache(maxsize=2)
def large_kept(size: int, number: int) -> findings.Kept:
    return findings.Kept(world(size, number).states)


def kept(size: int, number: int) -> findings.Kept:
    """Return what is kept of the world before the look: of the healthy one, and of the looks before."""
    return (large_kept if size >= LARGE_MESH else small_kept)(size, number)


@dataclass(frozen=True)
class Case:
    """One look, described so that it can be repeated."""

    kinds: tuple[str, ...]
    size: int
    background: float
    moment: str
    number: str  # of the seed

    def __str__(self) -> str:
        return f"{'+'.join(self.kinds)}:{self.size}:{self.background:g}:{self.moment}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> Case:
        kinds, size, background, moment, number = text.rsplit(":", 4)
        return cls(tuple(kinds.split("+")), int(size), float(background), moment, number)


def look_at(case: Case, *, confirm: bool = False) -> tuple[Look, World, list[Fault]] | None:
    """Return the look of `case`; None if no world of that size can have its faults."""
    chance = random.Random(str(case))
    worlds = WORLDS if case.size < LARGE_MESH else 1 if case.size > LARGE_MESH else 2
    first = chance.randrange(worlds)
    for number in range(worlds):
        where = world(case.size, (first + number) % worlds)
        taken: set[str] = set()
        faults = [KINDS[name].make(where, chance, taken) for name in case.kinds]
        if all(fault is not None for fault in faults):
            made = [fault for fault in faults if fault is not None]
            return take(where, made, case.background, case.moment, chance, confirm=confirm), where, made
    return None


def cases(size: int, background: float, faults: int, moment: str, chosen: argparse.Namespace) -> Iterator[Case]:
    """Yield the looks of a cell: with at most one fault each kind in turn, otherwise random kinds."""
    few = max([1, *(times for nodes, times in FEWER.items() if size >= nodes)])
    names = [name for name in KINDS if chosen.kind in name and name.startswith(HEALTHY) == (faults == 0)]
    if faults > 1:
        names = [name for name in names if KINDS[name].together]
    chance = random.Random(f"{chosen.seed} {size} {background} {faults} {moment}")
    start = chance.randrange(len(names) or 1)
    for number in range(max(chosen.looks // few, 1) if names else 0):
        kinds = (
            tuple(chance.choice(names) for _ in range(faults))
            if faults > 1
            else (names[(start + number) % len(names)],)
        )
        yield Case(kinds, size, background, moment, f"{chosen.seed}.{number}")


def judged(case: Case, show: str = "", *, confirm: bool = False) -> tuple[Verdict, float] | None:
    """Take one look and judge it. Print it if it is wrong and `show` is set."""
    taken = look_at(case, confirm=confirm)
    if taken is None:
        return None
    look, where, _ = taken
    found, took = findings.diagnosed(look.states, kept(where.size, where.number))
    verdict = judge(look.truths, look.tolerated, found)
    if show == "all" or (show and (verdict.false or verdict.missed or verdict.partly or verdict.one_of)):
        tell(case, look, where, found, verdict)
    return verdict, took


def tell(case: Case, look: Look, where: World, found: list[findings.Named], verdict: Verdict) -> None:
    """Print a look for a developer."""
    print(f'\n--look "{case}"', *look.notes, f"{len(look.states)} of {len(where.states)} states", sep="; ")
    print(f"  world {where.number}: {where.shape}")
    for name, accepts, wanted in look.truths:
        print(f"  truth: {name}{'' if wanted else ' (nothing to name)'}")
        for accept in dict.fromkeys(accepts):
            place = " ".join((accept.what, accept.kind, *accept.nodes, *accept.zones)).strip()
            probes = " or ".join(",".join(each) or "all probes" for each in accept.probes)
            print(f"    right: {place}; {'/'.join(sorted(accept.layers))} {probes} {' '.join(accept.families[0])}")
    silent = [named for named in found if named.what == "silent"]
    for named in [named for named in found if named.what != "silent"] + silent[:SHOWN]:
        print(f"  found: {'FALSE ' if any(named is each for each in verdict.false) else ''}{named}")
    print(f"  missed: {verdict.missed}; only placed: {verdict.partly}; among a one-of: {verdict.one_of}", flush=True)


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(prog="tests.bench.diagnosis", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=numbers, default="3,5,20,100,1000,5000", help="nodes, separated by commas")
    parser.add_argument(
        "--background", type=numbers, default="0,5e-4,1e-2", help="failures by chance, a path and round"
    )
    parser.add_argument("--faults", type=numbers, default="0,1,2,3", help="how many at once; 0: healthy situations")
    parser.add_argument("--rounds", default="complete,half", help="whether the round is complete since the fault began")
    parser.add_argument(
        "--looks", type=int, default=40, help="of each cell; a fifth from 1,000 nodes, a twentieth from 5,000"
    )
    parser.add_argument("--class", dest="kind", default="", help="only kinds of faults whose name has this in it")
    parser.add_argument("--seed", type=int, default=1, help="another number gives other looks")
    parser.add_argument(
        "--hours", type=int, default=healthy.LOOKS, help="looks in a row at each healthy mesh of up to 20 nodes"
    )
    parser.add_argument("--confirm", action="store_true", help="probers repeat a failed probe two seconds later")
    parser.add_argument("--failures", action="store_true", help="print each look that is wrong or misses a fault")
    parser.add_argument("--look", default="", help="repeat one look, as --failures prints it, and print all of it")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/accuracy.md")
    parser.add_argument("--list", action="store_true", help="print the kinds of faults")
    chosen = parser.parse_args()
    if chosen.list:
        print("\n".join(KINDS))
        return 0
    if chosen.look:
        judged(Case.parse(chosen.look), "all", confirm=chosen.confirm)
        return 0
    table, made = Table(), origin("tests.bench.diagnosis", sys.argv[1:], ACCURACY)
    begun = time.perf_counter()
    for size, background, faults, moment in plan(chosen):
        print(f"{size} nodes, background {background:g}, {faults} faults, {moment}", file=sys.stderr, flush=True)
        for case in cases(size, background, faults, moment, chosen):
            done = judged(case, "wrong" if chosen.failures else "", confirm=chosen.confirm)
            if done is not None:
                table.add((size, background, faults, moment), case.kinds, *done)
    goals, hours = table.goals(), ""
    if chosen.hours:
        logger.disable("smoker_hub")
        sizes = [int(size) for size in chosen.sizes if FEW_NODES <= size <= healthy.MOST]
        rows, whole = healthy.table(sizes, healthy.BACKGROUNDS, chosen.hours, chosen.seed)
        goals += healthy.goals(whole)
        hours = f"\n\n### Healthy for hours\n\n{markdown(healthy.HEADER, rows)}"
    text = f"{table.render(goals)}\n\nSeed {chosen.seed}; {table.looks:,} looks.{hours}\n\nAll of these tables: {made}"
    print(f"{text}\n\nThey took {time.perf_counter() - begun:.0f} s.")
    if chosen.write:
        put_inside(ACCURACY, BEGIN, END, text)
    return 0 if all(goal.met for goal in goals) else 1


def plan(chosen: argparse.Namespace) -> Iterator[tuple[int, float, int, str]]:
    """Yield the cells: nodes, background, faults, moment. Half-finished rounds are tried with one fault only."""
    for size, background, faults in product(chosen.sizes, chosen.background, chosen.faults):
        if faults > 1 and size < FEW_NODES:
            continue
        for moment in chosen.rounds.split(","):
            if moment == COMPLETE or faults == 1:
                yield int(size), background, int(faults), moment
