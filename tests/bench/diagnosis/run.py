"""The looks of the table: which worlds, which faults, how often; and the line that repeats one of them."""

from __future__ import annotations

import argparse
import functools
import random
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import findings
from .faults import KINDS, Fault
from .look import Look, take
from .truth import Verdict, judge
from .world import LARGE_MESH, World, make

WORLDS = 10  # of each size below LARGE_MESH
SIZES = (3, 5, 20, 100, 1000, 5000)
BACKGROUNDS = (0.0, 1e-5, 1e-4, 5e-4, 1e-2)
MANY_FAULTS_FROM = 5  # nodes


@dataclass
class Cell:
    """The sum of some looks."""

    looks: int = 0
    faults: int = 0
    placed: int = 0
    whole: int = 0
    one_of: int = 0
    names: int = 0
    false: int = 0  # findings
    false_looks: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, verdict: Verdict, took: float) -> None:
        self.looks += 1
        self.faults += verdict.faults
        self.placed += verdict.placed
        self.whole += verdict.whole
        self.one_of += verdict.one_of
        self.names += verdict.names
        self.false += len(verdict.false)
        self.false_looks += bool(verdict.false)
        self.seconds.append(took)

    def plus(self, other: Cell) -> None:
        """Add the looks of another cell."""
        for name in ("looks", "faults", "placed", "whole", "one_of", "names", "false", "false_looks"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.seconds.extend(other.seconds)

    @property
    def precision(self) -> float:
        return 1 - self.false / self.names if self.names else 1.0

    def ratio(self, many: int) -> float:
        return many / self.faults if self.faults else 1.0

    @property
    def milliseconds(self) -> float:
        return 1000 * statistics.median(self.seconds) if self.seconds else 0.0


@functools.lru_cache(maxsize=64)
def small_world(size: int, number: int) -> World:
    return make(size, number)


@functools.lru_cache(maxsize=2)
def large_world(size: int, number: int) -> World:
    return make(size, number)


def world(size: int, number: int) -> World:
    return (large_world if size >= LARGE_MESH else small_world)(size, number)


@dataclass(frozen=True)
class Case:
    """One look, so that it can be repeated."""

    kinds: tuple[str, ...]
    size: int
    background: float
    moment: str
    number: str  # of the seed

    def __str__(self) -> str:
        return f"{'+'.join(self.kinds)}:{self.size}:{self.background:g}:{self.moment}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> Case:
        kinds, size, background, moment, number = text.split(":")
        return cls(tuple(kinds.split("+")), int(size), float(background), moment, number)


def look_at(case: Case) -> tuple[Look, World, list[Fault]] | None:
    """Return the look of `case`; None where no world of that size can have its faults."""
    chance = random.Random(str(case))
    worlds = WORLDS if case.size < LARGE_MESH else 1 if case.size > LARGE_MESH else 2
    first = chance.randrange(worlds)
    for number in range(worlds):
        where = world(case.size, (first + number) % worlds)
        taken: set[str] = set()
        faults = [KINDS[name].make(where, chance, taken) for name in case.kinds]
        if all(fault is not None for fault in faults):
            made = [fault for fault in faults if fault is not None]
            return take(where, made, case.background, case.moment, chance), where, made
    return None


def cases(names: list[str], size: int, background: float, faults: int, looks: int, moment: str, seed: int) -> Iterator[Case]:
    """Yield the cases of a cell, with kinds in turn where there is one fault, else drawn."""
    chance = random.Random(f"{seed} {size} {background} {faults} {moment}")
    for number in range(looks):
        if faults == 1:
            kinds = (names[number % len(names)],)
        else:
            kinds = tuple(chance.choice(names) for _ in range(faults))
        yield Case(kinds, size, background, moment, f"{seed}.{number}")


def judged(case: Case, show: str = "") -> tuple[Verdict, float] | None:
    """Take one look and judge it; print it where it is wrong and `show` asks for it."""
    taken = look_at(case)
    if taken is None:
        return None
    look, where, _ = taken
    found, took = findings.diagnosed(look.states, look.not_ready)
    verdict = judge(look.truths, look.tolerated, found)
    if show == "all" or (show and (verdict.false or verdict.missed or verdict.partly or verdict.one_of)):
        tell(case, look, where, found, verdict)
    return verdict, took


def tell(case: Case, look: Look, where: World, found: list[findings.Named], verdict: Verdict) -> None:
    """Print a look for a developer."""
    print(f'\n--look "{case}"', *look.notes, f"{len(look.states)} of {len(where.states)} states", sep="; ")
    print(f"  world {where.number}: {where.shape}")
    for name, accepts, wanted in look.truths:
        print(f"  truth: {name}{'' if wanted else ' (need not be named)'}")
        for accept in accepts:
            where_ = ",".join((*accept.nodes, *accept.zones))
            print(f"    right: {accept.kind} {where_} {'/'.join(sorted(accept.layers))} {accept.probes} {accept.families}")
    for named in found:
        mark = "FALSE " if any(named is each for each in verdict.false) else ""
        print(f"  found: {mark}{named}")
    print(f"  missed: {verdict.missed}  partly: {verdict.partly}  false: {len(verdict.false)}  one of: {verdict.one_of}")


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="tests.bench.diagnosis", description=__doc__)
    parser.add_argument("--sizes", default="3,5,20,100,1000,5000", help="nodes, separated by commas")
    parser.add_argument("--background", default="0,5e-4", help="failures by chance of a path and round")
    parser.add_argument("--faults", default="1,2,3", help="how many at once")
    parser.add_argument("--looks", type=int, default=100, help="of each cell")
    parser.add_argument("--class", dest="kind", default="", help="only kinds of faults whose name has this in it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--failures", action="store_true", help="print each look that is wrong or misses a fault")
    parser.add_argument("--look", default="", help="repeat one look, as --failures prints it, and print all of it")
    chosen = parser.parse_args()
    if chosen.look:
        judged(Case.parse(chosen.look), "all")
        return 0
    names = [name for name in KINDS if chosen.kind in name]
    for size in map(int, chosen.sizes.split(",")):
        for background in map(float, chosen.background.split(",")):
            for faults in map(int, chosen.faults.split(",")):
                cell, begun = Cell(), time.perf_counter()
                for case in cases(names, size, background, faults, chosen.looks, "complete", chosen.seed):
                    done = judged(case, "wrong" if chosen.failures else "")
                    if done is not None:
                        cell.add(*done)
                print(size, background, faults, cell.looks, f"place {cell.ratio(cell.placed):.3f} whole {cell.ratio(cell.whole):.3f} one of {cell.one_of} precision {cell.precision:.3f} false looks {cell.false_looks} ms {cell.milliseconds:.1f} total {time.perf_counter()-begun:.1f}", file=sys.stdout, flush=True)
    return 0
