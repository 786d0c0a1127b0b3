"""The race of two DNS queries that leave together: which nodes are named, and what packet loss explains."""

from __future__ import annotations

import random

import msgspec
import pytest

from smoker_diagnosis.text import lines
from tests.diagnosis.mesh import TRAIN, Cluster, Link, failed, named, nodes

PODS = ("node-2", "node-5")
ROUNDS = 3


def mesh(count: int = 8) -> Cluster:
    """Return a mesh with DNS pods."""
    return Cluster(nodes(count), dns=PODS)


def by_service(link: Link) -> bool:
    """Return whether the look-up uses the Service."""
    return link.plane.endswith("service")


def race(found: Cluster, *sources: str) -> Cluster:
    """Make the look-ups of these nodes lose one of two queries in one of three rounds."""
    return found.fail_dns(lambda link: by_service(link) and link.source in sources, rounds=1, partly=1)


def lossy(count: int, rate: float, seed: int) -> Cluster:
    """Return a mesh in which every packet between two nodes, and every query to the DNS, is lost at this rate."""
    chance = random.Random(seed)
    found = Cluster(nodes(count), dns=PODS, services=False)
    for link, states in found.paths.items():
        if link.crosses:
            lost = sum(chance.random() < rate for _ in range(ROUNDS * TRAIN))
            states["udp"] = msgspec.structs.replace(states["udp"], sent=ROUNDS * TRAIN, lost=lost)
    for link, state in found.to_dns.items():
        lost_queries = [(chance.random() < rate) + (chance.random() < rate) for _ in range(ROUNDS)]
        if any(lost_queries):
            failures = {"timeout": sum(map(bool, lost_queries))}
            path = failed(state, 1, "timeout", 20.0)
            found.to_dns[link] = msgspec.structs.replace(path, failures=failures, partly=lost_queries.count(1))
    return found


def test_half_answers_beside_packet_loss_are_not_a_race() -> None:
    """A node whose trains lose packets loses queries, too, also if the loss is too little to be named."""
    found = mesh().lose(lambda link: link[:3] in [("node-1", node, "pod") for node in ("node-2", "node-3")], 9)
    assert all(each.layer != "dns_race" for each in race(found, "node-1").findings())


def test_a_race_is_named_where_every_node_loses_a_packet_now_and_then() -> None:
    """One packet of a path in a thousand does not explain that a third of the look-ups of its node lose a query."""
    found = mesh().lose(lambda link: link[:3] == ("node-1", "node-2", "pod"), 1)
    assert named(race(found, "node-1").findings()) == [("dns", "node", ("node-1",), "dns_race")]


def test_a_race_is_a_warning() -> None:
    """One of two queries lost on several nodes, only by the Service, is the race, with its next step and its share."""
    findings = race(mesh(), "node-1", "node-3").findings()
    assert named(findings) == [("dns", "all", (), "dns_race")]
    assert findings[0].severity == "warning"
    text = "\n".join(lines(findings[0]))
    told = "8.3 % of the DNS look-ups lose one of the two queries (A and AAAA) that are sent together"
    assert f"WARNING every node: {told}" in text
    assert "next: conntrack -S" in text


def test_half_answers_of_dns_pods_are_loss_not_a_race() -> None:
    """Queries directly to a pod are not translated. If half of them are lost, too, it is loss and not the race."""
    lost = mesh().fail_dns(by_service, rounds=1, partly=1)
    lost.fail_dns(lambda link: not by_service(link), rounds=1, partly=1)
    assert lost.findings() == []


def test_a_single_half_answer_is_not_a_race() -> None:
    """One lost packet is no finding."""
    one = mesh().fail_dns(lambda link: link[:3] == ("node-1", "kubernetes.default", "service"), rounds=1, partly=1)
    assert one.findings() == []


@pytest.mark.parametrize(("count", "rate"), [(20, 0.005), (100, 0.003)])
@pytest.mark.parametrize("seed", range(4))
def test_a_large_mesh_that_loses_packets_has_no_race(count: int, rate: float, seed: int) -> None:
    """Of many nodes some always have several half answers by chance: it is more than one tests them by."""
    assert all(each.layer != "dns_race" for each in lossy(count, rate, seed).findings())


def test_a_node_that_loses_half_of_the_look_ups_stands_out_of_a_large_mesh() -> None:
    """Half answers of other nodes by chance do not hide it, and do not make a fault of every node of it."""
    found = lossy(100, 0.0005, 1)
    found.fail_dns(lambda link: by_service(link) and link.source == "node-60", rounds=2, partly=2)
    (raced,) = (each for each in found.findings() if each.layer == "dns_race")
    assert (raced.scope.kind, raced.scope.nodes) == ("node", ("node-60",))


def test_a_race_beside_a_fault_of_other_nodes_is_named() -> None:
    """A broken pair of two other nodes takes both queries or none."""
    found = race(mesh().fail(lambda link: link.between("node-3", "node-4")), "node-1")
    assert ("dns", "node", ("node-1",), "dns_race") in named(found.findings())


def test_a_node_that_is_blamed_has_no_race() -> None:
    """The fault at the node itself, or in its zone, can lose its queries, too."""
    found = race(mesh().fail(lambda link: link.between("node-1", "node-4")), "node-1")
    assert [kind for kind, *_ in named(found.findings())] == ["fault"]


def test_a_race_of_other_nodes_does_not_blame_the_node_at_fault() -> None:
    """Two nodes have half answers, and one of them is at the end of a broken pair: the race is at the other."""
    found = race(mesh().fail(lambda link: link.between("node-3", "node-4")), "node-1", "node-3")
    assert ("dns", "node", ("node-1",), "dns_race") in named(found.findings())
