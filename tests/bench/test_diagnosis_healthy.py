"""A healthy mesh, simulated for hours: it is as healthy as it says, and the hub opens no false name in it."""

from __future__ import annotations

import random

import pytest

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.state import PEER, RESOLVER, State
from tests.bench.diagnosis import lookups
from tests.bench.diagnosis.days import Days
from tests.bench.diagnosis.healthy import watch
from tests.bench.diagnosis.world import INTERVAL, make

HOUR = 3600.0


def hour(background: float, flapping: int, seed: int = 1) -> Days:
    """Return five nodes after an hour and a bit."""
    days = Days(lookups.added(make(5, 0)), background, flapping, random.Random(seed))
    for _ in range(63):
        days.advance(60.0)
    return days


def history(states: list[State]) -> tuple[int, int]:
    """Return the results of the last hour and the streaks of failures in it, of all paths between nodes."""
    paths = [path for state in states for path in state.paths if path.role == PEER]
    return sum(path.past for path in paths), sum(path.flaps for path in paths)


def test_without_failures_every_path_works() -> None:
    """After an hour each path succeeded within an interval or so, and its history says that it always did."""
    for state in hour(0.0, 0).states:
        for path in state.paths:
            assert (path.last, path.failures, path.streak, path.lost) == ("success", {}, 0, 0)
            assert 0 < state.at - path.at < 1.2 * INTERVAL
            assert (path.past, path.flaps, path.lossy) == (120, 0, 0)


def test_the_requested_share_of_probes_fails() -> None:
    """Of the rounds 1 % fail: half of them in all three probes, the others in one."""
    results, failures = history(hour(1e-2, 0).states)
    assert 0.8 < failures / (results * 1e-2 * 2 / 3) < 1.2


def test_look_ups_lose_single_queries() -> None:
    """A query is lost as often as a packet of a train, so twice as many look-ups have one answer."""
    chance = random.Random(1)
    results = [each for _ in range(100_000) for each in lookups.look_up(chance, 0.0, 1e-2, confirm=False)]
    halved = sum(each.partly for each in results) / len(results)
    failed = sum(each.outcome != "success" for each in results) / len(results)
    assert 0.8 < halved / (2 * 1e-2 * lookups.LOST) < 1.2
    assert 0.8 < failed / (1e-2 + 2 * 1e-2 * lookups.LOST) < 1.2


def test_states_count_look_ups_with_one_answer() -> None:
    """They are failures of a path to a DNS server, and what works is asked again every interval."""
    days = hour(0.5, 0)
    paths = [path for state in days.states for path in state.paths if path.role == RESOLVER]
    assert len(paths) == 3 * 5, "the Service and two pods from each node"
    assert 0 < sum(path.partly for path in paths) < sum(path.failed for path in paths)


def test_paths_that_flap_are_called_unsteady() -> None:
    """After an hour the finding lists exactly the paths that flap."""
    days = hour(1e-3, 3)
    (found,) = [each for each in diagnose(days.states, days.waited()) if each.kind == "unsteady"]
    assert {(each.source, each.target, each.plane, each.family) for each in found.failing} == {
        (link.source, link.target, link.plane, link.family) for link in days.flapping
    }


@pytest.mark.parametrize(
    ("size", "number", "flapping", "looks"),
    [(5, 0, 3, 800), (5, 1, 0, 500), (5, 3, 3, 400), (20, 0, 0, 200), (100, 1, 0, 150)],
)
def test_the_hub_opens_no_false_name(size: int, number: int, flapping: int, looks: int) -> None:
    """With 1 % of all rounds failing, looks suspect this and that; nothing opens but a path that does flap."""
    seen = watch(size, number, 1e-2, flapping, looks)
    assert seen.early > 0
    assert seen.opened == []
    assert seen.flapping <= flapping
