"""Findings about Services and the DNS."""

from __future__ import annotations

import msgspec
import pytest

from tests.diagnosis.mesh import Cluster, named, nodes


def test_dns_dead_beside_a_stray_path() -> None:
    """DNS that is dead on every node is the only name. A path that also fails is listed without a cause."""
    mesh = Cluster(nodes(20)).fail_services(nodes(20), outcome="resolve_error")
    mesh.fail(lambda link: link[:3] == ("node-1", "node-2", "pod"), rounds=2)
    found = mesh.findings()
    assert named(found) == [("dns", "all", (), "dns")]
    (stray,) = (each for each in found if each.kind == "unknown")
    assert {(each.source, each.target, each.plane) for each in stray.failing} == {("node-1", "node-2", "pod")}


def test_dns_from_one_node() -> None:
    """Look-ups that fail only on one node are a fault of that node."""
    mesh = Cluster(nodes(20)).fail_services(["node-4"], outcome="resolve_error")
    assert named(mesh.findings()) == [("dns", "node", ("node-4",), "dns")]


def test_dns_from_one_node_beside_a_dead_node() -> None:
    """DNS that fails on one node is named also while another node is dead, because all others are answered."""
    mesh = Cluster(nodes(20)).fail_services(["node-4"], outcome="resolve_error")
    mesh.fail(lambda link: link.touches("node-12")).fail_services(["node-12"])
    assert {(kind, where) for kind, _, where, _ in named(mesh.findings())} == {
        ("fault", ("node-12",)),
        ("dns", ("node-4",)),
    }


def test_one_dns_server_of_two() -> None:
    """If half of the look-ups fail on all nodes, one DNS server is named and no node."""
    mesh = Cluster(nodes(20))
    for number, states in enumerate(mesh.to_services.values()):
        for probe, path in states.items():
            bad = (number + len(probe)) % 2 == 0
            failures = {"resolve_error": 2 if bad else 1}
            # Those that failed did so before others were answered: so it is not all of the DNS.
            changes = {"last": "resolve_error", "streak": 2, "since": path.at - 20} if bad else {}
            states[probe] = msgspec.structs.replace(path, failures=failures, **changes)
    found = mesh.findings()
    assert named(found) == [("dns", "all", (), "dns")]
    assert found[0].share == 0.5


def test_services_of_one_node() -> None:
    """If no Service answers on one node while its peers do, the finding names kube-proxy there."""
    mesh = Cluster(nodes(20)).fail_services(["node-4"])
    assert named(mesh.findings()) == [("service", "node", ("node-4",), "service")]


def test_fewer_attempts_than_none() -> None:
    """A negative count takes no packet away: the loss is found all the same."""
    mesh = Cluster(nodes(4), services=False).lose(lambda link: link.touches("node-2") and "pod" in link.plane, 6)
    for link, paths in mesh.paths.items():
        if link.touches("node-2"):
            paths["udp"] = msgspec.structs.replace(paths["udp"], attempts=-30, failures={"timeout": 800})
    assert [(each.kind, each.scope.nodes) for each in mesh.findings()] == [("loss", ("node-2",))]


@pytest.mark.parametrize("api", ["ok", "waiting", "refused", "unanswered"])
def test_only_an_api_server_that_does_not_answer_is_evidence_against_kube_proxy(api: str) -> None:
    """A node on which no Service answers: the API server supports that finding if it is silent, not if it refuses."""
    found = Cluster(nodes(20)).fail_services(["node-4"]).change("node-4", api=api).findings()
    assert named(found) == [("service", "node", ("node-4",), "service")]
    assert any("API server" in note for note in found[0].notes) == (api == "unanswered")


@pytest.mark.parametrize("api", ["waiting", "refused", "unanswered"])
def test_the_api_server_alone_blames_no_node(api: str) -> None:
    """A node whose Services answer is not named because of the API server's state."""
    assert Cluster(nodes(20)).change("node-4", api=api).findings() == []


def test_one_echo() -> None:
    """One echo that refuses all nodes is named."""
    found = Cluster(nodes(20)).fail_services(nodes(20), ["http"], outcome="refused").findings()
    assert [(each.kind, each.scope.kind, each.probes, each.outcomes) for each in found] == [
        ("service", "service", ("http",), ("refused",))
    ]


def test_echo_on_a_dead_node() -> None:
    """An echo whose pods run on a dead node is not a fault of its own."""
    mesh = Cluster(nodes(20)).fail(lambda link: link.touches("node-2")).fail_services(nodes(20), ["http"])
    mesh.fail_services(["node-2"])
    for node in nodes(20):
        mesh.change(node, echoes={"http": ["node-2"], "tcp": ["node-5"], "udp": ["node-6"]})
    found = mesh.findings()
    assert named(found) == [("fault", "node", ("node-2",), "network")]
    assert found[0].follows > 0


def test_a_single_flake() -> None:
    """One failed probe of a Service is no finding."""
    assert Cluster(nodes(20)).fail_services(["node-4"], ["http"], rounds=1).findings() == []


def test_more_failures_than_attempts() -> None:
    """A state with impossible counts ends no look: the node whose Services fail is named all the same."""
    mesh = Cluster(nodes(4)).fail_services(["node-4"])
    for paths in (mesh.to_services["node-1", network] for network in ("pod", "host")):
        for probe, path in paths.items():
            paths[probe] = msgspec.structs.replace(path, attempts=3, failures={"resolve_error": 800})
    assert named(mesh.findings()) == [("service", "node", ("node-4",), "service")]
