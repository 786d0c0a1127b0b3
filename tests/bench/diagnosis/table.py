"""The sums of many looks as Markdown, and whether they meet the goals."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from smoker_diagnosis.finding import SURE
from smoker_diagnosis.sightings import CERTAIN
from tests.goals import Goal, goals_table

from .faults import KINDS
from .findings import Named
from .truth import Verdict

HEALTHY = "healthy"  # how the names of situations without a fault begin
COMPLETE, HALF = "complete", "half"
USUAL = 5e-4  # background up to which the goals hold
SLOWEST = 5000  # nodes
ONE_OF = "one of several places"
LATER = "as a warning, after two rounds"
#: The least confidence of a row of the calibration, and when the hub opens such a finding.
SURENESS = {0.999: "after two looks", CERTAIN: "after two looks", SURE: "after a round", 0.5: LATER, 0.0: LATER}


@dataclass
class Cell:
    """The sums of some looks."""

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


Key = tuple[int, float, int, str]  # nodes, background, faults, moment


class Table:
    """The cells, and the same looks by kind of fault."""

    def __init__(self) -> None:
        self._cells: dict[Key, Cell] = {}
        self._counted: dict[Key, Cell] = {}  # without the kinds that are no goal
        self._kinds: dict[tuple[str, int], Cell] = {}
        self._confidence: dict[str, list[bool]] = {}  # by row of the calibration: whether each name was right
        self.looks = 0

    def add(self, key: Key, kinds: Sequence[str], verdict: Verdict, took: float) -> None:
        """Add one look."""
        self.looks += 1
        self._cells.setdefault(key, Cell()).add(verdict, took)
        if all(KINDS[name].goal for name in kinds):
            self._counted.setdefault(key, Cell()).add(verdict, took)
        if len(kinds) == 1 and key[3] == COMPLETE and key[1] <= USUAL:
            self._kinds.setdefault((kinds[0], key[0]), Cell()).add(verdict, took)
        false = set(map(id, verdict.false))
        for named in verdict.named:
            self._confidence.setdefault(_sureness(named), []).append(id(named) not in false)

    def render(self, goals: Iterable[Goal]) -> str:
        """Return all tables, the last one with `goals`."""
        sizes = sorted({size for _, size in self._kinds})
        return "\n\n".join(
            [
                "### By size, background and number of faults",
                markdown(_HEADER, (_row(key, cell) for key, cell in sorted(self._cells.items()))),
                "### By fault (one at once, background of 0.05 % at most): place and layer right (place right)",
                markdown(["fault", *(f"{size:,} nodes" for size in sizes)], self._by_kind(sizes)),
                "### By confidence: how often a finding that names a place is right",
                markdown(["confidence", "the hub opens it", "findings", "right"], self._by_confidence()),
                "### Goals",
                goals_table(goals),
            ]
        )

    def _by_kind(self, sizes: Sequence[int]) -> Iterator[list[str]]:
        for name in KINDS:
            cells = [self._kinds.get((name, size)) for size in sizes]
            if not any(cells):
                continue
            row = [name]
            for cell in cells:
                if cell is None or not cell.looks:
                    row.append("-")
                elif cell.faults:
                    row.append(
                        f"{_percent(cell.ratio(cell.whole))} ({_percent(cell.ratio(cell.placed))}) of {cell.faults}"
                    )
                else:
                    row.append(f"{cell.false_looks} false of {cell.looks}")
            yield row

    def _by_confidence(self) -> Iterator[list[str]]:
        for row, opens in [*((_from(least), opens) for least, opens in SURENESS.items()), (ONE_OF, LATER)]:
            right = self._confidence.get(row, [])
            yield [row, opens, str(len(right)), _percent(sum(right) / len(right)) if right else "-"]

    def goals(self) -> list[Goal]:
        """Return the goals for the cells that were measured. They count complete rounds alone."""

        def of(least: int, faults: Iterable[int]) -> Cell:
            whole = Cell()
            for (size, background, many, moment), cell in self._counted.items():
                if size >= least and background <= USUAL and many in faults and moment == COMPLETE:
                    whole.plus(cell)
            return whole

        found = []
        one, more, named, healthy = of(5, {1}), of(20, {2, 3}), of(5, {0, 1, 2, 3}), of(3, {0})
        if one.faults:
            found.append(_goal("one fault, place and layer, from 5 nodes", 0.97, one.ratio(one.whole)))
        if more.faults:
            found.append(_goal("two or three faults, place and layer, from 20 nodes", 0.92, more.ratio(more.whole)))
        if named.names:
            found.append(_goal("precision of names, from 5 nodes", 0.99, named.precision))
        if healthy.looks:
            met = healthy.false_looks == 0
            found.append(
                Goal("healthy: single looks with a false name", "0", f"{healthy.false_looks} of {healthy.looks}", met)
            )
        slow = of(SLOWEST, {0, 1, 2, 3})
        if slow.looks:
            met = slow.milliseconds <= 50
            found.append(Goal(f"one look at {SLOWEST:,} nodes", "≤ 50 ms", f"{slow.milliseconds:.0f} ms", met))
        return found


_HEADER = (
    *("nodes", "background", "faults", "round", "looks", "place", "place and layer", "one of", "precision"),
    *("false looks", "ms"),
)


def _row(key: Key, cell: Cell) -> list[str]:
    size, background, faults, moment = key
    shares = [_percent(cell.ratio(many)) if cell.faults else "-" for many in (cell.placed, cell.whole, cell.one_of)]
    precision = _percent(cell.precision) if cell.names else "-"
    whole = [f"{size:,}", f"{background:g}", str(faults), moment, str(cell.looks), *shares, precision]
    return [*whole, str(cell.false_looks), f"{cell.milliseconds:.1f}"]


def _sureness(named: Named) -> str:
    """Return the row of the calibration in which `named` counts."""
    return ONE_OF if named.one_of else _from(next(least for least in SURENESS if named.confidence >= least))


def _from(least: float) -> str:
    return f"from {100 * least:g} %"


def _goal(name: str, asked: float, measured: float) -> Goal:
    return Goal(name, f"≥ {100 * asked:.0f} %", _percent(measured), measured >= asked)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def numbers(text: str) -> list[float]:
    """Return comma-separated numbers."""
    return [float(each) for each in text.split(",")]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
