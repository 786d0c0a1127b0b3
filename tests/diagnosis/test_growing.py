"""A pair of nodes, or what shows so far of a node that loses packets; and a dead pair of such a node."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.finding import Finding
from smoker_diagnosis.state import FailingFlows
from tests.diagnosis.mesh import AT, Cluster, Link, named, nodes
from tests.diagnosis.test_history import everywhere, remember

FAMILIES = ("ipv4", "ipv6")
PAIR = ("node-1", "node-2")


def five() -> Cluster:
    """Return a mesh of five nodes without probers on the host network."""
    return Cluster(nodes(5), host=False, families=FAMILIES, services=False)


def to_peers(*peers: str) -> Cluster:
    """Return a mesh with UDP failing on three of four paths of a pair, and loss on a path from node-2 to each peer."""
    mesh = five().fail(lambda link: link.between(*PAIR), ["udp"], rounds=2, ago=8.0)
    mesh.paths[Link(*PAIR, "pod", "ipv6")]["udp"] = five().paths[Link(*PAIR, "pod", "ipv6")]["udp"]
    return mesh.lose(lambda link: link.source == "node-2" and link.target in peers and link.family == "ipv4", 5)


def pair_of(mesh: Cluster) -> Finding:
    """Return the hard fault that is found, which is that of the pair."""
    (found,) = [each for each in mesh.findings() if each.kind == "fault"]
    assert found.scope.nodes == PAIR
    return found


def test_a_pair_may_grow_while_other_paths_of_its_node_are_in_trouble() -> None:
    """A node that loses half of its packets looks like a pair until enough packets are counted."""
    assert pair_of(to_peers("node-3", "node-4")).may_grow
    failing = to_peers().fail(
        lambda link: link in (Link("node-2", "node-3", "pod"), Link("node-4", "node-2", "pod")), ["udp"], rounds=1
    )
    assert pair_of(failing).may_grow


@pytest.mark.parametrize("peers", [(), ("node-3",)], ids=["nothing else", "one other peer"])
def test_a_pair_alone_does_not_grow(peers: tuple[str, ...]) -> None:
    """One other peer that loses packets may be the lossy node itself."""
    assert not pair_of(to_peers(*peers)).may_grow


def test_trouble_by_chance_is_no_sign() -> None:
    """Where a hundredth of all trains lose packets, two paths that did are nothing special."""
    usual = remember(to_peers("node-3", "node-4"), everywhere, lossy=1, flaps=1)
    assert not pair_of(usual).may_grow


def test_a_loss_of_a_pair_may_grow_as_well() -> None:
    """All packets of the trains to one peer are lost, and those of single trains to other peers."""
    alone = five().lose(lambda link: link.between(*PAIR), 10)
    assert [(each.kind, each.scope.nodes, each.may_grow) for each in alone.findings()] == [("loss", PAIR, False)]
    more = alone.lose(lambda link: link in (Link("node-2", "node-3", "pod"), Link("node-4", "node-2", "pod")), 10)
    assert [(each.scope.nodes, each.may_grow) for each in more.findings() if len(each.scope.nodes) == 2] == [
        (PAIR, True)
    ]


@pytest.mark.parametrize("other", [False, True], ids=["alone", "another path fails"])
def test_a_pair_whose_flows_fail_may_grow_while_any_other_path_of_its_node_is_in_trouble(*, other: bool) -> None:
    """The flows of that path are checked a moment later."""
    mesh = five().lose(lambda link: link.between(*PAIR), 10)
    for link, states in mesh.paths.items():
        if link.between(*PAIR):
            states["udp"] = msgspec.structs.replace(states["udp"], flows=FailingFlows(AT - 25.0, 16, 9))
    if other:
        mesh.fail(lambda link: link == Link("node-1", "node-3", "pod"), ["udp"], rounds=1)
    (found,) = [each for each in mesh.findings() if each.scope.nodes == PAIR]
    assert (found.flows is not None, found.may_grow) == (True, other)


def half_lost(lossy: int, streak: int) -> Cluster:
    """Return a mesh whose node-2 loses half of its packets, since `lossy` rounds, and node-1 never reaches it."""
    mesh = five().lose(lambda link: link.touches("node-2"), 15)
    remember(mesh, everywhere)
    for link, states in mesh.paths.items():
        if link.touches("node-2"):
            states["udp"] = msgspec.structs.replace(states["udp"], lossy=lossy)
    mesh.lose(lambda link: link.between(*PAIR), 0, sent=0)
    return mesh.fail(lambda link: link.between(*PAIR), rounds=streak)


def test_a_dead_pair_of_a_node_that_loses_half_of_its_packets_is_named() -> None:
    """By chance a path may fail a few times in a row, and hardly all paths of a pair six times."""
    assert [(kind, where) for kind, _, where, _ in named(half_lost(6, 6).findings())] == [
        ("fault", PAIR),
        ("loss", ("node-2",)),
    ]


def test_young_loss_may_be_heavier_than_its_counts_say() -> None:
    """In the first round the counts have two rounds without loss: probes that failed twice may be chance then."""
    assert [(kind, where) for kind, _, where, _ in named(half_lost(1, 2).findings())] == [("loss", ("node-2",))]
