"""A running schedule: rounds, their failures, its end."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from smoker_prober import schedule as schedules
from smoker_prober.schedule import Schedule, next_tick, phase
from tests.conftest import eventually
from tests.prober.targets import NODE, PLENTY

INTERVAL = 0.05  # seconds
EARLY = 0.1  # of an interval: a timer may be early by a moment

Make = Callable[..., Schedule]


def tick(at: float) -> int:
    """Return the number of the tick to which a round at `at` belongs."""
    return int((at - phase(NODE, INTERVAL)) / INTERVAL + EARLY)


@pytest.fixture
def turn() -> Iterator[Make]:
    """`turn(one_round)` returns a started schedule that ends with the test."""
    started: list[Schedule] = []

    def start(one_round: Callable[[], None], interval: float = INTERVAL) -> Schedule:
        schedule = Schedule({"echo": one_round}, interval=interval, longest=interval, node=NODE)
        schedule.start()
        started.append(schedule)
        return schedule

    yield start
    for schedule in started:
        schedule.close()
        schedule.drain(0)


def test_the_first_round_is_at_once(turn: Make) -> None:
    """The first round does not wait for an interval."""
    done = Event()
    turn(done.set, interval=86_400.0)
    assert done.wait(PLENTY)


def test_every_further_round_is_on_the_grid(turn: Make) -> None:
    """After the first, each round waits for the node's next tick of the wall clock."""
    times: list[float] = []
    turn(lambda: times.append(time.time()))
    eventually("there were ten rounds", lambda: len(times) >= 10)
    for earlier, later in itertools.pairwise(times):
        assert later >= next_tick(earlier, INTERVAL, phase(NODE, INTERVAL)) - EARLY * INTERVAL


class Simulation:
    """Replaces a schedule's clock, event and pool: a long wait takes `error` seconds too many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rounds: int, error: float) -> None:
        self.now, self.rounds, self.error = 100.0, rounds, error
        self.late: list[float] = []
        self.starts: list[float] = []
        monkeypatch.setattr(schedules, "time", self)
        rounds_of = {"echo": lambda: self.starts.append(self.now)}
        self.schedule = Schedule(rounds_of, interval=30.0, longest=15.0, node=NODE, began=self.late.append)
        monkeypatch.setattr(self.schedule, "_changed", self)
        monkeypatch.setattr(self.schedule, "_pool", self)

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_763_029_800.0

    def clear(self) -> None:
        """Do nothing."""

    def set(self) -> None:
        """Do nothing."""

    def wait(self, seconds: float) -> None:
        self.now += seconds + (self.error if seconds > 1 else 0.0)

    def spawn(self, one: Callable[..., None], *arguments: object) -> None:
        one(*arguments)
        self.rounds -= 1
        if not self.rounds:
            self.schedule.close()


@pytest.mark.parametrize("error", [-0.001, 0.0, 0.001, 20.0])
def test_each_tick_comes_exactly_once(monkeypatch: pytest.MonkeyPatch, error: float) -> None:
    """With early and late timers a thousand rounds are a thousand ticks on the grid."""
    simulation = Simulation(monkeypatch, 1000, error)
    simulation.schedule._turn()
    assert len(simulation.starts) == 1000
    first = next_tick(simulation.time(), 30.0, phase(NODE, 30.0)) - simulation.time() + 100.0 + max(error, 0.0)
    assert simulation.starts[1:] == pytest.approx([first + 30.0 * number for number in range(999)], abs=1e-5)


def test_the_second_round_is_at_the_nodes_place_on_the_grid() -> None:
    """It comes at the node's next tick, which may be much sooner than an interval later."""
    interval, times = 60.0, [time.time()]
    soon = next(
        name
        for name in (f"node-{number}" for number in range(100_000))
        if 0.4 < next_tick(times[0], interval, phase(name, interval)) - times[0] < 0.5
    )
    due = next_tick(times[0], interval, phase(soon, interval))
    schedule = Schedule({"echo": lambda: times.append(time.time())}, interval=interval, longest=1.0, node=soon)
    schedule.start()
    eventually("there was a second round", lambda: schedule.ended == 2)
    schedule.close()
    assert schedule.drain(PLENTY) == 0
    assert times[1] < times[2]
    assert times[2] >= due - EARLY * INTERVAL


def test_the_delay_of_each_round_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lateness is never negative: the first round is on time, and a long wait shows."""
    simulation = Simulation(monkeypatch, 3, 0.25)
    simulation.schedule._turn()
    assert simulation.late == pytest.approx([0.0, 0.25, 0.25], abs=1e-6)


def test_rounds_do_not_overlap(turn: Make) -> None:
    """A round that takes longer than the interval ends before the next one begins."""
    under_way: list[int] = []
    most: list[int] = []

    def slow() -> None:
        under_way.append(1)
        most.append(len(under_way))
        gevent.sleep(3 * INTERVAL)
        under_way.pop()

    turn(slow)
    eventually("there were four rounds", lambda: len(most) >= 4)
    assert set(most) == {1}


def test_an_overrun_skips_rounds_and_logs_it(turn: Make, records: list[str]) -> None:
    """A round of three and a half intervals is followed by the fourth tick, and a warning says so."""
    times: list[float] = []

    def slow() -> None:
        times.append(time.time())
        gevent.sleep(3.5 * INTERVAL)

    turn(slow)
    eventually("there were five rounds", lambda: len(times) >= 5)
    assert tick(times[4]) - tick(times[1]) >= 3 * 4
    assert "WARNING a round took longer than the interval; the rounds in between are skipped" in records[0]
    assert f"'interval': {INTERVAL}" in records[0]


def test_rounds_in_time_log_no_warning(turn: Make, records: list[str]) -> None:
    """A round that ends before the next tick logs nothing."""
    schedule = turn(lambda: None, interval=1.0)
    eventually("there were two rounds", lambda: schedule.ended >= 2)
    assert records == []


def test_a_failing_round_is_logged_and_rounds_continue(turn: Make, records: list[str]) -> None:
    """An exception in one round does not end the prober."""

    def defective() -> None:
        raise ZeroDivisionError

    schedule = turn(defective)
    eventually("there were three rounds", lambda: schedule.ended >= 3)
    assert [line.split(" {")[0] for line in records[:3]] == ["ERROR a round failed"] * 3


def test_closing_between_rounds_ends_at_once(turn: Make) -> None:
    """Nothing is in progress, so nothing is waited for or cut, and no further round begins."""
    schedule = turn(lambda: None, interval=86_400.0)
    eventually("the first round is over", lambda: schedule.ended == 1)
    schedule.close()
    assert schedule.closed
    assert schedule.drain(PLENTY) == 0
    assert schedule.ended == 1


def test_a_round_in_flight_is_waited_for(turn: Make) -> None:
    """A drain ends when the round does."""
    begun, go_on = Event(), Event()

    def waits() -> None:
        begun.set()
        go_on.wait()

    schedule = turn(waits)
    assert begun.wait(PLENTY)
    schedule.close()
    gevent.spawn_later(0.02, go_on.set)
    assert schedule.drain(PLENTY) == 0
    assert schedule.ended == 1


def test_a_round_that_does_not_end_is_cut(turn: Make) -> None:
    """A drain has a time limit; rounds that run longer are ended and counted."""
    begun, cut = Event(), Event()

    def hangs() -> None:
        begun.set()
        try:
            Event().wait()
        finally:
            cut.set()

    schedule = turn(hangs)
    assert begun.wait(PLENTY)
    schedule.close()
    assert schedule.drain(0.02) == 1
    assert cut.is_set()
    assert schedule.ended == 0


def test_a_schedule_that_never_started_has_nothing_in_flight() -> None:
    """A service that is stopped while it starts drains, too."""
    schedule = Schedule({"echo": lambda: None}, interval=1.0, longest=1.0, node=NODE)
    assert schedule.drain(PLENTY) == 0


def test_ready_when_the_first_round_has_ended(turn: Make) -> None:
    """Readiness is a round that has ended, whatever it found."""
    go_on = Event()
    schedule = turn(go_on.wait, interval=86_400.0)
    gevent.sleep(0)
    assert schedule.unready() == "the first round has not ended"
    go_on.set()
    eventually("it is ready", lambda: not schedule.unready())


def test_a_schedule_without_new_rounds_is_stuck(turn: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that hangs for longer than interval, round and patience makes the schedule stuck."""
    go_on = Event()
    schedule = turn(go_on.wait)
    assert schedule.stuck() == ""
    monkeypatch.setattr(schedules, "PATIENCE", 0.0)
    why = eventually("it is stuck", schedule.stuck)
    assert why.startswith("no round has begun for ")


def test_each_round_that_begins_is_a_sign_of_life(turn: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any patience, and after more time than one round may take, it is still not stuck when a round begins."""
    monkeypatch.setattr(schedules, "PATIENCE", 0.0)
    told: list[str] = []
    schedule: Schedule = turn(lambda: told.append(schedule.stuck()))
    eventually("there were eight rounds", lambda: len(told) >= 8)
    assert set(told) == {""}


def test_a_long_interval_is_not_stuck(turn: Make) -> None:
    """Between two rounds that are far apart, it is alive."""
    schedule = turn(lambda: None, interval=86_400.0)
    eventually("the first round is over", lambda: schedule.ended == 1)
    assert schedule.stuck() == ""


class ManyRounds:
    """A schedule of many rounds, and when each began."""

    def __init__(self, number: int, one: Callable[[], None] = lambda: None, interval: float = 0.2) -> None:
        self.begun: list[tuple[str, float]] = []

        def round_of(name: str) -> Callable[[], None]:
            def one_round() -> None:
                self.begun.append((name, time.monotonic()))
                one()

            return one_round

        names = [f"peer-{n}" for n in range(number)]
        rounds = {name: round_of(name) for name in names}
        self.schedule = Schedule(rounds, interval=interval, longest=interval, node=NODE)


@pytest.fixture
def many() -> Iterator[Callable[..., ManyRounds]]:
    """`many(number, one)` returns a running schedule of `number` rounds that ends with the test."""
    made: list[ManyRounds] = []

    def start(*arguments: Any) -> ManyRounds:
        made.append(ManyRounds(*arguments))
        made[-1].schedule.start()
        return made[-1]

    yield start
    for each in made:
        each.schedule.close()
        each.schedule.drain(0)


def test_many_rounds_each_have_their_turn(many: Callable[..., ManyRounds]) -> None:
    """Fifty targets are each probed again and again, none twice within half an interval, none left out."""
    found = many(50)
    eventually("there were five of each", lambda: found.schedule.ended >= 250)
    counts = Counter(name for name, _ in found.begun)
    assert len(counts) == 50
    assert max(counts.values()) - min(counts.values()) <= 2


def test_many_rounds_are_spread_over_the_interval() -> None:
    """A thousand targets are not probed in one burst: no tenth of the interval has twice its share."""
    schedule = ManyRounds(1000, interval=30.0).schedule
    bins = Counter(int(schedule.next(f"peer-{n}", 100.0) % 30.0 / 3.0) for n in range(1000))
    assert sum(bins.values()) == 1000
    assert len(bins) == 10
    assert max(bins.values()) <= 200


def test_a_hanging_round_delays_no_other(many: Callable[..., ManyRounds], monkeypatch: pytest.MonkeyPatch) -> None:
    """The round of a silent target does not delay others, and is logged if it lasts too long."""
    first: list[bool] = []

    def hangs_once() -> None:
        if not first:
            first.append(True)
            Event().wait()

    found = many(5, hangs_once, 0.05)
    eventually("the others have gone on", lambda: found.schedule.ended >= 40)
    assert Counter(name for name, _ in found.begun)["peer-0"] == 1
    monkeypatch.setattr(schedules, "PATIENCE", -0.1)
    assert found.schedule.stuck()


def test_the_number_of_running_rounds_is_bounded(
    many: Callable[..., ManyRounds], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most so many rounds run at once, so that a missing zone does not use all memory."""
    monkeypatch.setattr(schedules, "AT_ONCE", 3)
    go_on = Event()
    found = many(10, go_on.wait)
    eventually("three are under way", lambda: len(found.begun) == 3)
    gevent.sleep(0.05)
    assert len(found.begun) == 3
    go_on.set()
    eventually("each has ended", lambda: found.schedule.ended >= 10)


def test_all_running_rounds_are_cut_at_the_end(many: Callable[..., ManyRounds]) -> None:
    """A drain counts each."""
    found = many(4, Event().wait)
    eventually("all are under way", lambda: len(found.begun) == 4)
    found.schedule.close()
    assert found.schedule.drain(0.02) == 4
