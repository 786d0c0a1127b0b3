"""How the alerts are written. When they fire is in test_rules.py."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from .alert_cases import ALERTS, OF_HUB, OF_PATHS, OF_PROBERS, alerts
from .markdown import anchors
from .promql import mistakes
from .render import ALL, HOST, Helm, Object, merged, nested

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "troubleshooting.md"
ON = {"metrics": {"prometheusRule": {"enabled": True}}}
NO_HUB = {"hub": {"enabled": False}}
EVERY = nested("metrics.prometheusRule.pathAlerts", True)
WINDOW = re.compile(r"\[(\d+)s(?::\d+s)?\]")


def rendered(
    helm: Helm, values: dict[str, Any] | None = None, release: str = "smoker", *, every: bool = True
) -> list[Object]:
    """Return the alerts: every one of them, or those that the values bring."""
    base = merged(ON, EVERY) if every else ON
    return alerts(helm.render(merged(base, values or {}), release=release, namespace="net"))


def windows(helm: Helm, values: dict[str, Any]) -> list[int]:
    return [int(seconds) for rule in rendered(helm, values) for seconds in WINDOW.findall(rule["expr"])]


def test_alerts(helm: Helm) -> None:
    """The hub's alerts and the probers'; those of paths without a hub, or where a value wants them, too."""
    assert {rule["alert"] for rule in rendered(helm, every=False)} == {*OF_HUB, *OF_PROBERS}
    assert {rule["alert"] for rule in rendered(helm, NO_HUB, every=False)} == {*OF_PATHS, *OF_PROBERS}
    assert "smoker_finding" not in str(rendered(helm, NO_HUB, every=False))
    assert {rule["alert"] for rule in rendered(helm)} == set(ALERTS)


def test_targets_of_others(helm: Helm) -> None:
    """Nobody knows whether a target is gone that is not Smoker's own."""
    foreign = rendered(helm, {"prober": {"serverHost": "echo.example.com"}, **NO_HUB})
    assert {rule["alert"] for rule in foreign} == {*OF_PATHS, *OF_PROBERS} - {"SmokerTargetGone"}
    assert "-echo" not in "".join(rule["expr"] for rule in foreign)


def test_annotations_and_labels(helm: Helm) -> None:
    """Each alert has a severity, a summary of one line, a description, and the labels that tell releases apart."""
    for rule in rendered(helm, release="lungs"):
        of_finding = rule["alert"] == "SmokerFault"  # its severity is that of the finding
        assert rule["labels"].get("severity") in ((None,) if of_finding else ("critical", "warning"))
        assert rule["labels"]["namespace"] == "net"
        assert rule["labels"]["app_kubernetes_io_instance"] == "lungs"
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert "\n" not in rule["annotations"]["summary"]
        assert not re.search(r"<no value>|<nil>|%!", str(rule))


def test_runbooks(helm: Helm) -> None:
    """Each alert's link leads to a heading of docs/troubleshooting.md, wherever that is served."""
    for rule in rendered(helm):
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page == "docs/troubleshooting.md"
        assert anchor in anchors(RUNBOOK.read_text())
    for rule in alerts(helm.render(ALL)):
        assert rule["annotations"]["runbook_url"].startswith("https://example.com/smoker/troubleshooting#smoker")


@pytest.mark.parametrize("values", [{}, ALL], ids=["default", "all"])
def test_known_metrics(helm: Helm, values: dict[str, Any]) -> None:
    """The alerts read what docs/metrics.md lists, by labels that are there."""
    for rule in rendered(helm, values):
        assert not mistakes(rule["expr"]), rule["alert"]


def test_this_release_alone(helm: Helm) -> None:
    """An alert reads its own release, and of it the probers and the hub unless it is `up`; nodes are the cluster's."""
    of_release = 'namespace="net",app_kubernetes_io_instance="lungs",app_kubernetes_io_component'
    of_probers, of_hub = f'{of_release}=~"prober|host"', f'{of_release}="hub"'
    for rule in rendered(helm, HOST, release="lungs"):
        for metric, matchers in re.findall(r"(\w+)\{([^}]*)\}", rule["expr"]):
            if not metric.startswith("kube_node_"):
                assert matchers.startswith(of_release)
                assert metric == "up" or matchers.startswith((of_probers, of_hub))


@pytest.mark.parametrize(
    ("interval", "scrape"), [(30, 30), (2, 60), (60, 2), (0.5, 1), (1, 1), (3600, 240), ("0.5", 1)]
)
def test_windows(helm: Helm, interval: float | str, scrape: int) -> None:
    """Every window holds four rounds and four scrapes at least, and a few seconds where both are quick."""
    scraped = {"intervalSeconds": scrape, "timeoutSeconds": 1}
    prober = {"intervalSeconds": interval, "timeoutSeconds": 0.1}
    values = merged({"prober": prober}, nested("metrics.podMonitor", scraped))
    turn = max(float(interval), scrape)
    assert min(windows(helm, values)) == 4 * turn
    assert set(windows(helm, values)) == {4 * turn, 20 * turn, 86400}


def test_windows_of_a_service_monitor(helm: Helm) -> None:
    """Where a ServiceMonitor scrapes, the windows follow its interval and not the PodMonitor's."""
    scraped = {"intervalSeconds": 60, "timeoutSeconds": 1}
    slow = merged(nested("metrics.podMonitor", scraped), nested("metrics.serviceMonitor.enabled", True))
    assert min(windows(helm, slow)) == 4 * 30
    assert min(windows(helm, nested("metrics.serviceMonitor", {"enabled": True, **scraped}))) == 4 * 60


@pytest.mark.parametrize(("interval", "timeout", "turn"), [(30, 10, 30), (30, 11, 63), (1, 1, 4), (2, "0.7", 4.1)])
def test_windows_of_rounds_that_fail(helm: Helm, interval: float | str, timeout: float | str, turn: float) -> None:
    """Three timeouts that take longer than the interval leave rounds out: a window still holds four that fail."""
    prober = {"intervalSeconds": interval, "timeoutSeconds": timeout}
    values = merged({"prober": prober}, nested("metrics.podMonitor", {"intervalSeconds": 1, "timeoutSeconds": 1}))
    assert min(windows(helm, values)) == math.ceil(4 * turn)


@pytest.mark.parametrize("alert", ["ProbeFailing", "TargetFailing", "TargetGone"])
def test_never_before_a_window(helm: Helm, alert: str) -> None:
    """What compares nodes waits for a window at least: a node hears of an outage up to one interval after another."""
    key = f"metrics.prometheusRule.{alert[0].lower()}{alert[1:]}.forSeconds"
    for seconds, interval, expected in ((0, 30, "120s"), (600, 30, "600s"), (300, 600, "2400s")):
        values = merged(nested(key, seconds), {"prober": {"intervalSeconds": interval}})
        (rule,) = (rule for rule in rendered(helm, values) if rule["alert"] == f"Smoker{alert}")
        assert rule["for"] == expected


@pytest.mark.parametrize(
    ("alert", "key", "value", "text"),
    [
        ("SmokerPacketLoss", "packetLoss.ratio", 0.25, "> 0.25\n"),
        ("SmokerLatencyHigh", "latencyHigh.factor", 3, "> 3 * quantile"),
        ("SmokerLatencyHigh", "latencyHigh.floorSeconds", "0.002", "> 0.002 + quantile"),
        ("SmokerLatencyHigh", "latencyHigh.pastSeconds", 2880, "[2880s:10s] offset 600s) >= 12\n"),
        ("SmokerLatencyHigh", "latencyHigh.pastSeconds", 60, "[60s:1s] offset 600s) >= 3\n"),
        ("SmokerProberStarved", "proberStarved.throttledRatio", 0.5, "> 0.5"),
        ("SmokerProberStarved", "proberStarved.latenessSeconds", 2.5, "> 2.5"),
    ],
)
def test_thresholds(helm: Helm, alert: str, key: str, value: Any, text: str) -> None:
    """A threshold reaches its alert's expression."""
    found = rendered(helm, nested(f"metrics.prometheusRule.{key}", value))
    assert any(text in rule["expr"] for rule in found if rule["alert"] == alert)


@pytest.mark.parametrize("alert", ALERTS)
def test_patience(helm: Helm, alert: str) -> None:
    """Each alert waits for as long as its value says; by default longer than the restart of a pod takes.

    But for a fault: the hub has waited before it opened the finding.
    """
    key = f"{alert[6].lower()}{alert[7:]}"
    for rule in (rule for rule in rendered(helm) if rule["alert"] == alert):
        assert int(rule["for"].removesuffix("s")) >= (0 if alert == "SmokerFault" else 300)
    for rule in rendered(helm, nested(f"metrics.prometheusRule.{key}.forSeconds", 4321)):
        assert (rule["for"] == "4321s") == (rule["alert"] == alert)


@pytest.mark.parametrize(
    ("values", "every"),
    [
        ({}, True),
        ({"nodeSelector": {"disk": "ssd"}}, False),
        ({"nodeSelector": {"kubernetes.io/os": None}}, False),
        ({"nodeSelector": None, "tolerations": None, "affinity": None}, True),
        ({"tolerations": []}, False),
        ({"affinity": {"nodeAffinity": {}}}, False),
    ],
)
def test_nodes_without_a_prober(helm: Helm, values: dict[str, Any], every: bool) -> None:
    """The cluster's nodes are counted only where every one of them is meant to have a prober."""
    (rule,) = (rule for rule in rendered(helm, {"prober": values}) if rule["alert"] == "SmokerProberMissing")
    assert ("kube_node_info" in rule["expr"]) is every
