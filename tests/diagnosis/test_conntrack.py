"""Stale connection tracking: which node is named, and what is not named because something else explains it."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.component import NODE, Scope
from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.state import KeptFlow, decode, encode
from smoker_diagnosis.text import lines
from tests.diagnosis.mesh import AT, Cluster, nodes


def with_kept(mesh: Cluster, node: str, *, rounds: int = 2, ago: float = 50.0, network: str = "pod") -> Cluster:
    """Have the kept flow from a prober of `node` fail for so many rounds."""
    paths = mesh.to_services[node, network]
    paths["udp"] = msgspec.structs.replace(paths["udp"], kept=KeptFlow(AT - ago, 40_123, rounds))
    return mesh


def test_a_node_is_named_with_the_flow_and_the_command() -> None:
    """The kept flow of one node fails and nothing else does: node, source port, time and command are there."""
    (found,) = with_kept(Cluster(nodes(4)), "node-2").findings()
    assert (found.kind, found.scope, found.severity) == ("conntrack", Scope(NODE, ("node-2",)), "warning")
    assert lines(found) == [
        (
            "WARNING node-2: stale connection tracking: a UDP flow to a Service that is kept open fails there, "
            "new flows work, for 50 s, confidence 95 %"
        ),
        (
            "  evidence: the flow to echo from UDP source port 40123 has had no answer for 50 s; "
            "16 new source ports are answered, and no probe of the Service from node-2 fails"
        ),
        "  next: conntrack -D -p udp --orig-port-src 40123   (on node-2; before, -L shows the pod that is gone)",
    ]


@pytest.mark.parametrize(("rounds", "ago"), [(1, 50.0), (2, 8.0)])
def test_a_stale_flow_is_not_reported_at_once(rounds: int, ago: float) -> None:
    """One round, or two within a moment, can be a rollout that kube-proxy has not followed yet."""
    assert with_kept(Cluster(nodes(4)), "node-2", rounds=rounds, ago=ago).findings() == []


@pytest.mark.parametrize(
    ("replaced", "ago", "named"), [(44.0, 43.0, False), (44.0, 46.0, True), (46.0, 43.0, True), (46.0, 8.0, False)]
)
def test_a_rollout_gives_kube_proxy_time(replaced: float, ago: float, *, named: bool) -> None:
    """Where the pods of the echo changed, kube-proxy may remove the entry at its next full look, 30 s later."""
    mesh = with_kept(Cluster(nodes(4)), "node-2", ago=ago)
    mesh.change("node-2", replaced={"udp": AT - replaced})
    assert bool(mesh.findings()) == named


def test_look_ups_that_failed_do_not_hide_it() -> None:
    """A name that was not found says nothing of the flow; a probe that was not answered may have the same cause."""
    for outcome, named in (("resolve_error", True), ("timeout", False)):
        mesh = with_kept(Cluster(nodes(4)), "node-2")
        paths = mesh.to_services["node-2", "pod"]
        paths["http"] = msgspec.structs.replace(paths["http"], failures={outcome: 1})
        assert bool(mesh.findings()) == named, outcome


def test_both_networks_of_a_node_are_one_finding() -> None:
    """The prober in the host network sees the same entries: the node is named once."""
    mesh = with_kept(with_kept(Cluster(nodes(4)), "node-2"), "node-2", network="host")
    assert [(each.kind, each.scope.nodes) for each in mesh.findings()] == [("conntrack", ("node-2",))]


def test_each_node_has_its_own() -> None:
    """Two nodes with stale entries are two findings."""
    mesh = with_kept(with_kept(Cluster(nodes(4)), "node-2"), "node-3")
    assert [(each.kind, each.scope.nodes) for each in mesh.findings()] == [
        ("conntrack", ("node-2",)),
        ("conntrack", ("node-3",)),
    ]


def test_a_dead_node_explains_it() -> None:
    """The echo can stand on the node that is at fault: the flow to it fails, and its source is innocent."""
    mesh = with_kept(Cluster(nodes(6)), "node-2").fail(lambda link: link.touches("node-5"))
    assert [(each.kind, each.scope.nodes) for each in mesh.findings()] == [("fault", ("node-5",))]


def on(mesh: Cluster, *places: str) -> Cluster:
    """Have the pods of the UDP echo on these nodes, as every prober knows."""
    for node in mesh.nodes:
        mesh.change(node, echoes={"udp": list(places)})
    return mesh


def test_a_dead_node_without_the_echo_does_not_explain_it() -> None:
    """The echo stands elsewhere: neither the flow nor its source has anything to do with that node."""
    mesh = with_kept(on(Cluster(nodes(6)), "node-3"), "node-2").fail(lambda link: link.touches("node-5"))
    assert [(each.kind, each.scope.nodes) for each in mesh.findings()] == [
        ("fault", ("node-5",)),
        ("conntrack", ("node-2",)),
    ]


@pytest.mark.parametrize(
    ("source", "place", "stale"), [("node-2", "node-3", True), ("node-2", "node-5", False), ("node-5", "node-3", False)]
)
def test_a_broken_pair_explains_it_at_its_ends_alone(source: str, place: str, stale: bool) -> None:
    """A flow from one of both nodes, or to an echo there, may use that path; another one does not."""
    mesh = with_kept(on(Cluster(nodes(6)), place), source).fail(lambda link: link.between("node-5", "node-6"))
    assert [each.kind for each in mesh.findings()] == ["fault", *(["conntrack"] if stale else [])]


def test_an_echo_that_just_left_the_node_at_fault_explains_it() -> None:
    """The endpoints lose the pod of a dead node; the flow still goes to it until kube-proxy has followed."""
    kept = Evidence()
    diagnose(on(Cluster(nodes(6)), "node-5").states(), evidence=kept)
    mesh = with_kept(on(Cluster(nodes(6)), "node-3"), "node-2").fail(lambda link: link.touches("node-5"))
    assert [each.kind for each in diagnose(mesh.states(), evidence=kept)] == ["fault"]


def test_little_loss_everywhere_does_not_explain_it() -> None:
    """Of a hundred packets one is lost: two rounds in a row are not lost by that."""
    mesh = with_kept(Cluster(nodes(6)), "node-2").lose(lambda link: link.crosses, 1, sent=90)
    assert [(each.kind, each.scope.nodes) for each in mesh.findings()] == [("loss", ()), ("conntrack", ("node-2",))]


@pytest.mark.parametrize(("rounds", "stale"), [(2, False), (4, True)])
def test_more_loss_everywhere_explains_few_rounds(rounds: int, stale: bool) -> None:
    """Of ten packets one is lost: that explains two rounds, and not four."""
    mesh = with_kept(Cluster(nodes(6)), "node-2", rounds=rounds).lose(lambda link: link.crosses, 3)
    assert any(each.kind == "conntrack" for each in mesh.findings()) == stale


def test_loss_explains_it() -> None:
    """So does heavy loss at any node, where nobody knows on which the echo stands."""
    mesh = with_kept(Cluster(nodes(10)), "node-2").lose(lambda link: link.touches("node-5"), 12)
    assert [each.kind for each in mesh.findings()] == ["loss"]


def test_a_service_that_fails_explains_it() -> None:
    """A probe of the Service failed in the last rounds: one of its pods may not answer."""
    mesh = with_kept(Cluster(nodes(4)), "node-2")
    paths = mesh.to_services["node-2", "pod"]
    paths["udp"] = msgspec.structs.replace(paths["udp"], failures={"timeout": 1})
    assert not any(each.kind == "conntrack" for each in mesh.findings())


def test_it_ends_with_the_first_answer() -> None:
    """A later look with the same evidence kept sees the flow work again."""
    kept = Evidence()
    meshes = (Cluster(nodes(4)), with_kept(Cluster(nodes(4)), "node-2"), Cluster(nodes(4)))
    kinds = [
        [each.kind for each in diagnose([decode(encode(state)) for state in mesh.states()], evidence=kept)]
        for mesh in meshes
    ]
    assert kinds == [[], ["conntrack"], []]
