"""The chart's alerts on a real cluster, by a real Prometheus: only the right one fires.

The tests depend on each other and share one release. Every duration is a thirtieth of the chart's default, so that
windows cover as many rounds as they do for users. The only exception is a past of a day.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import eventually, fresh_namespace
from tests.e2e.prometheus import Prometheus, watching
from tests.e2e.release import FAST, Release

pytestmark = pytest.mark.cluster

RULE = "metrics.prometheusRule"
THIRTIETH = {
    **FAST,
    "hub.enabled": False,  # these are the alerts per path; what the hub finds is in test_hub.py
    "dns.name": "",  # the DNS and the API server are not among these alerts
    "dns.replicas.service": "",
    "prober.probeApiServer": False,
    "prober.timeoutSeconds": 0.3,  # three of them are less than the interval, as they are by default
    "metrics.podMonitor.intervalSeconds": 1,
    "metrics.podMonitor.timeoutSeconds": 1,
    f"{RULE}.probeFailing.forSeconds": 10,
    f"{RULE}.targetFailing.forSeconds": 10,
    f"{RULE}.targetGone.forSeconds": 10,
    f"{RULE}.packetLoss.forSeconds": 20,
    f"{RULE}.latencyHigh.forSeconds": 20,
    f"{RULE}.latencyHigh.pastSeconds": 60,  # a path is old enough after 3 s
    f"{RULE}.proberMissing.forSeconds": 30,
    f"{RULE}.proberStarved.forSeconds": 30,
}
WINDOW = 20  # rounds: the longest window of a rule
PORTS = {"tcp": 8080, "udp": 8081, "http": 8082}
DENY_EGRESS = {"podSelector": {"matchLabels": {"smoker-e2e/cut": "yes"}}, "policyTypes": ["Egress"]}


@pytest.fixture(scope="module")
def release(images: dict[str, object], helm: str, nodes: set[str]) -> Iterator[Release]:
    """A release in which everything succeeds."""
    with fresh_namespace() as namespace:
        release = Release("smoker", namespace, helm, {**THIRTIETH, **images})
        release.install()
        release.becomes("success", nodes)
        yield release


@pytest.fixture(scope="module")
def prometheus(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with watching(release, tmp_path_factory.mktemp("prometheus")) as prometheus:
        yield prometheus


@pytest.fixture
def since(prometheus: Prometheus) -> float:
    """The time at which the test began, with no alert pending."""
    eventually("no alert is left of before", 60, lambda: settled(prometheus))
    return time.time()


def settled(prometheus: Prometheus) -> None:
    assert prometheus.alerts("pending", "firing") == set()


def firing(prometheus: Prometheus, *alerts: str, seconds: float = 60) -> None:
    """Wait until exactly these alerts fire."""

    def these() -> None:
        assert prometheus.alerts("firing") == set(alerts)

    eventually(f"{alerts or 'nothing'} fires", seconds, these)


def passed(prometheus: Prometheus, nodes: set[str], rounds: int) -> None:
    """Wait for this number of further rounds of every node, as Prometheus sees them."""
    begun = time.time()

    def enough() -> None:
        seconds = int(time.time() - begun) + 1
        found = prometheus.query(f"sum by (node) (increase(smoker_prober_rounds_total[{seconds}s]))")
        counts = {labels["node"]: count for labels, count in found}
        assert all(counts.get(node, 0) >= rounds for node in nodes), f"rounds: {counts}"

    eventually(f"{rounds} more rounds on every node", 120, enough)


def test_no_alert_fires_on_a_healthy_release(prometheus: Prometheus, release: Release, nodes: set[str]) -> None:
    """Prometheus sees every pod with its node, and no alert fires or is pending."""
    begun = time.time()
    passed(prometheus, nodes, WINDOW)
    labels = ("pod", "node", "app_kubernetes_io_component", "app_kubernetes_io_instance", "namespace")
    component = "app.kubernetes.io/component"
    assert {tuple(found[name] for name in labels) for found, up in prometheus.query("up") if up} == {
        (
            pod["metadata"]["name"],
            pod["spec"]["nodeName"],
            pod["metadata"]["labels"][component],
            release.name,
            release.namespace.name,
        )
        for pod in release.pods()
    }
    assert prometheus.fired(begun) == set()
    settled(prometheus)


def test_deleted_echo_pods_fire_no_alert(
    prometheus: Prometheus, release: Release, nodes: set[str], since: float
) -> None:
    """Deleted echo pods are back before an alert fires, even if all three are deleted at once."""
    before = release.uids()
    names = [release.pods(f"{probe}-echo")[0]["metadata"]["name"] for probe in PORTS]
    release.namespace.kubectl("delete", "pod", "--wait=false", *names)
    passed(prometheus, nodes, WINDOW)
    after = release.uids()
    assert not [name for name in before if name != "prober" and before[name] & after[name]]
    assert prometheus.value('sum(smoker_probe_total{outcome!="success"})') > 0
    assert prometheus.fired(since) == set()


@pytest.mark.parametrize("probe", PORTS)
def test_a_missing_echo_fires_its_alert(prometheus: Prometheus, release: Release, since: float, probe: str) -> None:
    """An echo that stays away fires exactly the alert about it, until it is back."""
    echo = f"deployment/{release.name}-{probe}-echo"
    gone = f"SmokerTargetGone {probe} {release.name}-server:{PORTS[probe]}"
    release.namespace.kubectl("scale", echo, "--replicas=0")
    firing(prometheus, gone)
    release.namespace.kubectl("scale", echo, "--replicas=1")
    firing(prometheus)
    assert prometheus.fired(since) == {gone}


def test_a_cut_off_node_is_named_by_alerts(
    prometheus: Prometheus, release: Release, nodes: set[str], since: float
) -> None:
    """If a node reaches nothing, alerts name this node for each of its paths. They name no other node or target."""
    pod = release.pods("prober")[0]
    node, name = pod["spec"]["nodeName"], pod["metadata"]["name"]
    cut = {f"SmokerProbeFailing {node} {probe} {release.name}-server:{port}" for probe, port in PORTS.items()}
    service = release.namespace.items("services", f"{release.selector},app.kubernetes.io/component=prober")[0]
    ways = [(peer, family.lower()) for peer in nodes - {node} for family in service["spec"]["ipFamilies"]]
    cut |= {f"SmokerProbeFailing {node} {probe} {peer} pod {family}" for probe in PORTS for peer, family in ways}
    release.namespace.kubectl("label", "pod", name, "smoker-e2e/cut=yes")  # a policy selects pods, not nodes
    with release.namespace.policy("cut", DENY_EGRESS):
        firing(prometheus, *cut)
    firing(prometheus)
    assert prometheus.fired(since) == cut
