"""The goals of the simulated diagnosis count what they say."""

from __future__ import annotations

import sys

import pytest
from loguru import logger

from tests.bench.diagnosis import healthy, run
from tests.bench.diagnosis.findings import Named
from tests.bench.diagnosis.healthy import Seen
from tests.bench.diagnosis.table import COMPLETE, HALF, Table
from tests.bench.diagnosis.truth import Verdict

FALSE = Named("fault", "node", ("node-1",), (), frozenset({"network"}), (), (), (), 0.99, "")


def goals_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seen: Seen) -> tuple[int, list[str]]:
    """Return the exit code and the rows about healthy meshes of a run in which each mesh is seen so for hours."""
    monkeypatch.setattr(healthy, "watch", lambda *_: seen)
    monkeypatch.setattr(logger, "disable", lambda _: None)  # other tests of this process read the hub's log
    options = ["--sizes", "5", "--background", "0", "--faults", "0", "--looks", "1"]
    monkeypatch.setattr(sys, "argv", ["diagnosis", *options])
    code = run.main()
    goals = capsys.readouterr().out.partition("### Goals")[2].splitlines()
    return code, [line for line in goals if line.startswith("| healthy")]


def test_hours_without_a_fault_count_in_the_goals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The goals show the looks of the hours that have a false name, and the false names that the hub opened."""
    meshes = len(healthy.MESHES) * len(healthy.BACKGROUNDS) * len(healthy.FLAPPING)
    code, rows = goals_of(monkeypatch, capsys, Seen(looks=90, early=10, named=2, opened=[FALSE]))
    assert rows == [
        "| healthy: single looks with a false name | 0 | 0 of 1 | yes |",
        f"| healthy for hours: looks with a false name | 0 | {2 * meshes} of {100 * meshes:,} | NO |",
        f"| healthy for hours: false names that the hub opens | 0 | {meshes} in {100 * meshes:,} looks | NO |",
    ]
    assert code == 1


def test_a_false_name_that_does_not_open_misses_one_goal_of_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a look names and what the hub opens are two goals. One that is missed fails the run."""
    code, rows = goals_of(monkeypatch, capsys, Seen(looks=100, named=1))
    assert [row.split(" | ")[-1] for row in rows] == ["yes |", "NO |", "yes |"]
    assert code == 1
    code, rows = goals_of(monkeypatch, capsys, Seen(looks=100))
    assert [row.split(" | ")[-1] for row in rows] == ["yes |", "yes |", "yes |"]
    assert code == 0


def test_half_finished_rounds_are_left_out_of_the_goals() -> None:
    """A fault that is missed in a half-finished round is in the table, and in no goal."""
    table = Table()
    table.add((20, 0.0, 1, COMPLETE), ["node dead"], Verdict(faults=1, placed=1, whole=1), 0.001)
    table.add((20, 0.0, 1, HALF), ["node dead"], Verdict(faults=1, missed=["node dead"]), 0.001)
    (goal,) = table.goals()
    assert (goal.name, goal.measured) == ("one fault, place and layer, from 5 nodes", "100.0 %")
    assert "| 20 | 0 | 1 | half | 1 | 0.0 %" in table.render([goal])
