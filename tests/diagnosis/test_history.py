"""What a path's history says about the present: how often chance fails it, and which paths fail all day."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.state import PathState
from smoker_diagnosis.text import lines
from tests.diagnosis.mesh import Cluster, Link, Where, named, nodes

ROUNDS = 120
SURE = 0.9  # confidence from which the hub opens a finding


def remember(mesh: Cluster, where: Where, **history: int) -> Cluster:
    """Give the paths in `where` a history."""
    for link, states in mesh.paths.items():
        if where(link):
            for probe, path in states.items():
                states[probe] = msgspec.structs.replace(path, past=ROUNDS, **history)
    return mesh


def everywhere(_: Link) -> bool:
    return True


def some_of_a_node(link: Link) -> bool:
    """Return three of the paths to node-2."""
    return link.target == "node-2" and link.plane == "pod" and link.source in ("node-1", "node-20", "node-19")


def test_two_failures_with_working_probes_between_them_name_no_node() -> None:
    """A UDP path of node-18 has failed for 24 s and another one for 5 s: what worked since the first one counts."""
    mesh = Cluster(nodes(20), host=False, families=("ipv4", "ipv6"), services=False)
    mesh.fail(lambda link: link == Link("node-18", "node-19", "pod", "ipv6"), ["udp"], ago=24.0, rounds=1)
    mesh.fail(lambda link: link == Link("node-11", "node-18", "pod", "ipv4"), ["udp"], ago=5.0, rounds=1)
    assert mesh.findings() == []
    both = Cluster(nodes(20), host=False, families=("ipv4", "ipv6"), services=False)
    both.fail(lambda link: link.touches("node-18"), ["udp"], ago=5.0, rounds=1)
    assert [each[:3] for each in named(both.findings())] == [("fault", "node", ("node-18",))]


def test_what_fails_everywhere_by_chance_blames_no_node() -> None:
    """Three paths to one node that fail once are a fault in a mesh without other failures.

    Where many paths fail by chance, they are chance.
    """
    mesh = Cluster(nodes(20), services=False).fail(some_of_a_node, rounds=1, ago=1.0)
    (alone,) = remember(mesh, everywhere).findings()
    assert (alone.scope.nodes, alone.confidence > SURE) == (("node-2",), True)
    assert not any(each.confidence > SURE for each in remember(mesh, everywhere, flaps=2).findings())


@pytest.mark.parametrize(("rounds", "expected"), [(2, ["unknown"]), (3, ["fault"])])
def test_three_paths_that_failed_twice_name_no_node_where_many_flap(rounds: int, expected: list[str]) -> None:
    """Three of the four paths to a node failed together and once more: their third failure names the node."""
    mesh = remember(Cluster(nodes(5), host=False), everywhere, flaps=3)
    mesh.fail(lambda link: link.target == "node-2" and link.source in ("node-1", "node-3", "node-4"), rounds=rounds)
    assert [each.kind for each in mesh.findings()] == expected


@pytest.mark.parametrize(("lossy", "expected"), [(0, ["loss"]), (2, [])], ids=["never before", "in other rounds, too"])
def test_a_slight_loss_must_be_certain_where_trains_often_lose_packets(lossy: int, expected: list[str]) -> None:
    """Two paths lost seven of the 600 packets of a node, or of two nodes: too few to tell where bursts are usual."""
    mesh = Cluster(nodes(5), services=False)
    one, other = ("node-3", "node-5", "host-pod"), ("node-4", "node-5", "pod")
    mesh.lose(lambda link: link[:3] == one, 4, sent=90).lose(lambda link: link[:3] == other, 3, sent=90)
    remember(mesh, lambda link: link[:3] in (one, other), lossy=lossy)
    assert [each.kind for each in mesh.findings()] == expected


def test_a_real_fault_is_named_where_much_fails_by_chance() -> None:
    """A dead node is named in a mesh in which each path failed in two of 120 rounds."""
    mesh = Cluster(nodes(20), services=False).fail(lambda link: link.touches("node-2"))
    found = remember(mesh, everywhere, flaps=2).findings()
    assert [each[:3] for each in named(found)] == [("fault", "node", ("node-2",))]
    assert found[0].confidence > 0.99


def test_an_outage_that_is_over_hides_no_later_one() -> None:
    """After an outage of one node, a fault between two others is as certain as before."""
    mesh = Cluster(nodes(20), services=False).fail(lambda link: link.between("node-4", "node-5"))
    before = remember(mesh, everywhere).findings()
    after = remember(mesh, lambda link: link.touches("node-12"), flaps=1).findings()
    for found in (before, after):
        assert [each[:3] for each in named(found)] == [("fault", "pair", ("node-4", "node-5"))]
    assert abs(before[0].confidence - after[0].confidence) < 0.01


def unsteady(link: Link) -> bool:
    return link in (Link("node-1", "node-3", "pod"), Link("node-1", "node-4", "pod"), Link("node-7", "node-1", "pod"))


def test_paths_that_fail_all_day_are_listed_and_blame_nobody() -> None:
    """Paths that fail all day are one finding for information, whether they fail now or not.

    No other finding names a place for them.
    """
    mesh = Cluster(nodes(12), services=False)
    steady = remember(mesh, unsteady, flaps=30).findings()
    failing = remember(mesh.fail(unsteady), unsteady, flaps=30).findings()
    for found in (steady, failing):
        assert [(each.kind, each.severity, each.scope.nodes) for each in found] == [("unsteady", "info", ())]
        told = lines(found[0])
        assert told[0] == "INFO 3 paths fail again and again: not counted as evidence"
        assert "  evidence: node-1 to node-3 (pod over IPv4, TCP,UDP,HTTP): failed 90 times in 360 results" in told
    assert steady[0].id == failing[0].id


def test_a_node_that_dies_is_named_beside_unsteady_paths() -> None:
    """A dead node with unsteady paths is named: its other paths are evidence enough."""
    mesh = Cluster(nodes(12), services=False).fail(lambda link: link.touches("node-1"))
    found = remember(mesh, unsteady, flaps=30).findings()
    assert [(each.kind, each.scope.nodes) for each in found] == [("fault", ("node-1",)), ("unsteady", ())]


def test_an_unsteady_path_that_fails_for_long_is_evidence() -> None:
    """From five rounds in a row on its failures are not the short ones of its past. The others are still listed."""
    mesh = Cluster(nodes(12), services=False).fail(lambda link: link == Link("node-1", "node-3", "pod"), rounds=5)
    found = remember(mesh, unsteady, flaps=30).findings()
    assert [(each.kind, each.scope.nodes) for each in found] == [("fault", ("node-1", "node-3")), ("unsteady", ())]
    assert lines(found[1])[0] == "INFO 2 paths fail again and again: not counted as evidence"
    shorter = Cluster(nodes(12), services=False).fail(lambda link: link == Link("node-1", "node-3", "pod"), rounds=4)
    assert [each.kind for each in remember(shorter, unsteady, flaps=30).findings()] == ["unsteady"]


def flapping_services(rounds: int) -> Cluster:
    """Return a mesh in which all Services of node-2 failed again and again, and fail now for so many rounds."""
    mesh = Cluster(nodes(5), host=False).fail_services(["node-2"], rounds=rounds)
    states = mesh.to_services["node-2", "pod"]
    for probe, path in states.items():
        states[probe] = msgspec.structs.replace(path, past=ROUNDS, flaps=30)
    return mesh


def test_a_node_whose_services_fail_again_and_again_is_not_passed_over() -> None:
    """Short failures of its paths are listed and no fault; longer ones are."""
    (listed,) = flapping_services(3).findings()
    assert lines(listed)[0] == "INFO 1 path fails again and again: not counted as evidence"
    assert [(each.plane, each.failing, each.of) for each in listed.counts] == [("service", 1, 5)]
    (found,) = flapping_services(5).findings()
    assert (found.kind, found.layer, found.scope.nodes) == ("service", "service", ("node-2",))


def test_few_failures_make_no_unsteady_path() -> None:
    """Five failures in all, or one in eleven results, are chance."""
    mesh = Cluster(nodes(12), services=False)
    assert remember(mesh, unsteady, flaps=5).findings() == []
    assert remember(mesh, unsteady, flaps=ROUNDS // 11).findings() == []


def test_paths_that_lose_packets_are_listed_once() -> None:
    """Where packet loss at a node explains why its paths fail again and again, they are not listed beside it."""
    mesh = Cluster(nodes(20), services=False).lose(lambda link: link.touches("node-2"), 9)
    found = remember(mesh, lambda link: link.touches("node-2"), flaps=20).findings()
    assert [(each.kind, each.scope.nodes) for each in found] == [("loss", ("node-2",))]


def test_trains_that_lose_packets_by_chance_blame_no_node() -> None:
    """Loss is named if other trains lose nothing, and not if trains of the whole mesh lose one packet in thirty."""
    mesh = Cluster(nodes(5), host=False, services=False)
    mesh.lose(lambda link: link.touches("node-2") and link.source in ("node-1", "node-2"), 2)
    assert [(each.kind, each.scope.nodes) for each in remember(mesh, everywhere).findings()] == [("loss", ("node-2",))]
    assert remember(mesh, everywhere, lossy=ROUNDS // 30).findings() == []


def test_a_state_of_an_older_prober_has_no_history() -> None:
    """Paths without a history are judged as before: their past is unknown."""
    path = PathState("peer", "node-2", "pod", "ipv4", "tcp")
    assert (path.past, path.flaps, path.lossy) == (0, 0, 0)
    mesh = Cluster(nodes(12), services=False).fail(lambda link: link.touches("node-2"))
    assert [(each.kind, each.scope.nodes) for each in mesh.findings()] == [("fault", ("node-2",))]
