"""The goals of the diagnosis on a cluster, beside what a run of `make e2e-accuracy` measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tests.e2e.accuracy.judge import SEVERAL_LAYERS
from tests.e2e.accuracy.results import Outcome, nearest_rank, seconds
from tests.goals import Goal

RIGHT = 0.95  # share of the rows with one fault of which place and layer must be named
USUAL = (30.0, 5.0)  # the default interval and timeout of probes, in seconds
MEDIAN, P95 = 20.0, 45.0  # seconds until a finding opens, with these
FAST = (5.0, 1.0)
FAST_MEDIAN = 6.0
CLOSING = 15.0  # seconds, beside one interval, within which a finding must be closed after the repair


def goals(outcomes: Sequence[Outcome], interval: float, timeout: float) -> Iterator[Goal]:
    """Yield the goals that `outcomes` speak of, measured with this interval and timeout of probes, in seconds."""
    one, more, none = ([each for each in outcomes if _faults(each) == many] for many in (1, 2, 0))
    if one:
        named = sum(map(_place_and_layer, one))
        share = f"{100 * named / len(one):.1f} %: {named} of {len(one)}"
        yield Goal(
            "one fault: rows with place and layer right", f"≥ {100 * RIGHT:.0f} %", share, named >= RIGHT * len(one)
        )
    if more:
        yield _all("two faults: rows with place and layer of both right", sum(map(_place_and_layer, more)), len(more))
    if one or more:
        wrong = sum(_wrong(each) for each in (*one, *more))
        yield Goal("faults: rows with a wrong name", "0", f"{wrong} of {len(one) + len(more)}", wrong == 0)
    if none:
        wrong = sum(map(_wrong, none))
        yield Goal("healthy: rows with a name", "0", f"{wrong} of {len(none)}", wrong == 0)
    yield from _soon([each.seconds for each in (*one, *more)], (interval, timeout))
    yield from _closed([each for each in (*one, *more) if each.seconds is not None or _wrong(each)], interval)


def _soon(times: Sequence[float | None], pace: tuple[float, float]) -> Iterator[Goal]:
    """Yield the goals for the seconds until a finding opens. A fault that was not named is slower than every other."""
    limits = {USUAL: {0.5: MEDIAN, 0.95: P95}, FAST: {0.5: FAST_MEDIAN}}.get(pace, {})
    for share, limit in limits.items() if times else ():
        found = nearest_rank([math.inf if each is None else each for each in times], share)
        name = "median" if share == 0.5 else f"p{100 * share:.0f}"
        yield Goal(f"faults: open after, {name}", f"≤ {limit:.0f} s", seconds(found), found <= limit)


def _closed(named: Sequence[Outcome], interval: float) -> Iterator[Goal]:
    """Yield the goal for the seconds until nothing is open any more, of the rows in which something was."""
    if named:
        limit, times = interval + CLOSING, [math.inf if each.closed is None else each.closed for each in named]
        late = sum(time > limit for time in times)
        p95 = seconds(nearest_rank(times, 0.95))
        yield Goal(
            "faults: closed after the repair, all rows",
            f"≤ {limit:g} s",
            f"{late} of {len(times)} later; p95 {p95}",
            not late,
        )


def _all(name: str, many: int, of: int) -> Goal:
    return Goal(name, "all", f"{many} of {of}", many == of)


def _faults(outcome: Outcome) -> int:
    return min(len(outcome.row.right), 2)


def _place_and_layer(outcome: Outcome) -> bool:
    return outcome.word == "right" and SEVERAL_LAYERS not in outcome.lacks


def _wrong(outcome: Outcome) -> bool:
    return "wrong" in outcome.word
