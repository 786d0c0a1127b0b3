"""Evidence for and against each component of a scope, from its probes: sums of logarithms of likelihoods."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from smoker_diagnosis.component import MAY, MUST, NO, OF_SCOPE, Component, Scope, fails
from smoker_diagnosis.evidence import ECHO, HTTP, LARGE, TCP, UDP, Cell, Row
from smoker_diagnosis.results import Key, Results

HARD = 0.97  # share of its paths that a broken component fails
MAYBE = 0.5  # the same for paths that may or may not fail with it
STAYS = 0.05  # chance that a path that failed by chance fails in the next round, too
LONGEST_STREAK = 4  # failures in a row that count
LONGEST_BESIDE_LOSS = 12  # the same where packets are lost: each says less there, and they are independent
SPREAD = 1.25  # factor by which a path of a lossy component may lose more than the others
MOST_LOST = 0.97
TRIES = 2  # packets in a row that a TCP probe must lose to fail: it sends again before its timeout
ENOUGH = 1.9  # failing paths (two, with room for rounding); with fewer, some must have failed twice:
TWICE = 0.3  # this share of the failing probes
TOGETHER = 0.1  # seconds: probes of one turn begin within them, and a fault rarely begins just between them
OLDER = 0.8  # share of the failures that began since the fault did, rounded up; an older one may have another cause


class Odds:
    """How much likelier one result is with a broken component than without, as logarithms, by `MUST` and `MAY`."""

    def __init__(self, background: float, rates: Mapping[int, float]) -> None:
        """`background`: share of the paths that fail by chance; `rates`: of packets lost, by identity of a path."""
        self._background, self.rates = background, rates
        self._of: dict[tuple[float, int], Worth] = {}

    def of(self, rate: float, bit: int) -> Worth:
        """Return what a probe says on a path that loses packets at `rate`."""
        found = self._of.get((rate, bit))
        if found is None:
            lost = min(SPREAD * rate, MOST_LOST)
            lost = lost if bit in (UDP, LARGE) else lost**TRIES
            chance, again = max(self._background, lost), max(STAYS, lost)
            found = self._of[rate, bit] = Worth(
                {MUST: math.log(HARD / chance), MAY: max(math.log(MAYBE / chance), 0.0)},
                {MUST: math.log((1 - HARD) / (1 - chance)), MAY: 0.0},
                {MUST: math.log(HARD / again), MAY: max(math.log(MAYBE / again), 0.0)},
            )
        return found

    def most(self, cell: Cell) -> float:
        """Return the highest gain of a component from the failures of `cell`."""
        rate, total = self.rates.get(id(cell), 0.0), 0.0
        for failing in (list(cell.failing(ECHO)), list(cell.failing(LARGE))):
            if failing:
                total += max(
                    worth.fails[MUST] + worth.again[MUST] * _again(cell.failed[bit].streak, rate)
                    for bit, worth in [(bit, self.of(rate, bit)) for bit in failing]
                )
        return total


class Worth(NamedTuple):
    """Logarithms for one result."""

    fails: dict[int, float]
    works: dict[int, float]
    again: dict[int, float]  # for each further failure in a row


@dataclass(slots=True)
class Sum:
    """The numbers of results with the same key that are evidence for and against a component."""

    bad: int = 0
    again: int = 0  # rounds in a row beyond the first in which these failed
    often: int = 0  # of the failing ones, those that failed more than once
    good: int = 0  # working ones that were probed since the fault began
    failing: list[Cell] = field(default_factory=list)  # the paths of the bad ones

    def fail(self, cell: Cell, bit: int, rate: float) -> None:
        """Count a failing result of a path that loses packets at `rate`."""
        more = _again(cell.failed[bit].streak, rate)
        self.bad += 1
        self.again += more
        self.often += more > 0
        self.failing.append(cell)


@dataclass(slots=True)
class Rows:
    """The failures that a component explains, each with its worth, and the evidence against it."""

    bad: dict[Row, float]
    against: float


class Table:
    """The results of a scope: failures that nothing else explains yet, and successes since these began."""

    def __init__(self, scope: Scope, results: Sequence[Results], left: Collection[Row], odds: Odds) -> None:
        self._scope, self._odds = scope, odds
        self._sums: dict[Key, Sum] = {}
        failing = [(key, cell) for each in results for key, cell in each.failing if (id(cell), key.bit) in left]
        for key, cell in failing:
            self._sum(key).fail(cell, key.bit, key.rate)
        began = _began(sorted(cell.failing_for(key.bit) for key, cell in failing))
        for each in results:  # a success from before the fault is no evidence
            for key, good in each.worked(began + TOGETHER):
                if good:
                    self._sum(key).good += good

    def _sum(self, key: Key) -> Sum:
        found = self._sums.get(key)
        if found is None:
            found = self._sums[key] = Sum()
        return found

    def components(self) -> Iterator[Component]:
        """Yield the components of this scope that the failures suggest."""
        failing = [key for key in self._sums if key.bad]
        bits = {key.bit for key in failing}
        small = bits & {TCP, UDP, HTTP}
        options = [ECHO, *small] if small else []
        options += [TCP | HTTP] if {TCP, HTTP} <= small else []
        options += [LARGE] if LARGE in bits else []
        narrow: list[tuple[str, ...]] = [()]
        if len({key.family for key in self._sums}) > 1:
            narrow += [(family,) for family in {key.family for key in failing}]
        for layer in OF_SCOPE[self._scope.kind]:
            for option in options:
                for only in narrow:
                    yield Component(self._scope, layer, option, only)

    def gain(self, component: Component) -> tuple[float, bool]:
        """Return the gain of `component` before its price, and whether enough has failed to name it."""
        total, bad, often = 0.0, 0.0, 0.0
        for key, each in self._sums.items():
            how = _how(component, key)
            if how == NO:
                continue
            weight = _weight(component, key)
            worth = self._odds.of(key.rate, key.bit)
            total += weight * (
                each.bad * worth.fails[how] + each.again * worth.again[how] + each.good * worth.works[how]
            )
            bad += weight * each.bad
            often += weight * each.often
        return total, bad > 0 and (bad >= ENOUGH or often >= TWICE * bad)

    def in_part(self, component: Component) -> float:
        """Return how much likelier the results are if `component` fails a share of its probes than if it fails all.

        A logarithm. The share is that of the results since the fault began. Probes that failed again when they were
        repeated are no such share: where packets get through, most of those are answered.
        """
        bad = good = often = 0.0
        for key, each in self._sums.items():
            if _how(component, key) == MUST:
                weight = _weight(component, key)
                bad += weight * each.bad
                good += weight * each.good
                often += weight * each.often
        if not good or often >= TWICE * bad:
            return 0.0
        share = bad / (bad + good)
        return bad * math.log(share / HARD) + good * math.log((1 - share) / (1 - HARD)) if share < HARD else 0.0

    def rows(self, component: Component) -> Rows:
        """Return the evidence for and against `component`, result by result."""
        found, against = dict[Row, float](), 0.0
        for key, each in self._sums.items():
            how = _how(component, key)
            if how == NO:
                continue
            weight, worth, bit = _weight(component, key), self._odds.of(key.rate, key.bit), key.bit
            against += each.good * weight * worth.works[how]
            fails, again = weight * worth.fails[how], weight * worth.again[how]
            for cell in each.failing:
                found[id(cell), bit] = fails + _again(cell.failed[bit].streak, key.rate) * again
        return Rows(found, against)


def _began(ages: Sequence[float]) -> float:
    """Return the seconds since the fault began. `ages`: of its failures, in order."""
    return ages[math.ceil(OLDER * (len(ages) - 1))] if ages else 0.0


def _again(streak: int, rate: float) -> int:
    return min(streak, LONGEST_BESIDE_LOSS if rate else LONGEST_STREAK) - 1


def _how(component: Component, key: Key) -> int:
    if not key.bit & component.bits or (component.families and key.family not in component.families):
        return NO
    return fails(component.layer, key.plane, local=key.local, source_in=key.source_in, target_in=key.target_in)


def _weight(component: Component, key: Key) -> float:
    """Return the weight of one result.

    A path counts once: the probes that fail on it share its weight, and so do those that work against a component's
    word. Large packets count for themselves.
    """
    if key.bit == LARGE:
        return 1.0
    return 1.0 / (key.probes if key.bad else key.probes & component.bits).bit_count()
