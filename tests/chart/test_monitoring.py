"""Who scrapes the pods: annotations and the PodMonitor. The alerts are in test_rules.py and test_alerts.py."""

from __future__ import annotations

from typing import Any

import pytest

from .promql import target_labels
from .render import ALL, HOST, VALUES_KEY, WORKLOADS, Helm, HelmError, Object, nested
from .selection import pods, selected, selects

ANNOTATED = {"metrics": {"scrapeAnnotations": True}}
MONITORED = {"metrics": {"podMonitor": {"enabled": True}}}
SCRAPED = {"prometheus.io/scrape": "true", "prometheus.io/port": "9464", "prometheus.io/path": "/metrics"}


def monitor(helm: Helm, values: dict[str, Any] | None = None, release: str = "smoker") -> Object:
    return helm.render(values or MONITORED, release=release).get("PodMonitor", f"{release}-metrics")


def test_off(helm: Helm) -> None:
    """By default there is nothing that needs the CRDs of the Prometheus operator, and no pod is annotated."""
    release = helm.render()
    assert not [o for o in release.objects if o["apiVersion"].startswith("monitoring.coreos.com/")]
    assert not [name for name, pod in pods(release).items() if SCRAPED.keys() & pod["metadata"].get("annotations", {})]


def test_scrape_annotations(helm: Helm) -> None:
    """Every long-lived pod, and not the test pod, says that it is scraped, on which port and where."""
    for port in (9464, 19464):
        release = helm.render({**ANNOTATED, "adminPort": port})
        for component in WORKLOADS:
            annotations = release.pod(component)["metadata"]["annotations"]
            assert annotations == {**SCRAPED, "prometheus.io/port": str(port)}
        assert not SCRAPED.keys() & release.pod("test")["metadata"]["annotations"].keys()
    host = helm.render({**ANNOTATED, **HOST}).pod("host")["metadata"]["annotations"]
    assert host == {**SCRAPED, "prometheus.io/port": "19464"}  # its own, as the node's ports are everybody's


@pytest.mark.parametrize("component", WORKLOADS)
def test_own_annotations_win(helm: Helm, component: str) -> None:
    """What podAnnotations say of the same keys holds, and the others are beside them."""
    own = {"prometheus.io/scrape": "false", "example.com/note": "x"}
    release = helm.render({**ANNOTATED, VALUES_KEY[component]: {"podAnnotations": own}})
    assert release.pod(component)["metadata"]["annotations"] == {**SCRAPED, **own}


def test_pod_monitor_selects(helm: Helm) -> None:
    """One PodMonitor takes every pod of this release that serves the admin port, and no pod of another release."""
    for values, others in ((MONITORED, set()), ({**MONITORED, **HOST}, {"host"}), (ALL, {"host"})):
        release = helm.render(values)
        (one,) = release.of_kind("PodMonitor")
        serving = {
            name
            for name, pod in pods(release).items()
            if "admin" in [port["name"] for c in pod["spec"]["containers"] for port in c.get("ports", [])]
        }
        assert selected(one["spec"]["selector"], release) == serving == {*WORKLOADS, "hub", *others}
        assert not selected(one["spec"]["selector"], helm.render(release="other"))


def test_pod_monitor_scrapes(helm: Helm) -> None:
    """It asks the port by its name, as often and as long as the values say."""
    for values, interval, timeout in ((MONITORED, "30s", "10s"), (ALL, "15s", "5s")):
        (one,) = helm.render(values).of_kind("PodMonitor")
        (endpoint,) = one["spec"]["podMetricsEndpoints"]
        assert (endpoint["port"], endpoint["path"]) == ("admin", "/metrics")
        assert (endpoint["interval"], endpoint["scrapeTimeout"]) == (interval, timeout)


def test_target_labels(helm: Helm) -> None:
    """Its series have the labels of which docs/metrics.md speaks; `namespace` and `pod` every PodMonitor adds."""
    spec = monitor(helm)["spec"]
    from_pods = {label.replace(".", "_").replace("/", "_") for label in spec["podTargetLabels"]}
    (endpoint,) = spec["podMetricsEndpoints"]
    relabelled = {rule["targetLabel"] for rule in endpoint["relabelings"] if rule["action"] == "replace"}
    assert {"namespace", "pod"} | from_pods | relabelled == target_labels()
    assert endpoint["relabelings"][0]["sourceLabels"] == ["__meta_kubernetes_pod_node_name"]
    for component in WORKLOADS:
        assert set(spec["podTargetLabels"]) <= pods(helm.render())[component]["metadata"]["labels"].keys()


@pytest.mark.parametrize(("key", "kind"), [("podMonitor", "PodMonitor"), ("prometheusRule", "PrometheusRule")])
def test_labels_and_annotations(helm: Helm, key: str, kind: str) -> None:
    """Each object gets the labels that a Prometheus selects by, and annotations, beside the common ones."""
    own = {"enabled": True, "labels": {"release": "prom", "team": "ours"}, "annotations": {"note": "x"}}
    release = helm.render({"metrics": {key: own}, "commonLabels": {"team": "all"}, "commonAnnotations": {"a": "b"}})
    (one,) = release.of_kind(kind)
    labels, annotations = one["metadata"]["labels"], one["metadata"]["annotations"]
    assert (labels["release"], labels["team"]) == ("prom", "ours")
    assert annotations == {"note": "x", "a": "b"}
    others = [o for o in release.objects if o["kind"] != kind]
    assert not any(selects({"matchLabels": {"release": "prom"}}, o["metadata"]["labels"]) for o in others)


def test_timeout_within_interval(helm: Helm) -> None:
    """A scrape that may take longer than the interval is refused in a sentence, as Prometheus would refuse it."""
    with pytest.raises(HelmError, match=r"metrics\.podMonitor\.timeoutSeconds: must not exceed intervalSeconds"):
        helm.render(nested("metrics.podMonitor", {"intervalSeconds": 5, "timeoutSeconds": 6}))
    assert helm.render(nested("metrics.podMonitor", {"intervalSeconds": 5, "timeoutSeconds": 5})).objects
