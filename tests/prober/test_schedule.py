"""The times of rounds: arithmetic without a clock."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import gevent
import pytest
from gevent.event import Event

from smoker_prober.schedule import TOGETHER, Schedule, next_tick, phase
from tests.conftest import eventually

SPREAD = {"tcp": 0.0, "udp": 1 / 3, "http": 2 / 3}
NODES = {
    "numbered": [f"node-{number}" for number in range(1000)],
    "addresses": [f"ip-10-0-{number // 250}-{number % 250}.eu-west-1.compute.internal" for number in range(1000)],
    "hashed": [f"gke-prod-pool-1-{number * 2654435761 % 2**32:08x}" for number in range(1000)],
}


@pytest.mark.parametrize("names", NODES.values(), ids=NODES)
def test_a_thousand_nodes_do_not_fire_together(names: list[str]) -> None:
    """Their phases are spread evenly: no tenth of the interval has more than twice or less than half of its share."""
    bins = [0] * 10
    for name in names:
        bins[int(phase(name, 30.0) / 3.0)] += 1
    assert sum(bins) == 1000
    assert max(bins) <= 200
    assert min(bins) >= 50


def test_the_phase_depends_on_the_node() -> None:
    """The phase is the same at each start and on each machine, in proportion to the interval."""
    assert phase("node-1", 30.0) == pytest.approx(30 * phase("node-1", 1.0))
    assert [round(phase(name, 30.0), 3) for name in ("node-1", "node-2", "")] == [8.702, 18.155, 25.484]
    assert all(0 <= phase(name, 0.1) <= 0.1 for name in NODES["numbered"])


def test_the_next_tick_is_the_first_after_now() -> None:
    """It is later than now by at most one interval, and on the grid, for any interval, phase and time."""
    chance = random.Random(2)  # the same numbers each time
    for _ in range(20_000):
        interval = chance.choice([0.1, 1 / 3, 1.0, 5.0, 30.0, 86400.0, chance.uniform(0.1, 1000)])
        offset = chance.uniform(0, interval)
        now = chance.choice([0.0, 1.0, chance.uniform(0, 100), chance.uniform(1.7e9, 1.9e9)])
        if chance.random() < 0.5:
            now = next_tick(now, interval, offset)  # exactly on a tick
        tick = next_tick(now, interval, offset)
        places = (tick - offset) / interval
        assert tick > now
        assert tick - now <= interval * (1 + 1e-9) + 1e-6
        assert abs(places - round(places)) * interval < 1e-6


@pytest.mark.parametrize(
    ("now", "interval", "offset", "tick"),
    [
        (0.0, 30.0, 0.0, 30.0),
        (0.0, 30.0, 10.0, 10.0),
        (10.0, 30.0, 10.0, 40.0),
        (9.999, 30.0, 10.0, 10.0),
        (39.0, 30.0, 10.0, 40.0),
        (-5.0, 30.0, 10.0, 10.0),
        (1000.0, 30.0, 30.0, 1020.0),
    ],
)
def test_ticks(now: float, interval: float, offset: float, tick: float) -> None:
    """The grid is `offset` past each multiple of `interval`."""
    assert next_tick(now, interval, offset) == tick


@pytest.mark.parametrize("interval", [0.1, 1 / 3, 30.0])
def test_ten_thousand_ticks_do_not_drift(interval: float) -> None:
    """Rounds that begin late and take time do not move the grid: none is lost or repeated."""
    chance = random.Random(3)
    offset = phase("node-1", interval)
    first = due = next_tick(1_763_029_800.0, interval, offset)
    for _ in range(10_000):
        due = next_tick(due + chance.uniform(0, 0.99) * interval, interval, offset)
    assert due == pytest.approx(first + 10_000 * interval, abs=1e-5)


def test_an_overrunning_round_skips_ticks() -> None:
    """After a round of 75 s the next one is at the next tick, and the two missed ones are skipped."""
    assert next_tick(10.0 + 75.0, 30.0, 10.0) == 100.0


def places(node: str, rounds: int) -> Counter[float]:
    """Return the offsets at which a node's rounds begin within 30 s, and how many begin at each."""
    names = [str(number) for number in range(rounds)]
    schedule = Schedule(dict.fromkeys(names, lambda: None), interval=30.0, longest=1.0, node=node)
    return Counter(round((schedule.next(name, 0.0) + schedule._wall) % 30.0, 4) for name in names)


def test_a_few_rounds_begin_together() -> None:
    """A few rounds begin together at the node's own moment."""
    for node in ("node-1", "node-2"):
        assert places(node, 1) == {round(phase(node, 30.0), 4): 1}
        assert places(node, TOGETHER) == {round(phase(node, 30.0), 4): TOGETHER}


def test_many_rounds_go_in_groups_over_the_interval() -> None:
    """Groups have about the same size and are spread evenly; another node's groups begin at other times."""
    found = places("node-1", 1000)
    assert len(found) > 1000 / TOGETHER * 0.9
    assert max(found.values()) < 3 * TOGETHER
    thirds = Counter(int(place / 10) for place in found.elements())
    assert all(250 < thirds[third] < 420 for third in range(3))
    assert not found.keys() & places("node-2", 1000).keys()


def test_rounds_that_are_spread_are_in_no_group() -> None:
    """They begin at their share of the interval after the node's place, beside few rounds and beside many."""
    for others in (0, 1000):
        rounds = dict.fromkeys([*SPREAD, *map(str, range(others))], lambda: None)
        schedule = Schedule({}, interval=30.0, longest=1.0, node="node-1")
        schedule.set(rounds, spread=SPREAD)
        for name, share in SPREAD.items():
            due = schedule.next(name, 0.0) + schedule._wall - share * 30.0
            assert math.remainder(due - phase("node-1", 30.0), 30.0) == pytest.approx(0.0, abs=0.001)


def test_the_first_rounds_that_are_spread_run_one_after_the_other() -> None:
    """They do so whatever their ticks, at which they go on."""
    calls = list[str]()
    schedule = Schedule({}, interval=60.0, longest=1.0, node="node-1")
    schedule.set({name: partial(calls.append, name) for name in SPREAD}, spread=SPREAD)
    schedule.start()
    assert schedule.unready()
    eventually("each has run once", lambda: schedule.ended == len(SPREAD))
    assert calls == [*SPREAD]
    assert not schedule.unready()
    now = time.monotonic()
    for name in SPREAD:
        assert schedule._due_at[name] == pytest.approx(schedule.next(name, now))
    schedule.close()
    schedule.drain(0)


@pytest.mark.parametrize("left", [("tcp", "http"), ("http",), ("tcp", "udp"), ("tcp", "udp", "http")])
def test_the_first_turn_goes_on_where_rounds_are_replaced(left: tuple[str, ...]) -> None:
    """No round waits for one that is gone, or runs twice."""
    calls, end = list[str](), Event()

    def waits() -> None:
        calls.append("udp")
        end.wait()

    def rounds(*names: str) -> dict[str, Callable[[], None]]:
        return {name: partial(calls.append, name) for name in names} | ({"udp": waits} if "udp" in names else {})

    schedule = Schedule({}, interval=60.0, longest=1.0, node="node-1")
    schedule.set(rounds(*SPREAD), spread=SPREAD)
    schedule.start()
    eventually("the second one runs", lambda: calls == ["tcp", "udp"])
    assert schedule._due_at.keys() == {"tcp"}
    schedule.set(rounds(*left), spread={name: SPREAD[name] for name in left})
    if "udp" not in left:
        eventually("the others do not wait for it", lambda: calls[2:] == [*left])
    end.set()
    eventually("all have run", lambda: schedule._due_at.keys() == {*left})
    assert calls[2:] == [name for name in left if name != "udp"], "its round is the same as before"
    schedule.close()
    schedule.drain(0)


def test_a_round_takes_its_new_place_at_once_if_that_is_sooner() -> None:
    """Rounds that waited for the common beginning of a few do not wait for it once there are many.

    None waits longer than before, and one with an interval of its own waits for its own tick.
    """

    def nothing() -> None: ...

    first, own = [str(number) for number in range(TOGETHER - 1)], {"own": 3600.0}
    few = {**dict.fromkeys(first, nothing), "own": nothing}
    many = {**few, **{str(number): nothing for number in range(TOGETHER, 40)}}
    longest_wait = max(NODES["numbered"], key=lambda node: next_tick(time.time(), 30.0, phase(node, 30.0)))
    schedule = Schedule({}, interval=30.0, longest=1.0, node=longest_wait)
    schedule.set(few, own)
    schedule.start()
    gevent.sleep(0)
    deadline = time.monotonic() + 10
    while schedule.ended < len(few) and time.monotonic() < deadline:
        gevent.sleep(0.01)
    before = dict(schedule._due_at)
    assert before.keys() == few.keys(), "each has run once and waits"
    now = time.monotonic()
    schedule.set(many, own)
    for name in first:
        assert schedule._due_at[name] == pytest.approx(min(before[name], schedule.next(name, now)), abs=0.5)
    assert any(schedule._due_at[name] < before[name] - 1 for name in first)
    assert schedule._due_at["own"] == before["own"]
    schedule.close()
    schedule.drain(1)
