"""A real Prometheus on this machine that scrapes a release in the cluster and evaluates its rules."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chart.alert_cases import rule_file
from tests.chart.helm_binary import major_of
from tests.chart.render import Helm, Rendered, merged, nested
from tests.e2e.discovery import discovery
from tests.e2e.podmonitor import scrape_config
from tests.e2e.release import Release
from tests.images.command import ROOT
from tests.prometheus import ask, serving

TELLING = (
    "alertname",
    "scope",
    "node",
    "probe",
    "target",
    "plane",
    "family",
    "sign",
)  # what tells one alert of a release from another


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus server at `url`."""

    url: str

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of its API. A refusal or silence fails an assertion."""
        try:
            return ask(self.url, path, **parameters)
        except OSError as silent:  # HTTPError too
            raise AssertionError(f"Prometheus on {path} {parameters}: {silent}") from None

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each present series of an expression."""
        return [(one["metric"], float(one["value"][1])) for one in self.get("query", query=expression)["result"]]

    def value(self, expression: str) -> float:
        """Return the only value of an expression."""
        found = self.query(expression)
        assert len(found) == 1, f"{expression} is {found}"
        return found[0][1]

    def alerts(self, *states: str) -> set[str]:
        """Return the present alerts in one of these states, each as one text."""
        return {_text(alert["labels"]) for alert in self.get("alerts")["alerts"] if alert["state"] in states}

    def fired(self, since: float) -> set[str]:
        """Return every alert that fired at any evaluation since an instant of this machine's clock."""
        seconds = math.ceil(time.time() - since)
        firing = 'ALERTS{alertstate="firing"}'
        return {_text(labels) for labels, _ in self.query(f"count_over_time({firing}[{seconds}s])")}


def _text(labels: dict[str, str]) -> str:
    return " ".join(labels[name] for name in TELLING if name in labels)


@contextmanager
def watching(release: Release, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that treats `release` as the chart's PodMonitor and PrometheusRule with its values say.

    The objects are rendered, not installed: so the cluster needs no CRDs of the operator, and no operator of its own
    gets to work.
    """
    rendered = _rendered(release)
    (monitor,) = rendered.of_kind("PodMonitor")
    with _api() as api, discovery(api, release.namespace.name) as targets:
        scrape = scrape_config(monitor, targets=targets, api=api)
        interval = {"evaluation_interval": scrape["scrape_interval"]}  # both are 30 s by default
        config = {"global": interval, "scrape_configs": [scrape]}
        with serving(folder, config, rule_file(rendered)) as url:
            yield Prometheus(url)


def _rendered(release: Release) -> Rendered:
    """Return the release's objects including those that its values disable: they need the operator's CRDs."""
    values: dict[str, Any] = {}
    for path, value in release.values.items():
        values = merged(values, nested(path, value))
    for path in ("metrics.podMonitor.enabled", "metrics.prometheusRule.enabled"):
        values = merged(values, nested(path, True))
    helm = Helm(release.helm_program, major_of(release.helm_program))
    return helm.render(values, release=release.name, namespace=release.namespace.name)


@contextmanager
def _api() -> Iterator[str]:
    """Yield a loopback address of the current cluster's API, whatever kubectl needs to log in."""
    command = ["kubectl", "proxy", "--port=0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline().strip()  # once it serves; empty if it ends
            assert said.startswith("Starting to serve on "), said
            yield said.rpartition(" ")[2]
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
