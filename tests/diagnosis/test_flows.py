"""Flows that always fail: told apart from random loss, and evidence for a finding that blames no innocent node."""

from __future__ import annotations

import random
from itertools import combinations
from math import comb

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoker_diagnosis.component import ALL, PAIR, Scope
from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.finding import SeenFlows
from smoker_diagnosis.flows import Flows, judge, probability
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.state import FailingFlows, PathState, State, decode, encode
from smoker_diagnosis.text import is_fault, lines
from tests.diagnosis.mesh import AT, Cluster, Link, Where, named, nodes


@pytest.mark.parametrize("failing", range(1, 16))
def test_flows_that_lose_every_packet_while_the_others_lose_none(failing: int) -> None:
    """One bad member of any share is recognized from six packets of each of sixteen flows."""
    assert judge([0] * failing + [6] * (16 - failing), 6) == Flows(16, failing)


@pytest.mark.parametrize("answered", [[6] * 16, [0] * 16, [5, 4] * 8, [1] * 16])
def test_flows_that_lose_alike_are_no_finding(answered: list[int]) -> None:
    """All flows work, all fail, or all lose some packets: no flow is worse than the others."""
    assert judge(answered, 6) == Flows(16, 0)


def test_a_bad_member_beside_light_loss() -> None:
    """Two of the packets of working flows are lost, too: the bad member is still recognized."""
    assert judge([0, 0, 0, 0] + [6] * 10 + [5, 5], 6) == Flows(16, 4)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9])
def test_random_loss_is_not_a_broken_member(rate: float) -> None:
    """A thousand checks of a path with this rate of loss report no flow as always failing."""
    chance = random.Random(f"flows {rate}")
    for _ in range(1000):
        answered = [sum(chance.random() >= rate for _ in range(6)) for _ in range(16)]
        assert judge(answered, 6).failing == 0, answered


def test_loss_that_comes_at_one_moment() -> None:
    """A moment of silence costs each flow the packets of that moment, and that is no bad member."""
    assert judge([3] * 16, 6) == Flows(16, 0)


@given(st.integers(1, 4), st.integers(1, 3), st.data())
def test_the_probability_is_that_of_all_sets_of_lost_packets(flows: int, packets: int, data: st.DataObject) -> None:
    """The closed form equals the count over every set of lost packets."""
    total = flows * packets
    lost, failing = data.draw(st.integers(0, total)), data.draw(st.integers(0, flows))
    hits = 0
    for chosen in combinations(range(total), lost):
        gone = set(chosen)
        whole = sum({*range(flow * packets, (flow + 1) * packets)} <= gone for flow in range(flows))
        hits += whole >= failing
    assert probability(flows, packets, lost, failing) == pytest.approx(hits / comb(total, lost))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=32))
def test_the_verdict_never_exceeds_what_was_seen(answered: list[int]) -> None:
    """The verdict counts only flows without any answer as failing, and never all flows."""
    found = judge(answered, 6)
    assert found.tried == len(answered)
    assert found.failing in (0, answered.count(0))
    assert found.failing < len(answered)


def with_flows(mesh: Cluster, where: Where, failing: int = 4, ago: float = 20.0) -> Cluster:
    """Have a check of the paths in `where` find that many of 16 flows fail."""
    for link, paths in mesh.paths.items():
        if where(link):
            paths["udp"] = msgspec.structs.replace(paths["udp"], flows=FailingFlows(AT - ago, 16, failing))
    return mesh


def between(one: str, other: str) -> Where:
    return lambda link: link.between(one, other) and link.plane == "pod"


def test_one_pair_is_a_finding_that_blames_neither_end() -> None:
    """Flows fail between two nodes and nothing else is found: the pair is named, with the count and what to look at."""
    (found,) = with_flows(Cluster(nodes(5)), between("node-1", "node-3")).findings()
    assert (found.kind, found.scope, found.severity) == ("flows", Scope(PAIR, ("node-1", "node-3")), "warning")
    assert found.flows[0] == SeenFlows("node-1", "node-3", "pod", "ipv4", 4, 16)
    assert is_fault(found)
    headline, *more = lines(found)
    assert headline == (
        "WARNING between node-1 and node-3: 4 of 16 flows always fail "
        "(one member of an ECMP group or a bond), confidence 95 %"
    )
    assert more[:2] == [
        "  evidence: 2 of 20 pod paths lose some flows",
        (
            "  evidence: 4 of 16 flows from node-1 to node-3 always fail, the others work: "
            "one member of an ECMP group or a bond, or connection tracking; so do some on 1 more path"
        ),
    ]
    assert "/proc/net/bonding/*   (on node-1 and node-3;" in more[2]


def test_several_pairs_are_one_finding_that_names_no_node() -> None:
    """A bad member between racks hits many pairs: no node is blamed, though one of them is in all pairs."""
    mesh = with_flows(Cluster(nodes(6)), between("node-1", "node-3"))
    (found,) = with_flows(mesh, between("node-1", "node-4")).findings()
    assert (found.kind, found.scope) == ("flows", Scope(ALL))
    assert "on some paths" in lines(found)[0]


def test_flows_are_evidence_of_a_loss_that_is_found() -> None:
    """The finding of a node that loses packets has the flows as evidence. There is no second finding."""

    def into(link: Link) -> bool:
        return link.crosses and link.target == "node-2" and link.plane == "pod"

    mesh = with_flows(Cluster(nodes(10), host=False, services=False), into)
    found = mesh.lose(lambda link: link.touches("node-2"), 8).findings()
    assert named(found) == [("loss", "node", ("node-2",), found[0].layer)]
    assert len(found[0].flows) == 9
    assert any("4 of 16 flows from node-" in line and "to node-2 always fail" in line for line in lines(found[0]))


def test_flows_are_evidence_of_a_fault_that_is_found() -> None:
    """Where every path of a node fails, the same holds."""
    mesh = with_flows(Cluster(nodes(10), services=False), lambda link: link.touches("node-2"))
    found = mesh.fail(lambda link: link.touches("node-2")).findings()
    assert [(each.kind, each.scope.nodes) for each in found] == [("fault", ("node-2",))]
    assert found[0].flows


def test_probes_that_fail_because_of_flows_are_not_listed_again() -> None:
    """A probe whose source port hits the bad member has failed: the path is in the finding of its flows alone."""
    mesh = with_flows(Cluster(nodes(20)), between("node-1", "node-3"))
    mesh.fail(between("node-1", "node-3"), ["udp"], rounds=2)
    (found,) = mesh.findings()
    assert (found.kind, found.scope.nodes) == ("loss", ("node-1", "node-3"))
    assert found.flows


def test_a_later_look_sees_flows_fail_and_recover() -> None:
    """What is kept from look to look follows the last check of a path that otherwise goes on as before."""
    kept = Evidence()
    healthy, broken = Cluster(nodes(5)), with_flows(Cluster(nodes(5)), between("node-1", "node-3"))
    kinds = [
        [each.kind for each in diagnose(again(mesh.states()), evidence=kept)] for mesh in (healthy, broken, healthy)
    ]
    assert kinds == [[], ["flows"], []]


def again(states: list[State]) -> list[State]:
    """The states as a hub decodes them."""
    return [decode(encode(each)) for each in states]


def test_the_state_carries_them() -> None:
    """What a check finds survives the document, and a document of an older prober has none."""
    states: list[State] = with_flows(Cluster(nodes(3)), between("node-1", "node-2")).states()
    decoded = again(states)
    assert [each.paths for each in decoded] == [each.paths for each in states]
    assert diagnose(decoded)[0].flows == diagnose(states)[0].flows
    old = msgspec.json.decode(encode(states[0]))
    old["paths"] = [path[: PathState.__struct_fields__.index("flows")] for path in old["paths"]]
    assert not any(path.flows for path in decode(msgspec.json.encode(old)).paths)


def test_a_dead_node_is_no_loss_of_flows_where_http_is_not_probed() -> None:
    """What a check has found before every probe failed says nothing about now."""
    mesh = with_flows(Cluster(nodes(5), services=False), lambda link: link.touches("node-2"))
    mesh.fail(lambda link: link.touches("node-2"), rounds=2)
    for paths in mesh.paths.values():
        paths.pop("http", None)
    assert [(each.kind, each.scope.nodes) for each in mesh.findings()] == [("fault", ("node-2",))]
