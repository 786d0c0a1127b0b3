"""Read the chart's dashboards as Grafana does: panels, queries, variables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "charts" / "smoker" / "dashboards"
VARIABLE = re.compile(r"\$([a-zA-Z_]\w*)|\$\{(\w+)(?::\w+)?\}")  # $1 is label_replace's own
LABEL_VALUES = re.compile(r"label_values\((?P<series>.+), (?P<label>\w+)\)")
#: Stands for whatever Grafana puts there, where only the form of an expression counts.
ANYTHING = dict.fromkeys(("window", "__rate_interval", "__range", "__interval"), "1m")

Json = dict[str, Any]


def dashboards() -> dict[str, Json]:
    """Return the dashboards by the name of their file."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def variables(dashboard: Json) -> list[Json]:
    return list(dashboard["templating"]["list"])


def substituted(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its variables replaced, as Grafana does it. Raises KeyError for an unknown one."""
    return VARIABLE.sub(lambda found: values[found[1] or found[2]], text)


@dataclass(frozen=True)
class Query:
    """A query of a panel."""

    dashboard: str
    panel: str
    ref: str
    expr: str
    instant: bool
    legend: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel} {self.ref}"

    def with_values(self, values: Mapping[str, str]) -> str:
        return substituted(self.expr, values)


def queries_of(name: str, panel: Json) -> list[Query]:
    """Return the queries of a panel of the dashboard `name`."""
    return [
        Query(name, panel["title"], t["refId"], t["expr"], t["instant"], t.get("legendFormat", ""))
        for t in panel["targets"]
    ]


def queries() -> list[Query]:
    """Return every query of every panel."""
    return [
        query
        for name, dashboard in dashboards().items()
        for panel in dashboard["panels"]
        for query in queries_of(name, panel)
    ]
