"""A real Prometheus on this machine that scrapes a release in the cluster and evaluates its rules."""

from __future__ import annotations

import json
import math
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.chart.alert_cases import rule_file
from tests.chart.helm_binary import major_of
from tests.chart.render import Helm, Rendered, merged, nested
from tests.conftest import DIRECT, free_port
from tests.e2e.cluster import eventually
from tests.e2e.discovery import discovery
from tests.e2e.podmonitor import scrape_config
from tests.e2e.release import Release
from tests.images.command import ROOT
from tests.promtool import installed

TELLING = ("alertname", "node", "probe", "target", "sign")  # what tells one alert of a release from another


@dataclass(frozen=True)
class Prometheus:
    """A server that answers at `url`."""

    url: str

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API; a refusal or silence is an assertion that fails."""
        try:
            with DIRECT.open(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError as silent:  # HTTPError too
            raise AssertionError(f"Prometheus on {path} {parameters}: {silent}") from None

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series that an expression gives now."""
        return [(one["metric"], float(one["value"][1])) for one in self.get("query", query=expression)["result"]]

    def value(self, expression: str) -> float:
        """The only value of an expression."""
        found = self.query(expression)
        assert len(found) == 1, f"{expression} is {found}"
        return found[0][1]

    def alerts(self, *states: str) -> set[str]:
        """The alerts that are in one of these states now, each as one text."""
        return {_text(alert["labels"]) for alert in self.get("alerts")["alerts"] if alert["state"] in states}

    def fired(self, since: float) -> set[str]:
        """Every alert that fired at any evaluation since an instant of this machine's clock."""
        seconds = math.ceil(time.time() - since)
        firing = 'ALERTS{alertstate="firing"}'
        return {_text(labels) for labels, _ in self.query(f"count_over_time({firing}[{seconds}s])")}


def _text(labels: dict[str, str]) -> str:
    return " ".join(labels[name] for name in TELLING if name in labels)


@contextmanager
def watching(release: Release, folder: Path) -> Iterator[Prometheus]:
    """A Prometheus that does to `release` what the chart's PodMonitor and PrometheusRule with its values would say.

    The objects are rendered, not installed: so the cluster needs no CRDs of the operator, and no operator of its own
    gets to work.
    """
    program, rendered = installed("prometheus"), _rendered(release)
    (monitor,) = rendered.of_kind("PodMonitor")
    with _api() as api, discovery(api, release.namespace.name) as targets:
        (folder / "rules.yaml").write_text(rule_file(rendered))
        scrape = scrape_config(monitor, targets=targets, api=api)
        whole = {
            "global": {"evaluation_interval": scrape["scrape_interval"]},  # both are 30 s by default
            "rule_files": ["rules.yaml"],
            "scrape_configs": [scrape],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(whole))
        address = f"127.0.0.1:{free_port()}"
        command = [
            program,
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--log.level=warn",
        ]
        with (folder / "log").open("wb") as log, _running(command, stderr=log) as process:
            prometheus = Prometheus(f"http://{address}")

            def ready() -> None:
                assert process.poll() is None, (folder / "log").read_text()
                assert prometheus.query("vector(1)")

            eventually("Prometheus answers", 30, ready)
            yield prometheus


def _rendered(release: Release) -> Rendered:
    """The release's objects with what its values leave out: those that need the operator's CRDs."""
    values: dict[str, Any] = {}
    for path, value in release.values.items():
        values = merged(values, nested(path, value))
    for path in ("metrics.podMonitor.enabled", "metrics.prometheusRule.enabled"):
        values = merged(values, nested(path, True))
    helm = Helm(release.helm_program, major_of(release.helm_program))
    return helm.render(values, release=release.name, namespace=release.namespace.name)


@contextmanager
def _api() -> Iterator[str]:
    """The address on loopback at which the current cluster's API answers, whatever kubectl needs to log in."""
    with _running(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline().strip()  # once it serves; empty if it ends
        assert said.startswith("Starting to serve on "), said
        yield said.rpartition(" ")[2]


@contextmanager
def _running(command: list[str], **how: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process, for as long as the block lasts."""
    with subprocess.Popen(command, cwd=ROOT, **how) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
