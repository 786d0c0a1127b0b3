"""The receivers of notifications: from the values to what the hub reads and mounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smoker_common.settings import parse
from smoker_hub.notify.options import receivers
from smoker_hub.settings import Settings as Hub

from .alert_cases import OF_HUB, alerts
from .render import ALL, Helm, HelmError, merged, nested
from .test_documents import notes


def test_receivers_of_the_hub(helm: Helm) -> None:
    """The hub reads the receivers that the chart writes; values from a Secret or a ConfigMap are files."""
    release = helm.render(ALL)
    text = release.env("hub")["NOTIFY"]
    assert parse(Hub, {"NOTIFY": text})[1] == []
    webhook, alertmanager, slack = receivers(text)
    assert (webhook.url.text, webhook.signing_key.file) == (
        "https://hooks.example.com:8443/smoker",
        "/etc/smoker/notify/0/signingKey",
    )
    assert (alertmanager.labels, alertmanager.ca_file) == ({"team": "network"}, "/etc/smoker/notify/1/ca")
    assert (slack.name, slack.url.file, slack.min_severity) == ("on-call", "/etc/smoker/notify/2/url", "critical")
    (volume,) = (v for v in release.pod("hub")["spec"]["volumes"] if v["name"] == "notify")
    assert [
        (kind, one["name"], one["items"]) for source in volume["projected"]["sources"] for kind, one in source.items()
    ] == [
        ("secret", "hub-notify", [{"key": "webhook", "path": "0/signingKey"}]),
        ("configMap", "ca", [{"key": "ca.crt", "path": "1/ca"}]),
        ("secret", "hub-notify", [{"key": "slack", "path": "2/url"}]),
    ]
    (mount,) = (m for m in release.container("hub")["volumeMounts"] if m["name"] == "notify")
    assert mount == {"name": "notify", "mountPath": "/etc/smoker/notify", "readOnly": True}


@pytest.mark.parametrize(
    ("receiver", "problem"),
    [
        ({"type": "slack"}, r"hub\.notify\[0\]: needs url or urlFromSecret"),
        ({"type": "slack", "url": "https://a", "urlFromSecret": {"name": "a", "key": "b"}}, "and not both"),
        (
            {
                "type": "slack",
                "url": "https://a",
                "caFromSecret": {"name": "a", "key": "b"},
                "caFromConfigMap": {"name": "a", "key": "b"},
            },
            "caFromSecret or caFromConfigMap, not both",
        ),
        ({"type": "slack", "url": "https://a", "labels": {"a": "b"}}, "only a receiver of the type alertmanager"),
        (
            {"type": "slack", "url": "https://a", "signingKeyFromSecret": {"name": "a", "key": "b"}},
            "only a receiver of the type webhook",
        ),
        ({"type": "mail", "url": "https://a"}, "type"),
        ({"type": "slack", "url": "ftp://a"}, "url"),
        ({"type": "slack", "urlFromSecret": {"name": "a"}}, "key"),
    ],
)
def test_invalid_receivers_are_refused(helm: Helm, receiver: dict[str, Any], problem: str) -> None:
    """The chart refuses invalid receivers with the name of the option."""
    with pytest.raises(HelmError, match=problem):
        helm.render({"hub": {"notify": [receiver]}})


RULES_ON = nested("metrics.prometheusRule.enabled", True)
BESIDE = nested("metrics.prometheusRule.fault.besideAlertmanager", True)
WEBHOOK = {"type": "webhook", "url": "https://hooks.example.com"}
ALERTMANAGER = {"type": "alertmanager", "url": "http://alertmanager.monitoring:9093"}
CRITICAL = {**ALERTMANAGER, "minSeverity": "critical"}
NOT_INFO, WARNINGS = 'severity!="info"', 'severity="warning"'


@pytest.mark.parametrize(
    ("receivers", "beside", "matcher"),
    [
        ([WEBHOOK, {**WEBHOOK, "type": "slack"}], {}, NOT_INFO),
        ([WEBHOOK, ALERTMANAGER], {}, ""),
        ([{**ALERTMANAGER, "minSeverity": "warning"}], {}, ""),
        ([{**ALERTMANAGER, "minSeverity": "info"}], {}, ""),
        ([CRITICAL, CRITICAL], {}, WARNINGS),
        ([CRITICAL, ALERTMANAGER], {}, ""),
        ([ALERTMANAGER, CRITICAL], {}, ""),
        ([CRITICAL, ALERTMANAGER], BESIDE, NOT_INFO),
    ],
)
def test_a_fault_is_one_alert(
    helm: Helm, receivers: list[dict[str, str]], beside: dict[str, Any], matcher: str
) -> None:
    """The rule SmokerFault leaves out what the hub sends to an Alertmanager itself; a value keeps all of it."""
    values = merged(merged(RULES_ON, beside), {"hub": {"notify": receivers}})
    found = {rule["alert"]: rule["expr"] for rule in alerts(helm.render(values))}
    assert found.keys() & set(OF_HUB) == {*OF_HUB} - (set() if matcher else {"SmokerFault"})
    assert f",{matcher}," in found.get("SmokerFault", ",,")


def test_the_notes_say_who_sends_the_alert(helm: Helm, tmp_path: Path) -> None:
    """The notes say where the rule SmokerFault leaves findings out, and warn where the hub sends the same alert."""

    def said(receivers: list[dict[str, str]], *more: dict[str, Any]) -> str:
        values: dict[str, Any] = {"hub": {"notify": receivers}}
        for each in (RULES_ON, *more):
            values = merged(values, each)
        return " ".join(notes(helm, tmp_path, values).split())

    whole, warnings = said([ALERTMANAGER]), said([CRITICAL])
    assert "The hub sends SmokerFault to Alertmanager itself (hub.notify), so the PrometheusRule leaves it out" in whole
    assert "critical findings as SmokerFault to Alertmanager itself (hub.notify); the PrometheusRule has" in warnings
    assert "WARNING: the hub and the PrometheusRule both" in said([ALERTMANAGER], BESIDE)
    off = nested("metrics.prometheusRule.fault.enabled", False)
    silent = (said([WEBHOOK]), said([WEBHOOK], BESIDE), said([ALERTMANAGER], off), said([ALERTMANAGER], BESIDE, off))
    no_rule, no_hub = nested("metrics.prometheusRule.enabled", False), nested("hub.enabled", False)
    for text in (*silent, said([ALERTMANAGER], no_rule), said([ALERTMANAGER], no_hub)):
        assert "SmokerFault" not in text
