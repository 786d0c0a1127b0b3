"""The goals beside the outcomes of `make e2e-accuracy`; it needs no cluster."""

from __future__ import annotations

from collections.abc import Sequence

from tests.e2e.accuracy.goals import FAST, USUAL, goals
from tests.e2e.accuracy.judge import NO_DIRECTION, SEVERAL_LAYERS
from tests.e2e.accuracy.results import Outcome
from tests.e2e.accuracy.rows import Row, right

ONE, OTHER = right("node", "victim"), right("node", "first")
FAULT = Row("a fault", lambda _: None, (ONE,))
TWO = Row("two faults", lambda _: None, (ONE, OTHER))
HEALTHY = Row("healthy", lambda _: None)
AFTER = "right, after a wrong name"


CLOSED = "faults: closed after the repair, all rows"


def outcome(row: Row, word: str = "right", seconds: float | None = 5.0, *lacks: str) -> Outcome:
    return Outcome(row, word, seconds, 8.0, (), lacks)


def closed(seconds: float | None, row: Row = FAULT, word: str = "right", opened: float | None = 5.0) -> Outcome:
    return Outcome(row, word, opened, seconds, ())


def measured(outcomes: Sequence[Outcome], pace: tuple[float, float] = FAST) -> dict[str, tuple[str, bool]]:
    return {goal.name: (goal.measured, goal.met) for goal in goals(outcomes, *pace)}


def test_all_goals_are_met() -> None:
    """A row whose finding has no direction has place and layer."""
    found = measured([outcome(FAULT, "right", 6.0, NO_DIRECTION), outcome(TWO), outcome(HEALTHY, "right", None)])
    assert found == {
        "one fault: rows with place and layer right": ("100.0 %: 1 of 1", True),
        "two faults: rows with place and layer of both right": ("1 of 1", True),
        "faults: rows with a wrong name": ("0 of 2", True),
        "healthy: rows with a name": ("0 of 1", True),
        "faults: open after, median": ("5 s", True),
        CLOSED: ("0 of 2 later; p95 8 s", True),
    }


def test_what_is_not_right_misses_its_goal() -> None:
    """A layer that is not told apart, a wrong name before the right one, one of two faults, a name without a fault."""
    rows = [outcome(FAULT)] * 17 + [outcome(FAULT, AFTER), outcome(FAULT, "right", 5.0, SEVERAL_LAYERS)]
    found = measured([*rows, outcome(TWO, "unknown", None), outcome(HEALTHY, "wrong", None)])
    assert found["one fault: rows with place and layer right"] == ("89.5 %: 17 of 19", False)
    assert found["two faults: rows with place and layer of both right"] == ("0 of 1", False)
    assert found["faults: rows with a wrong name"] == ("1 of 20", False)
    assert found["healthy: rows with a name"] == ("1 of 1", False)


def test_the_time_has_goals_for_two_paces() -> None:
    """With the default pace 20 s and 45 s, with the fast one 6 s; other paces have none. An unnamed fault is late."""
    times = [outcome(FAULT, "right", seconds) for seconds in (10.0, 20.0, 21.0)] + [outcome(FAULT, "unknown", None)]
    usual, fast = measured(times, USUAL), measured(times)
    assert usual["faults: open after, median"] == ("20 s", True)
    assert usual["faults: open after, p95"] == ("not in time", False)
    assert fast["faults: open after, median"] == ("20 s", False)
    assert not [name for name in measured(times, (1.0, 1.0)) if "open after" in name]


def test_every_named_fault_must_close_within_an_interval_and_15_seconds() -> None:
    """One second more misses the goal, and so does a finding that stays open; a name that is wrong must close, too."""
    in_time = [closed(19.0), closed(20.0, TWO)]
    assert measured(in_time)[CLOSED] == ("0 of 2 later; p95 20 s", True)
    assert measured([*in_time, closed(21.0)])[CLOSED] == ("1 of 3 later; p95 21 s", False)
    assert measured([*in_time, closed(None)])[CLOSED] == ("1 of 3 later; p95 not in time", False)
    assert measured([*in_time, closed(21.0, FAULT, "wrong", None)])[CLOSED] == ("1 of 3 later; p95 21 s", False)
    assert measured([closed(45.0)], USUAL)[CLOSED] == ("0 of 1 later; p95 45 s", True)
    assert next(goal.asked for goal in goals(in_time, *FAST) if goal.name == CLOSED) == "≤ 20 s"


def test_where_nothing_was_open_nothing_has_closed() -> None:
    """A fault that nothing named and a healthy row do not count: they closed after 0 s."""
    nothing = [closed(0.0, FAULT, "unknown", None), closed(0.0, HEALTHY, "right", None)]
    assert CLOSED not in measured(nothing)
    assert measured([*nothing, closed(30.0)])[CLOSED] == ("1 of 1 later; p95 30 s", False)
