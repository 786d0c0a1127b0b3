"""The hub on a real cluster: a fault of a node's overlay appears in its log, at the webhook, and in its history.

A further target that is at fault is named, too: a gRPC server that does not serve.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import faults
from tests.e2e.cluster import eventually, fresh_namespace
from tests.e2e.health import Health, health_server
from tests.e2e.hub import ask, healthy
from tests.e2e.prometheus import Prometheus, watching
from tests.e2e.release import FAST, Release
from tests.images.command import ROOT

pytestmark = pytest.mark.cluster

INTERVAL = {"prober.intervalSeconds": 5, "prober.timeoutSeconds": 1}
OVERLAY = ("-p", "udp", "--dport", "8472")
SENT = 'smoker_hub_notifications_total{outcome="sent",receiver="webhook"}'


@pytest.fixture(scope="module")
def health(nodes: set[str]) -> Iterator[Health]:
    with health_server(min(nodes)) as server:
        yield server


@pytest.fixture(scope="module")
def release(images: dict[str, object], helm: str, nodes: set[str], health: Health) -> Iterator[Release]:
    """A release on both networks with a round every 5 s; the http-echo receives the webhook's messages."""
    assert len(nodes) >= 4, "these tests need four nodes"
    own = {
        **INTERVAL,
        "hub.notify": [{"type": "webhook", "url": "http://smoker-server:8082/"}],
        "hostNetwork.enabled": True,
        "prober.targets": {"orders": {"url": health.url}},
        "metrics.podMonitor.intervalSeconds": 1,  # of the Prometheus here
        "metrics.podMonitor.timeoutSeconds": 1,
    }
    with fresh_namespace(level="privileged") as namespace:
        made = Release("smoker", namespace, helm, {**FAST, **own, **images})
        made.install()
        yield made


def log(release: Release) -> list[str]:
    """Return the lines of the hub."""
    return [line.text for lines in release.log("hub").values() for line in lines]


def says(release: Release, *words: str) -> None:
    assert [line for line in log(release) if all(word in line for word in words)], "\n".join(log(release)[-5:])


def plugin(release: Release, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the kubectl plugin."""
    arguments = [str(ROOT / "bin" / "kubectl-smoker"), command, "--namespace", release.namespace.name]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


def started(release: Release, times: int) -> None:
    kinds = [event["kind"] for event in ask(release, "events")["events"]]
    assert kinds.count("hub_started") == times, kinds


@pytest.fixture
def prometheus(release: Release, tmp_path: Path) -> Iterator[Prometheus]:
    with watching(release, tmp_path) as prometheus:
        yield prometheus


def firing(prometheus: Prometheus, *alerts: str) -> None:
    assert prometheus.alerts("firing") == set(alerts)


def test_an_overlay_breaks_and_heals(release: Release, prometheus: Prometheus) -> None:
    """The hub logs HEALTHY, then FAULT with the node within a minute, then CLOSED.

    Both are sent, and a restart keeps them.

    To Prometheus it is one alert.
    """
    begun = time.time()
    eventually("the hub has heard everybody", 60, lambda: says(release, "HEALTHY"))
    (hub,) = release.pods("hub")
    others = {pod["spec"]["nodeName"] for pod in release.pods("prober")} - {hub["spec"]["nodeName"]}
    node = max(others)
    with faults.healed():
        faults.drop(node, "INPUT", *OVERLAY)
        eventually("the fault is named", 60, lambda: says(release, "FAULT", node))
        moment = ask(release, "findings")["open"][0]["opened"] + 1.0
        eventually("one alert fires", 30, lambda: firing(prometheus, f"SmokerFault {node}"))
        said = plugin(release, "findings")
        assert (said.returncode, f"FAULT {node}: " in said.stdout) == (1, True), said
    eventually("the fault is over", 60, lambda: says(release, "CLOSED", node))

    def is_well() -> None:
        said = plugin(release, "status")
        assert (said.returncode, said.stdout[:8], said.stderr) == (0, "HEALTHY ", ""), said

    eventually("all is healthy", 60, is_well)  # while it heals, less of the node can fail for a moment
    name = hub["metadata"]["name"]

    def sent() -> None:
        assert release.metrics(name).get(SENT, 0) >= 2

    eventually("both were sent", 90, sent)
    eventually("no alert is left", 60, lambda: firing(prometheus))
    fired = prometheus.fired(begun)
    assert f"SmokerFault {node}" in fired
    assert all(alert.startswith("SmokerFault ") and node in alert for alert in fired), fired
    faults_said = {line for line in log(release) if "FAULT" in line}
    assert all(node in line for line in faults_said), faults_said
    release.namespace.kubectl("exec", name, "--", "python3", "-c", "import os; os.kill(1, 15)")  # the history survives
    eventually("the hub has started again", 60, lambda: started(release, 2))
    (view,) = ask(release, f"findings?at={moment}")["open"]
    assert view["finding"]["scope"]["nodes"] == [node]
    assert ask(release, f"summary?at={moment}")["state"] == "faults"
    matrix = ask(release, f"matrix?at={moment}&plane=pod&to={node}")
    assert set(matrix["state"]) - {"o", "l"}, matrix  # a prober without CPU does not count its failures: u


def test_a_grpc_server_that_does_not_serve_is_named(release: Release, health: Health) -> None:
    """The server of grpcio is healthy from every node. Once it answers NOT_SERVING the hub names the target, alone."""
    healthy(release)
    health.set("NOT_SERVING")
    eventually("the target is named", 60, lambda: says(release, "FAULT", "orders"))
    (view,) = ask(release, "findings")["open"]
    found = view["finding"]
    assert (found["kind"], found["scope"]["nodes"], found["outcomes"]) == ("target", ["orders"], ["bad_reply"])
