"""What an upgrade changes, and what it leaves alone. The tests depend on each other and share one release."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from tests.e2e.cluster import Namespace, eventually, kubectl
from tests.e2e.release import COMPONENTS, FAST, Mark, Release

pytestmark = pytest.mark.cluster

CA = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"  # where a pod has an account of its own


@pytest.fixture(scope="module")
def release(namespace: Namespace, images: dict[str, object], helm: str, nodes: set[str]) -> Release:
    release = Release("smoker", namespace, helm, {**FAST, **images})
    release.install()
    release.becomes("success", nodes)
    return release


def restarted(release: Release, before: dict[str, set[str]]) -> set[str]:
    """Return the components whose pods are all new. Fail while a component has old and new ones."""

    def settled() -> set[str]:
        now = release.uids()
        assert {name: len(pods) for name, pods in now.items()} == {name: len(pods) for name, pods in before.items()}
        gone = {name for name in COMPONENTS if not now[name] & before[name]}
        assert all(now[name] == before[name] for name in COMPONENTS if name not in gone)
        return gone

    return eventually("each component's pods are all old or all new", 60, settled)


def test_a_new_port_restarts_only_its_service(release: Release, nodes: set[str]) -> None:
    """A new port restarts only the service that listens there; the probers follow by their plan."""
    before = release.uids()
    release.install({"tcpEcho.port": 18080})
    assert restarted(release, before) == {"tcp-echo"}
    release.becomes("success", nodes)
    release.stays_healthy(nodes)
    assert "smoker-server:18080" in release.test()


def test_mesh_off_and_on(release: Release, nodes: set[str]) -> None:
    """Without a mesh probers have neither an account of their own nor peers; both come back with it."""
    for enabled, account in ((False, "default"), (True, "smoker-prober")):
        before = release.uids()
        release.install({"mesh.enabled": enabled})
        assert restarted(release, before) == {"prober"}
        assert {pod["spec"]["serviceAccountName"] for pod in release.pods("prober")} == {account}
        mark = release.log("prober")

        def two_rounds(mark: Mark = mark, enabled: bool = enabled) -> None:
            found = release.all_results(mark)
            seen = Counter(r.node for r in found if not r.peer and r.probe == "TCP")
            assert min(seen[node] for node in nodes) >= 2
            assert any(r.peer for r in found) is enabled

        eventually("peers are probed, or not", 30, two_rounds)


def test_further_targets_are_probed(release: Release, nodes: set[str]) -> None:
    """Further targets are probed, too: the API server by address, name and TLS, and a Service; one fails."""
    api = kubectl("--namespace", "default", "get", "service", "kubernetes", "--output=jsonpath={.spec.clusterIP}")
    targets = {
        "api-address": f"tcp://[{api}]:443" if ":" in api else f"tcp://{api}:443",
        "api-name": "tcp://kubernetes.default.svc:443",
        "api-tls": "https://kubernetes.default.svc/livez",
        "api-cert": "tls://kubernetes.default.svc",
        "echo": "http://smoker-server:8082/",
        "nobody": f"tcp://smoker-server.{release.namespace.name}.svc:9",
    }
    release.install({"prober.targets": targets, "prober.extraEnv": [{"name": "SSL_CERT_FILE", "value": CA}]})
    line = re.compile(r".*\[NODE:(\S+)\] \[(CONNECT|HTTP|TLS)\] (SUCCESS|FAILED) .*\btarget=(\S+) plane=other\b.*")
    of_scheme = {"tcp": "CONNECT", "http": "HTTP", "https": "HTTP", "tls": "TLS"}
    wanted = {
        (node, of_scheme[url.partition(":")[0]], "FAILED" if name == "nobody" else "SUCCESS", name)
        for node in nodes
        for name, url in {**targets, "kubernetes": f"tls://{api}"}.items()  # that one is there in any case
    }

    def latest() -> None:
        found = (line.fullmatch(said.text) for lines in release.log().values() for said in lines)
        ends = {(one[1], one[2], one[4]): one[3] for one in found if one}
        assert {(node, probe, outcome, name) for (node, probe, name), outcome in ends.items()} == wanted

    try:
        eventually("each node has probed each target", 60, latest)
        assert "probes from" in release.test(), "it shows them, and does not fail because of them"
    finally:
        release.install({"prober.targets": {}, "prober.extraEnv": []})


def test_each_json_line_is_a_flat_object(release: Release, nodes: set[str]) -> None:
    """With log.format=json each line of each pod is a flat JSON object, and results have node and outcome."""
    before = release.uids()
    release.install({"log.format": "json"})
    assert restarted(release, before) == set(COMPONENTS)
    outcomes: dict[str, set[str]] = {}
    for component in COMPONENTS:

        def lines(component: str = component) -> list[str]:
            found = release.log(component)
            assert all(len(lines) > 3 for lines in found.values())
            return [line.text for lines in found.values() for line in lines]

        for text in eventually(f"{component} has logged", 30, lines):
            fields = json.loads(text)
            assert {"time", "level"} < set(fields)
            assert not [value for value in fields.values() if isinstance(value, dict | list)]
            if "outcome" in fields:
                outcomes.setdefault(fields["node"], set()).add(fields["outcome"])
    assert set(outcomes) == nodes
