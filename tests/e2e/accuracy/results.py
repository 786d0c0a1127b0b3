"""The outcomes of the rows, as the table that `make e2e-accuracy` prints and writes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.e2e.accuracy.judge import LACKS
from tests.e2e.accuracy.rows import Row


@dataclass(frozen=True)
class Outcome:
    """The outcome of a row."""

    row: Row
    word: str
    seconds: float | None  # until the right finding was open
    closed: float | None  # seconds from healing until no finding was open
    said: tuple[str, ...]
    lacks: tuple[str, ...] = ()  # what the right finding did not say when it opened
    seen: tuple[str, ...] = ()  # of a fault that was not named in time: what the probers saw

    @property
    def verdict(self) -> str:
        """Return the outcome in words."""
        return ", ".join((self.word, *self.lacks))


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a Markdown table, and their sum."""
    lines = ["| fault | NIKA | verdict | open after | closed after | what was said |", "|---|---|---|---|---|---|"]
    for each in outcomes:
        said = "<br>".join(each.said) or "nothing"
        times = " | ".join("" if time is None else seconds(time) for time in (each.seconds, each.closed))
        lines.append(f"| {each.row.name} | {each.row.nika} | {each.verdict} | {times} | {said} |")
    right = [each for each in outcomes if each.word == "right"]
    counted = {lack: sum(lack in each.lacks for each in right) for lack in LACKS}
    lacks = "".join(f", {count} of them {lack}" for lack, count in counted.items() if count)
    opened = _spread("open after", [each.seconds for each in outcomes if each.row.right])
    closed = _spread("closed after", [each.closed for each in outcomes if each.seconds is not None])
    return "\n".join([*lines, "", f"{len(right)} of {len(outcomes)} right{lacks}{opened}{closed}"])


def _spread(what: str, found: Sequence[float | None]) -> str:
    """Return median and percentile of all rows. A row without the event is slower than every other one."""
    times = [math.inf if each is None else each for each in found]
    if not times:
        return ""
    median, high, longest = (seconds(nearest_rank(times, share)) for share in (0.5, 0.95, 1.0))
    return f"; {what}: median {median}, p95 {high}, longest {longest}"


def nearest_rank(times: Sequence[float], share: float) -> float:
    """Return the percentile of `times` by nearest rank."""
    return sorted(times)[max(0, math.ceil(share * len(times)) - 1)]


def seconds(time: float) -> str:
    """Return a time in words."""
    return "not in time" if math.isinf(time) else f"{time:.0f} s"
