"""What the benches print as a verdict."""

from __future__ import annotations

from . import table


def test_a_goal_says_whether_it_is_met() -> None:
    """The value itself counts as met."""
    assert table.at_least(0.85, 0.85) == "≥ 0.85 met"
    assert table.at_most(32.1, 32, " MiB") == "≤ 32 MiB missed"
