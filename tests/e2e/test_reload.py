"""A changed plan reaches the probers without a restart, on a real kubelet."""

from __future__ import annotations

import json

import pytest

from smoker_prober.config.api_server import CA
from tests.e2e.cluster import Namespace, eventually
from tests.e2e.release import FAST, Release

pytestmark = pytest.mark.cluster

#: The API server is probed every ten minutes, which is too seldom for these tests.
OWN = {"mesh.peers": 0, "hub.enabled": False, "prober.probeApiServer": False}
Paths = dict[tuple[str, str, str, str], int]  # by node, probe, target and family: the results in the window


@pytest.fixture(scope="module")
def release(namespace: Namespace, images: dict[str, object], helm: str, nodes: set[str]) -> Release:
    made = Release("smoker", namespace, helm, {**FAST, **images, **OWN})
    made.install()
    made.becomes("success", nodes)
    return made


def paths(release: Release) -> Paths:
    """Return every prober's windows, from its own report."""
    found: Paths = {}
    for pod in release.pods("prober"):
        told = release.namespace.kubectl("exec", pod["metadata"]["name"], "--", "smoker-prober", "report", "--json")
        for path in json.loads(told)["paths"]:
            found[pod["spec"]["nodeName"], path["probe"], path["target"], path["family"]] = path["results"]
    return found


def counters(release: Release) -> dict[tuple[str, str], float]:
    """The counters of results of every prober, by pod and series."""
    return {
        (pod["metadata"]["name"], series): value
        for pod in release.pods("prober")
        for series, value in release.metrics(pod["metadata"]["name"]).items()
        if series.startswith("smoker_probe_total{")
    }


#: One of each kind that a cluster has a server for; test_hub.py has the server of grpcio.
TARGETS = {
    "page": {"url": "http://smoker-server:8082/", "http": {"expect": {"status": "200"}}},
    "chat": {"url": "ws://smoker-server:8082/ws", "websocket": {"message": "text"}},
    "api": {"probe": "tls", "host": "kubernetes.default.svc", "tls": {"ca": CA, "minVersion": "1.3"}},
    "names": {"url": "dns:///kubernetes.default.svc.cluster.local?type=A&transport=tcp"},
}
KINDS = {"page": "http", "chat": "websocket", "api": "tls", "names": "dns"}


def test_a_plan_changes_without_a_restart(release: Release, nodes: set[str]) -> None:
    """`helm upgrade` changes the whole plan: the same pods, windows and counters, and nothing FAILED.

    The interval, timeout, peers, probes, name for the DNS, level, a threshold and the targets change;
    a target of each kind is probed from every node.
    """

    def enough() -> Paths:
        found = paths(release)
        assert min(found.values()) >= 3
        return found

    uids, before, mark = release.uids(), eventually("three rounds of each path", 60, enough), release.log()
    counted = counters(release)
    change = {
        "prober.intervalSeconds": 2,
        "prober.timeoutSeconds": 3,
        "prober.log.level": "DEBUG",
        "prober.probes": ["tcp", "udp"],
        "prober.targets": TARGETS,
        "prober.config": {"probes": {"tls": {"expiryWarning": "30d"}}},
        "dns.name": "smoker-server." + release.namespace.name,
        "mesh.peers": 1,
    }
    release.install(change)
    assert release.uids() == uids
    probed = KINDS | {str(change["dns.name"]): "dns"}  # another name is another path
    added = {(node, probe, target, "") for node in nodes for target, probe in probed.items()}

    def follows() -> Paths:
        found = paths(release)
        assert {path for path in added if found.get(path)} == added
        return found

    after = eventually("the new targets are probed from every node", 30, follows)
    assert (release.uids(), release.restarts()) == (uids, 0)
    peers = {(node, target) for node, probe, target, family in after if family and probe == "tcp"}
    assert {node: sum(of == node for of, _peer in peers) for node in nodes} == dict.fromkeys(nodes, 1)
    stayed = before.keys() & after.keys()
    assert len(stayed) >= 3 * len(nodes)
    assert [path for path in stayed if after[path] < before[path]] == []
    assert after.keys() - stayed == added
    assert {probe for _node, probe, target, _family in after if target not in KINDS} == {"tcp", "udp", "dns"}
    now = counters(release)
    assert len(counted.keys() & now.keys()) >= 3 * len(nodes)
    assert [series for series in counted.keys() & now.keys() if now[series] < counted[series]] == []
    failed = [result for result in release.all_results(mark) if result.outcome != "success"]
    assert failed == []
