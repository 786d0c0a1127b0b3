"""The form of the alerts. test_rules.py tests when they fire."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from .alert_cases import ALERTS, OF_HUB, OF_PATHS, OF_PROBERS, alerts, rules
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
    """Return all alerts, or those for the given values."""
    base = merged(ON, EVERY) if every else ON
    return alerts(helm.render(merged(base, values or {}), release=release, namespace="net"))


def windows(helm: Helm, values: dict[str, Any]) -> list[int]:
    """Return the seconds of each window of the rules, except the window in which restarts are counted."""
    off = nested("metrics.prometheusRule.echoRestarting.enabled", False)
    found = rules(helm.render(merged(merged(merged(ON, EVERY), off), values)))
    return [int(seconds) for rule in found for seconds in WINDOW.findall(rule["expr"])]


def test_alerts(helm: Helm) -> None:
    """The alerts of the hub and of the probers exist; those per path without a hub, or if a value asks for them."""
    assert {rule["alert"] for rule in rendered(helm, every=False)} == {*OF_HUB, *OF_PROBERS}
    assert {rule["alert"] for rule in rendered(helm, NO_HUB, every=False)} == {*OF_PATHS, *OF_PROBERS}
    assert "smoker_finding" not in str(rendered(helm, NO_HUB, every=False))
    assert {rule["alert"] for rule in rendered(helm)} == set(ALERTS)


def test_targets_of_others(helm: Helm) -> None:
    """No alert says that a target is gone which is not Smoker's own: Smoker cannot know that."""
    foreign = rendered(helm, {"prober": {"serverHost": "echo.example.com"}, **NO_HUB})
    assert {rule["alert"] for rule in foreign} == {*OF_PATHS, *OF_PROBERS} - {"SmokerTargetGone"}
    assert "-echo" not in "".join(rule["expr"] for rule in foreign if rule["alert"] in OF_PATHS)


def test_annotations_and_labels(helm: Helm) -> None:
    """Each alert has a severity, a one-line summary, a description, and the labels that distinguish releases."""
    for rule in rendered(helm, release="lungs"):
        of_finding = rule["alert"] == "SmokerFault"  # its severity is that of the finding
        assert rule["labels"].get("severity") in ((None,) if of_finding else ("critical", "warning"))
        assert rule["labels"]["namespace"] == "net"
        assert rule["labels"]["app_kubernetes_io_instance"] == "lungs"
        assert set(rule["annotations"]) == {"summary", "description"}
        assert "\n" not in rule["annotations"]["summary"]
        assert not re.search(r"<no value>|<nil>|%!", str(rule))


def test_runbooks(helm: Helm) -> None:
    """Each alert links to its heading in docs/troubleshooting.md, wherever that page is served."""
    assert {rule["alert"] for rule in alerts(helm.render(ALL))} == {*ALERTS, "Own"} - {"SmokerTargetGone"}
    for rule in (rule for rule in alerts(helm.render(ALL)) if rule["alert"] != "Own"):
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page == "https://example.com/smoker/troubleshooting"
        assert anchor == rule["alert"].lower()
    known = anchors(RUNBOOK.read_text())
    assert [alert for alert in ALERTS if alert.lower() not in known] == []


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_alone(helm: Helm, alert: str) -> None:
    """Each alert can be left out, or have another severity and more labels, without effect on the others."""
    key = f"metrics.prometheusRule.{alert[6].lower()}{alert[7:]}"
    left = {rule["alert"] for rule in rendered(helm, nested(key, {"enabled": False}))}
    assert left == {*ALERTS} - {alert}
    own = {"severity": "page", "labels": {"team": "network", "namespace": "other"}}
    for rule in rendered(helm, nested(key, own)):
        expected = ("page", "network") if rule["alert"] == alert else (rule["labels"].get("severity"), None)
        assert (rule["labels"].get("severity"), rule["labels"].get("team")) == expected
        assert rule["labels"]["namespace"] == "net"


def test_no_alert_is_left(helm: Helm) -> None:
    """If all alerts are left out, no group is empty, and the user's rules stay."""
    off = {f"{alert[6].lower()}{alert[7:]}": {"enabled": False} for alert in ALERTS}
    own = [{"record": "team:up:sum", "expr": "sum(up)"}]
    for values in (off, {**off, "additionalRules": own}):
        release = helm.render(merged(merged(ON, EVERY), nested("metrics.prometheusRule", values)))
        assert alerts(release) == []
        groups = release.of_kind("PrometheusRule")[0]["spec"]["groups"]
        assert all(group["rules"] for group in groups)
        assert [group["rules"] for group in groups if group["name"] == "smoker-additional"] == [
            own for _ in range("additionalRules" in values)
        ]


def test_recorded_series(helm: Helm) -> None:
    """Each recorded series that a rule reads is recorded by the same release, with that release's labels."""
    for values in (NO_HUB, EVERY, HOST):
        release = helm.render(merged(ON, values), release="lungs", namespace="net")
        recorded = [rule for rule in rules(release) if "record" in rule]
        read = set(re.findall(r"smoker:[a-z_:]+", " ".join(rule["expr"] for rule in rules(release))))
        assert read == {rule["record"] for rule in recorded}
        for rule in recorded:
            assert rule["labels"] == {"namespace": "net", "app_kubernetes_io_instance": "lungs"}
            assert not mistakes(rule["expr"]), rule["record"]


@pytest.mark.parametrize("values", [{}, ALL], ids=["default", "all"])
def test_known_metrics(helm: Helm, values: dict[str, Any]) -> None:
    """The alerts read only metrics and labels of docs/metrics.md."""
    for rule in rendered(helm, values):
        assert not mistakes(rule["expr"]), rule["alert"]


def test_this_release_alone(helm: Helm) -> None:
    """A rule reads only its own release, and there one component; nodes belong to the whole cluster."""
    of_release = 'namespace="net",app_kubernetes_io_instance="lungs"'
    of_one = tuple(f"{of_release},app_kubernetes_io_component={of}" for of in ('~"prober|host"', '"hub"', '~".+-echo"'))
    for rule in rules(helm.render(merged(merged(ON, EVERY), HOST), release="lungs", namespace="net")):
        for metric, matchers in re.findall(r"([\w:]+)\{([^}]*)\}", rule["expr"]):
            if not metric.startswith("kube_node_"):
                assert matchers.startswith(of_release)
                assert metric.startswith("smoker:") or matchers.startswith(of_one)


@pytest.mark.parametrize(
    ("interval", "scrape"), [(30, 30), (2, 60), (60, 2), (0.5, 1), (1, 1), (3600, 240), ("0.5", 1)]
)
def test_windows_cover_four_rounds_and_scrapes(helm: Helm, interval: float | str, scrape: int) -> None:
    """Every window covers at least four rounds and four scrapes, and at least a few seconds."""
    scraped = {"intervalSeconds": scrape, "timeoutSeconds": 1}
    prober = {"intervalSeconds": interval, "timeoutSeconds": 0.1}
    values = merged({"prober": prober}, nested("metrics.podMonitor", scraped))
    turn = max(float(interval), scrape)
    assert set(windows(helm, values)) == {4 * turn, 20 * turn, 3600, 86400}


def test_windows_of_a_service_monitor(helm: Helm) -> None:
    """If a ServiceMonitor scrapes, the windows follow its interval and not the PodMonitor's."""
    scraped = {"intervalSeconds": 60, "timeoutSeconds": 1}
    slow = merged(nested("metrics.podMonitor", scraped), nested("metrics.serviceMonitor.enabled", True))
    assert min(windows(helm, slow)) == 4 * 30
    assert min(windows(helm, nested("metrics.serviceMonitor", {"enabled": True, **scraped}))) == 4 * 60


@pytest.mark.parametrize(("interval", "timeout", "turn"), [(30, 10, 30), (30, 11, 63), (1, 1, 4), (2, "0.7", 4.1)])
def test_windows_of_rounds_that_fail(helm: Helm, interval: float | str, timeout: float | str, turn: float) -> None:
    """If three timeouts take longer than the interval, rounds are skipped: a window still covers four failing ones."""
    prober = {"intervalSeconds": interval, "timeoutSeconds": timeout}
    values = merged({"prober": prober}, nested("metrics.podMonitor", {"intervalSeconds": 1, "timeoutSeconds": 1}))
    assert min(windows(helm, values)) == math.ceil(4 * turn)


def test_loss_outlasts_an_outage(helm: Helm) -> None:
    """Loss must last longer than an ended outage stays in the window: at least twenty-four rounds."""
    for seconds, interval, expected in ((600, 30, "720s"), (1000, 30, "1000s"), (0, 10, "720s"), (0, 60, "1440s")):
        values = merged(
            nested("metrics.prometheusRule.packetLoss.forSeconds", seconds), {"prober": {"intervalSeconds": interval}}
        )
        (rule,) = (rule for rule in rendered(helm, values) if rule["alert"] == "SmokerPacketLoss")
        assert rule["for"] == expected


@pytest.mark.parametrize("alert", ["ProbeFailing", "TargetFailing", "TargetGone"])
def test_never_before_a_window(helm: Helm, alert: str) -> None:
    """An alert that compares nodes waits for at least one window. Nodes see an outage up to an interval apart."""
    key = f"metrics.prometheusRule.{alert[0].lower()}{alert[1:]}.forSeconds"
    for seconds, interval, expected in ((0, 30, "120s"), (600, 30, "600s"), (300, 600, "2400s")):
        values = merged(nested(key, seconds), {"prober": {"intervalSeconds": interval}})
        (rule,) = (rule for rule in rendered(helm, values) if rule["alert"] == f"Smoker{alert}")
        assert rule["for"] == expected


@pytest.mark.parametrize(
    ("alert", "key", "value", "text"),
    [
        ("SmokerPacketLoss", "packetLoss.ratio", 0.25, "> 0.25\n"),
        ("SmokerCertificateExpires", "certificateExpires.withinSeconds", 86400, "< 86400\n"),
        ("SmokerLatencyHigh", "latencyHigh.factor", 3, "> 3 * max by"),
        ("SmokerLatencyHigh", "latencyHigh.floorSeconds", "0.002", "> 0.002 + max by"),
        ("SmokerLatencyHigh", "latencyHigh.pastSeconds", 2880, "[2880s] offset 600s\n"),
        ("SmokerTooFewPeers", "tooFewPeers.ratio", 0.5, "0.5 * max("),
        ("SmokerEchoRestarting", "echoRestarting.restarts", 7, ">= 7"),
        ("SmokerEchoRestarting", "echoRestarting.windowSeconds", 600, "[600s]"),
        ("SmokerProberStarved", "proberStarved.throttledRatio", 0.5, "> 0.5"),
        ("SmokerProberStarved", "proberStarved.latenessSeconds", 2.5, "> 2.5"),
    ],
)
def test_thresholds_are_in_their_expressions(helm: Helm, alert: str, key: str, value: Any, text: str) -> None:
    """A threshold of the values is in its alert's expression."""
    found = rendered(helm, nested(f"metrics.prometheusRule.{key}", value))
    assert any(text in rule["expr"] for rule in found if rule["alert"] == alert)


@pytest.mark.parametrize(("past", "window", "interval"), [(86400, "[3600s:300s]", "3600s"), (60, "[3s:1s]", "3s")])
def test_pieces_of_the_past(helm: Helm, past: int, window: str, interval: str) -> None:
    """The past is recorded in twenty-four pieces of twelve steps, each once."""
    values = merged(merged(ON, EVERY), nested("metrics.prometheusRule.latencyHigh.pastSeconds", past))
    groups = helm.render(values).of_kind("PrometheusRule")[0]["spec"]["groups"]
    (group,) = (group for group in groups if group["name"] == "smoker-past")
    assert group["interval"] == interval
    assert group["rules"][0]["expr"].count(window) == 2


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_waits_for_its_value(helm: Helm, alert: str) -> None:
    """Each alert waits for as long as its value says; by default longer than the restart of a pod takes.

    But for a fault, because the hub has waited before it opened the finding, and for restarts, which are counted.
    """
    key = f"{alert[6].lower()}{alert[7:]}"
    for rule in (rule for rule in rendered(helm) if rule["alert"] == alert):
        assert int(rule["for"].removesuffix("s")) >= (0 if alert in ("SmokerFault", "SmokerEchoRestarting") else 300)
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
    """The cluster's nodes are counted only if every one of them should have a prober."""
    (rule,) = (rule for rule in rendered(helm, {"prober": values}) if rule["alert"] == "SmokerProberMissing")
    assert ("kube_node_info" in rule["expr"]) is every
