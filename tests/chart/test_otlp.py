"""The collector of logs and metrics: from the values to what the hub reads."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from smoker_hub.otlp.options import read
from smoker_hub.tls import Client

from .render import ALL, Helm

PAGE = Path(__file__).resolve().parents[2] / "docs" / "collecting.md"


def test_without_an_endpoint_nothing_is_set(helm: Helm) -> None:
    """Without an endpoint there is no variable of OpenTelemetry and no volume."""
    release = helm.render({"hub": {"otlp": {"headersSecret": "a", "caConfigMap": "b"}}})
    assert not [variable for variable in release.container("hub")["env"] if variable["name"].startswith("OTEL_")]
    assert "otlp" not in [volume["name"] for volume in release.pod("hub")["spec"].get("volumes", [])]


def test_one_signal_alone_has_its_own_endpoint(helm: Helm) -> None:
    """The endpoint of one signal is used unchanged, and the other signal goes to the common endpoint, or nowhere."""
    url = "http://prometheus.monitoring:9090/api/v1/otlp/v1/metrics"
    found, mistakes = read(helm.render({"hub": {"otlp": {"metricsEndpoint": url}}}).env("hub"))
    assert (mistakes, found.logs) == ([], None)
    assert found.metrics is not None
    assert (found.metrics.url, found.metrics.gzip, found.interval) == (url, True, 60.0)
    common = {"endpoint": "http://collector:4318", "logsEndpoint": "http://loki:3100/otlp/v1/logs"}
    found, mistakes = read(helm.render({"hub": {"otlp": common}}).env("hub"))
    assert found.logs is not None
    assert found.metrics is not None
    assert mistakes == []
    assert (found.logs.url, found.metrics.url) == ("http://loki:3100/otlp/v1/logs", "http://collector:4318/v1/metrics")


def test_the_policy_opens_the_port_of_each_endpoint(helm: Helm) -> None:
    """The hub's policy lets it reach all three, by the port of the URL or the usual one of its scheme."""
    urls = {
        "endpoint": "http://collector:4318",
        "logsEndpoint": "https://logs.example.com/otlp/v1/logs",
        "metricsEndpoint": "http://prometheus:9090/api/v1/otlp/v1/metrics",
    }
    for value, port in zip(urls, (4318, 443, 9090), strict=True):
        release = helm.render({"networkPolicy": {"enabled": True}, "hub": {"otlp": {value: urls[value]}}})
        egress = release.get("NetworkPolicy", "smoker-hub")["spec"]["egress"]
        assert {"ports": [{"protocol": "TCP", "port": port}]} in egress
    release = helm.render({"networkPolicy": {"enabled": True}, "hub": {"otlp": urls}})
    egress = release.get("NetworkPolicy", "smoker-hub")["spec"]["egress"]
    assert {"ports": [{"protocol": "TCP", "port": port} for port in (4318, 443, 9090)]} in egress


def test_the_hub_reads_what_the_chart_says(helm: Helm) -> None:
    """The hub gets both signals, with time-out and interval in milliseconds; the headers come from the Secret."""
    found, mistakes = read(helm.render({"hub": {"otlp": {"endpoint": "http://collector:4318"}}}).env("hub"))
    assert mistakes == []
    assert found.logs is not None
    assert found.metrics is not None
    assert (found.logs.url, found.metrics.url) == ("http://collector:4318/v1/logs", "http://collector:4318/v1/metrics")
    assert (found.logs.gzip, found.logs.seconds, found.interval) == (True, 10.0, 60.0)
    release = helm.render(ALL)
    found, mistakes = read(release.env("hub"))
    (mistake,) = mistakes  # the file is in the pod
    assert mistake.startswith("OTEL_EXPORTER_OTLP_CERTIFICATE does not fit: the CA file /etc/smoker/otlp/ca.crt ")
    assert found.logs is not None
    assert (found.logs.gzip, found.logs.seconds, found.interval) == (False, 5.0, 30.0)
    from_secret = {each["name"]: each["valueFrom"] for each in release.container("hub")["env"] if "valueFrom" in each}
    assert from_secret["OTEL_EXPORTER_OTLP_HEADERS"] == {"secretKeyRef": {"name": "hub-otlp", "key": "headers"}}
    (volume,) = (volume for volume in release.pod("hub")["spec"]["volumes"] if volume["name"] == "otlp")
    assert volume == {"name": "otlp", "configMap": {"name": "otlp-ca"}}


def test_the_example_of_a_client_certificate_is_mounted(helm: Helm) -> None:
    """With the example of docs/collecting.md the hub reads a client certificate from a mounted Secret."""
    (example,) = (
        each for each in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL) if "CLIENT_KEY" in each
    )
    release = helm.render(yaml.safe_load(example))
    found, mistakes = read(release.env("hub"))
    assert found.logs is not None
    assert found.logs.client == Client("/etc/otlp-client/tls.crt", "/etc/otlp-client/tls.key")
    assert found.resource == {"deployment.environment.name": "prod", "team": "net,ops"}
    assert found.notes == []
    assert [mistake.split(" ")[0] for mistake in mistakes] == [  # the files are in the pod
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    ]
    mounts = {mount["name"]: mount["mountPath"] for mount in release.container("hub")["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in release.pod("hub")["spec"]["volumes"]}
    assert mounts["otlp-client"] == "/etc/otlp-client"
    assert volumes["otlp-client"]["secret"] == {"secretName": "smoker-otlp-client"}
