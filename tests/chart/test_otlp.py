"""The collector of logs and metrics: from the values to what the hub reads."""

from __future__ import annotations

from smoker_hub.otlp.options import read

from .render import ALL, Helm


def test_without_an_endpoint_nothing_is_set(helm: Helm) -> None:
    """Without an endpoint there is no variable of OpenTelemetry and no volume."""
    release = helm.render({"hub": {"otlp": {"headersSecret": "a", "caConfigMap": "b"}}})
    assert not [variable for variable in release.container("hub")["env"] if variable["name"].startswith("OTEL_")]
    assert "otlp" not in [volume["name"] for volume in release.pod("hub")["spec"].get("volumes", [])]


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
