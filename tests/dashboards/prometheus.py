"""A Prometheus of its own, and what it answers."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import urllib.error
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import DIRECT, PATIENCE, eventually, free_port

Series = tuple[dict[str, str], list[tuple[float, float]]]  # labels; times and values


@dataclass(frozen=True)
class Prometheus:
    """Asked over its HTTP API."""

    url: str

    def ask(self, path: str, **parameters: str | float) -> Any:
        """The data of an answer; None while it is not there."""
        with contextlib.suppress(ConnectionError, urllib.error.URLError):
            asked = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
            with DIRECT.open(asked, timeout=10) as answer:
                return json.load(answer)["data"]
        return None

    def instant(self, expr: str) -> list[Series]:
        """The series that an expression gives now, without those that are not a number."""
        found = self.ask("query", query=expr)["result"]
        return _numbers((one["metric"], [one["value"]]) for one in found)

    def over(self, expr: str, begin: float, end: float, step: float) -> list[Series]:
        """The same from `begin` to `end`."""
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
    """A Prometheus that scrapes `targets` once a second, with its files in `folder`. Afterwards it is gone."""
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "smoker", "static_configs": targets, "metric_relabel_configs": relabel}],
    }
    (folder / "rules.yaml").write_text(rules)
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/tsdb"]
    with (folder / "prometheus.log").open("wb") as log:
        popen = subprocess.Popen(
            [*command, f"--web.listen-address={address}", "--log.level=warn"], stdout=log, stderr=log
        )
    try:
        prometheus = Prometheus(f"http://{address}")

        def answers() -> bool:
            assert popen.poll() is None, (folder / "prometheus.log").read_text()
            return bool(prometheus.ask("query", query="vector(1)"))

        eventually("Prometheus answers", answers)
        yield prometheus
    finally:
        popen.kill()  # what it has stored is thrown away
        popen.wait(PATIENCE)
