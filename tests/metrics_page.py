"""Read docs/metrics.md: what its tables say of each metric, and what a service serves."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
_KINDS = "counter|gauge|histogram|summary"
_ROW = re.compile(rf"^\| `(?P<name>[a-z_]+)` \| (?P<kind>{_KINDS}) \|(?P<labels>[^|]*)\|", re.MULTILINE)


class Documented(NamedTuple):
    """A row."""

    kind: str
    labels: frozenset[str]


@cache
def rows() -> dict[str, Documented]:
    """Return every metric with a row, by its name."""
    return {row["name"]: Documented(row["kind"], words(row["labels"])) for row in _ROW.finditer(PAGE.read_text())}


def values(page: str) -> dict[str, float]:
    """Return the value of each series on a page of metrics, by its name with labels as written there."""
    lines = (line.rsplit(" ", 1) for line in page.splitlines() if line and not line.startswith("#"))
    return {series: float(value) for series, value in lines}


def words(cell: str) -> frozenset[str]:
    """Return the text in backquotes in a cell."""
    return frozenset(re.findall(r"`(\w+)`", cell))
