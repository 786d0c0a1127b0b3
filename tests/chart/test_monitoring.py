"""How pods are scraped: annotations, a PodMonitor or a ServiceMonitor.

test_rules.py and test_alerts.py test the alerts.
"""

from __future__ import annotations

from typing import Any

import pytest

from .promql import target_labels
from .render import ALL, HOST, VALUES_KEY, WORKLOADS, Helm, HelmError, Object, merged, nested
from .selection import pods, selected, selects

ANNOTATED = {"metrics": {"scrapeAnnotations": True}}
MONITORED = {"metrics": {"podMonitor": {"enabled": True}}}
BY_SERVICE = {"metrics": {"serviceMonitor": {"enabled": True}}}
ENDPOINTS = {"podMonitor": "podMetricsEndpoints", "serviceMonitor": "endpoints"}
SCRAPED = {"prometheus.io/scrape": "true", "prometheus.io/port": "9464", "prometheus.io/path": "/metrics"}


def monitor(helm: Helm, values: dict[str, Any] | None = None, release: str = "smoker") -> Object:
    return helm.render(values or MONITORED, release=release).get("PodMonitor", f"{release}-metrics")


def port_names(pod: Object) -> set[str]:
    return {port["name"] for container in pod["spec"]["containers"] for port in container.get("ports", [])}


def test_there_is_no_monitor_by_default(helm: Helm) -> None:
    """By default there is no object that needs the CRDs of the Prometheus operator, and no pod has annotations."""
    release = helm.render()
    assert not [o for o in release.objects if o["apiVersion"].startswith("monitoring.coreos.com/")]
    assert not [name for name, pod in pods(release).items() if SCRAPED.keys() & pod["metadata"].get("annotations", {})]


def test_scrape_annotations(helm: Helm) -> None:
    """Every long-lived pod, and not the test pod, has annotations with its scrape port and path."""
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
    """podAnnotations override the same keys; the other annotations stay."""
    own = {"prometheus.io/scrape": "false", "example.com/note": "x"}
    release = helm.render({**ANNOTATED, VALUES_KEY[component]: {"podAnnotations": own}})
    assert release.pod(component)["metadata"]["annotations"] == {**SCRAPED, **own}


def test_pod_monitor_selects(helm: Helm) -> None:
    """One PodMonitor selects exactly the pods of this release that serve the admin port."""
    for values, others in ((MONITORED, set()), ({**MONITORED, **HOST}, {"host"}), (ALL, {"host"})):
        release = helm.render(values)
        (one,) = release.of_kind("PodMonitor")
        serving = {name for name, pod in pods(release).items() if "admin" in port_names(pod)}
        assert selected(one["spec"]["selector"], release) == serving == {*WORKLOADS, "hub", *others}
        assert not selected(one["spec"]["selector"], helm.render(release="other"))


def test_pod_monitor_scrapes(helm: Helm) -> None:
    """The PodMonitor names the port, and has the interval and timeout of the values."""
    for values, interval, timeout in ((MONITORED, "30s", "10s"), (ALL, "15s", "5s")):
        (one,) = helm.render(values).of_kind("PodMonitor")
        (endpoint,) = one["spec"]["podMetricsEndpoints"]
        assert (endpoint["port"], endpoint["path"]) == ("admin", "/metrics")
        assert (endpoint["interval"], endpoint["scrapeTimeout"]) == (interval, timeout)


def test_target_labels(helm: Helm) -> None:
    """Its series have the labels that docs/metrics.md lists; every PodMonitor adds `namespace` and `pod`."""
    spec = monitor(helm)["spec"]
    from_pods = {label.replace(".", "_").replace("/", "_") for label in spec["podTargetLabels"]}
    (endpoint,) = spec["podMetricsEndpoints"]
    relabelled = {rule["targetLabel"] for rule in endpoint["relabelings"] if rule["action"] == "replace"}
    assert {"namespace", "pod"} | from_pods | relabelled == target_labels()
    assert endpoint["relabelings"][0]["sourceLabels"] == ["__meta_kubernetes_pod_node_name"]
    for component in WORKLOADS:
        assert set(spec["podTargetLabels"]) <= pods(helm.render())[component]["metadata"]["labels"].keys()


def test_service_monitor_selects(helm: Helm) -> None:
    """The ServiceMonitor selects only its own Service, by which every pod with an admin port is scraped once."""
    release = helm.render(merged(BY_SERVICE, HOST))
    (one,) = release.of_kind("ServiceMonitor")
    (service,) = [s for s in release.of_kind("Service") if selects(one["spec"]["selector"], s["metadata"]["labels"])]
    assert service["metadata"]["name"] == "smoker-metrics"
    assert (service["spec"]["clusterIP"], service["spec"]["publishNotReadyAddresses"]) == ("None", True)
    assert service["spec"]["ipFamilyPolicy"] == "SingleStack"
    (port,) = service["spec"]["ports"]
    assert (port["name"], port["targetPort"]) == ("admin", one["spec"]["endpoints"][0]["port"])
    found = selected({"matchLabels": service["spec"]["selector"]}, release)
    assert {name for name in found if "admin" in port_names(release.pod(name))} == {*WORKLOADS, "hub", "host"}
    assert not selected({"matchLabels": service["spec"]["selector"]}, helm.render(release="other"))


def test_service_monitor_scrapes_alike(helm: Helm) -> None:
    """The ServiceMonitor scrapes the same path with the same labels as the PodMonitor, at its own interval."""
    own = {"serviceMonitor": {"enabled": True, "intervalSeconds": 60, "timeoutSeconds": 20}}
    (one,) = helm.render({"metrics": own}).of_kind("ServiceMonitor")
    by_pod = monitor(helm)["spec"]
    assert one["spec"]["podTargetLabels"] == by_pod["podTargetLabels"]
    expected = {**by_pod["podMetricsEndpoints"][0], "interval": "60s", "scrapeTimeout": "20s"}
    assert one["spec"]["endpoints"] == [expected]


@pytest.mark.parametrize("key", ENDPOINTS)
def test_relabelings(helm: Helm, key: str) -> None:
    """The user's relabelings follow the chart's own; metric relabelings exist only if the user has some."""
    rules = [{"targetLabel": "cluster", "replacement": "blue"}]
    drop = [{"action": "drop", "sourceLabels": ["__name__"], "regex": "process_.+"}]
    kind = f"{key[0].upper()}{key[1:]}"
    values = {"metrics": {key: {"enabled": True}}}
    (plain,) = helm.render(values).of_kind(kind)
    own = nested(f"metrics.{key}", {"relabelings": rules, "metricRelabelings": drop})
    (changed,) = helm.render(merged(values, own)).of_kind(kind)
    (before,), (after,) = (one["spec"][ENDPOINTS[key]] for one in (plain, changed))
    assert "metricRelabelings" not in before
    assert after["relabelings"] == [*before["relabelings"], *rules]
    assert after["metricRelabelings"] == drop


def test_two_monitors_together_are_refused(helm: Helm) -> None:
    """A PodMonitor together with a ServiceMonitor is refused: Prometheus would count each pod twice."""
    with pytest.raises(HelmError, match=r"metrics\.serviceMonitor\.enabled: excludes metrics\.podMonitor\.enabled"):
        helm.render(merged(MONITORED, BY_SERVICE))


@pytest.mark.parametrize(
    ("key", "kind"),
    [("podMonitor", "PodMonitor"), ("serviceMonitor", "ServiceMonitor"), ("prometheusRule", "PrometheusRule")],
)
def test_labels_and_annotations(helm: Helm, key: str, kind: str) -> None:
    """Each object gets the labels by which a Prometheus selects, and annotations, in addition to the common ones."""
    own = {"enabled": True, "labels": {"release": "prom", "team": "ours"}, "annotations": {"note": "x"}}
    release = helm.render({"metrics": {key: own}, "commonLabels": {"team": "all"}, "commonAnnotations": {"a": "b"}})
    (one,) = release.of_kind(kind)
    labels, annotations = one["metadata"]["labels"], one["metadata"]["annotations"]
    assert (labels["release"], labels["team"]) == ("prom", "ours")
    assert annotations == {"note": "x", "a": "b"}
    others = [o for o in release.objects if o["kind"] != kind]
    assert not any(selects({"matchLabels": {"release": "prom"}}, o["metadata"]["labels"]) for o in others)


@pytest.mark.parametrize("key", ENDPOINTS)
def test_timeout_within_interval(helm: Helm, key: str) -> None:
    """A scrape timeout longer than the interval is refused in a sentence, as Prometheus would refuse it."""
    with pytest.raises(HelmError, match=rf"metrics\.{key}\.timeoutSeconds: must not exceed intervalSeconds"):
        helm.render(nested(f"metrics.{key}", {"intervalSeconds": 5, "timeoutSeconds": 6}))
    assert helm.render(nested(f"metrics.{key}", {"intervalSeconds": 5, "timeoutSeconds": 5})).objects


@pytest.mark.parametrize(("kind", "values"), [("PodMonitor", MONITORED), ("ServiceMonitor", BY_SERVICE)])
def test_every_series_has_the_name_of_the_cluster(helm: Helm, kind: str, values: dict[str, Any]) -> None:
    """With cluster.name a relabeling adds it to all series, also `up`; alerts and recorded series have it."""
    values = merged(values, {"metrics": {"prometheusRule": {"enabled": True}}})
    named = helm.render(merged(values, {"cluster": {"name": "pay$1"}}))
    (one,) = named.of_kind(kind)
    (endpoint,) = one["spec"][ENDPOINTS[kind[0].lower() + kind[1:]]]
    assert {"action": "replace", "targetLabel": "cluster", "replacement": "pay$$1"} in endpoint["relabelings"]
    (rule,) = named.of_kind("PrometheusRule")
    assert {each["labels"]["cluster"] for group in rule["spec"]["groups"] for each in group["rules"]} == {"pay$1"}
    plain = helm.render(values)
    (one,) = plain.of_kind(kind)
    (endpoint,) = one["spec"][ENDPOINTS[kind[0].lower() + kind[1:]]]
    assert [each["targetLabel"] for each in endpoint["relabelings"]] == ["node"]
