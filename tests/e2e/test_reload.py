"""A changed plan reaches the probers without a restart, on a real kubelet."""

from __future__ import annotations

import json

import pytest

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


def restarts(release: Release) -> int:
    """Return how often containers of this release have restarted."""
    statuses = [status for pod in release.pods() for status in pod["status"].get("containerStatuses", ())]
    return sum(status["restartCount"] for status in statuses)


def test_a_plan_changes_without_a_restart(release: Release, nodes: set[str]) -> None:
    """`helm upgrade` changes interval, peers, level and a target: the same pods, the same windows, nothing FAILED."""

    def enough() -> Paths:
        found = paths(release)
        assert min(found.values()) >= 3
        return found

    uids, before, mark = release.uids(), eventually("three rounds of each path", 60, enough), release.log()
    change = {
        "prober.intervalSeconds": 2,
        "prober.timeoutSeconds": 3,
        "prober.log.level": "DEBUG",
        "prober.targets": {"page": "http://smoker-server:8082/"},
        "mesh.peers": 1,
    }
    release.install(change)
    assert release.uids() == uids

    def follows() -> Paths:
        found = paths(release)
        assert {
            node for node, _probe, target, _family in found if target == "page" and found[node, "http", "page", ""]
        } == nodes
        return found

    after = eventually("the new target is probed from every node", 30, follows)
    assert (release.uids(), restarts(release)) == (uids, 0)
    peers = {(node, target) for node, probe, target, family in after if family and probe == "tcp"}
    assert {node: sum(of == node for of, _peer in peers) for node in nodes} == dict.fromkeys(nodes, 1)
    stayed = before.keys() & after.keys()
    assert len(stayed) >= 3 * len(nodes)
    assert [path for path in stayed if after[path] < before[path]] == []
    assert after.keys() - stayed == {(node, "http", "page", "") for node in nodes}
    failed = [result for result in release.all_results(mark) if result.outcome != "success"]
    assert failed == []
