"""Tables and verdicts as text."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def render(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table: the first two columns on the left, the others on the right."""
    if not rows:
        return f"\n{title}: nothing was measured."
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    text = [
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join(["", title, text[0].rstrip(), rule, *(line.rstrip() for line in text[1:])])


def at_least(value: float, goal: float, unit: str = "") -> str:
    """Return the goal and whether it is met."""
    return f"≥ {goal:g}{unit} {'met' if value >= goal else 'missed'}"


def at_most(value: float, goal: float, unit: str = "") -> str:
    """Return the goal and whether it is met."""
    return f"≤ {goal:g}{unit} {'met' if value <= goal else 'missed'}"


def mib(kib: float) -> str:
    """Return KiB as MiB."""
    return f"{kib / 1024:.1f}"


def progress(text: str) -> None:
    """Show a line that the next one overwrites, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
