"""The simulation of the mesh tells a good picker from a broken one, and its clock is the schedule's."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from smoker_prober.peers.pick import picks
from smoker_prober.schedule import Schedule

from . import mesh
from .mesh import INTERVAL, TIMEOUT, Graph


def first_in_order(zones: Mapping[str, str], count: int) -> Graph:
    """A picker that has all probe the same few."""
    return {own: frozenset([name for name in sorted(zones) if name != own][:count]) for own in zones}


def next_in_order(zones: Mapping[str, str], count: int) -> Graph:
    """A picker that goes by rank, in strides: fair, but one that joins moves nearly all the edges."""
    names = sorted(zones)
    return {
        own: frozenset(names[(rank + 7 * step) % len(names)] for step in range(1, count + 1))
        for rank, own in enumerate(names)
    }


def missed(picker: mesh.Picker, nodes: int) -> list[str]:
    """What `picker` does not do."""
    goals = mesh.verdicts(mesh.standing(picker, mesh.cluster(nodes)), nodes)
    return [goal for goal, met in goals.items() if not met]


@pytest.mark.parametrize("nodes", [10, 100])
def test_the_real_picker_meets_every_goal(nodes: int) -> None:
    """The real picker does all that is asked."""
    assert not missed(picks, nodes)


def test_a_bad_picker_misses_the_goals() -> None:
    """If all nodes probe the same few, most dead nodes go unseen; with a choice by rank a change moves every path."""
    assert {"10 out, 10 in", "strongly connected", "three see a dead node in a round"} <= {*missed(first_in_order, 100)}
    assert missed(next_in_order, 100) == ["a move changes ≤ 30 others' edges"]


def test_a_fault_on_no_probed_path_is_never_seen() -> None:
    """A fault on no probed path is never seen, and one path is not three."""
    waits = mesh.DetectionTimes()
    waits.add([], 0.0)
    waits.add([("x", "y")], 0.0)
    assert waits.first[0] == math.inf
    assert TIMEOUT <= waits.first[1] <= INTERVAL + TIMEOUT
    assert waits.third == [math.inf, math.inf]


def test_simulated_rounds_follow_the_schedule() -> None:
    """A node's rounds in the simulation are when the schedule has them."""
    names = ["y", *(str(number) for number in range(1, mesh.ROUNDS))]
    schedule = Schedule(dict.fromkeys(names, print), interval=INTERVAL, longest=TIMEOUT, node="x")
    for now in (0.0, 12.3, 1e5):
        due = schedule.next("y", now) + schedule._wall
        assert mesh.fires("x", "y", now + schedule._wall) == pytest.approx(due, abs=1e-6)


def test_strong_connection_is_recognized() -> None:
    """A circle is strongly connected; a line and two circles are not."""
    circle = {"x": frozenset("y"), "y": frozenset("z"), "z": frozenset("x")}
    assert mesh.strongly_connected(circle)
    assert not mesh.strongly_connected({**circle, "z": frozenset()})
    assert not mesh.strongly_connected(
        {"x": frozenset("y"), "y": frozenset("x"), "z": frozenset("u"), "u": frozenset("z")}
    )


def test_edges_of_the_new_node_are_not_counted() -> None:
    """Edges to or from the node that came are not counted; the one that it took the place of is."""
    before = {"x": frozenset("y"), "y": frozenset("x")}
    assert mesh.changed(before, {"x": frozenset("n"), "n": frozenset("y"), "y": frozenset("x")}) == 1
