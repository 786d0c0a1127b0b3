"""The receivers of notifications: from the values to what the hub reads and mounts."""

from __future__ import annotations

from typing import Any

import pytest

from smoker_common.settings import parse
from smoker_hub.notify.options import receivers
from smoker_hub.settings import Settings as Hub

from .render import ALL, Helm, HelmError


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
