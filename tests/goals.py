"""Goals beside what was measured, as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Goal(NamedTuple):
    """A goal and the measured figure."""

    name: str
    asked: str
    measured: str
    met: bool


def goals_table(goals: Iterable[Goal]) -> str:
    """Return the goals as a Markdown table."""
    lines = ["| goal | asked | measured | met |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(goal[:3])} | {'yes' if goal.met else 'NO'} |" for goal in goals)])
