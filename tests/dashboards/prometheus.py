"""Run a Prometheus for a test, and ask it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.prometheus import ask, serving

Series = tuple[dict[str, str], list[tuple[float, float]]]  # labels; times and values


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus with its HTTP API."""

    url: str

    def ask(self, path: str, **parameters: str | float) -> Any:
        """Return the data of an answer."""
        return ask(self.url, path, **parameters)

    def instant(self, expr: str) -> list[Series]:
        """Return the present series of an expression, without values that are not a number."""
        found = self.ask("query", query=expr)["result"]
        return _numbers((one["metric"], [one["value"]]) for one in found)

    def over(self, expr: str, begin: float, end: float, step: float) -> list[Series]:
        """Return the series of an expression from `begin` to `end`."""
        found = self.ask("query_range", query=expr, start=begin, end=end, step=step)["result"]
        return _numbers((one["metric"], one["values"]) for one in found)

    def label_values(self, series: str, label: str) -> list[str]:
        return list(self.ask(f"label/{label}/values", **{"match[]": series}))


def _numbers(series: Iterator[tuple[dict[str, str], list[list[Any]]]]) -> list[Series]:
    told = ((labels, [(float(at), float(value)) for at, value in points]) for labels, points in series)
    kept = ((labels, [point for point in points if not math.isnan(point[1])]) for labels, points in told)
    return [(labels, points) for labels, points in kept if points]


@contextlib.contextmanager
def scraping(
    folder: Path, rules: str, targets: list[dict[str, Any]], relabel: list[dict[str, Any]]
) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes `targets` once a second, with its files in `folder`."""
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [{"job_name": "smoker", "static_configs": targets, "metric_relabel_configs": relabel}],
    }
    with serving(folder, config, rules) as url:
        yield Prometheus(url)
