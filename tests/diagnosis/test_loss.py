"""Which packet loss the diagnosis names."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import msgspec
import pytest

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.evidence import Cell, Mesh
from smoker_diagnosis.mesh_loss import Usual
from tests.diagnosis.mesh import AT, TRAIN, Cluster, Link, named, nodes


def test_three_per_cent_into_a_node() -> None:
    """One packet in thirty lost on every path of a node is named, with its direction."""
    mesh = Cluster(nodes(20), services=False)
    mesh.lose(lambda link: link.crosses and link.target == "node-2", 1, requests=1)
    mesh.lose(lambda link: link.crosses and link.source == "node-2", 1, replies=1)
    found = mesh.findings()
    assert named(found) == [("loss", "node", ("node-2",), "network")]
    assert found[0].direction == "in"
    assert found[0].share == pytest.approx(1 / 30, abs=0.005)
    assert found[0].severity == "warning"


def test_trains_lose_though_probes_are_answered() -> None:
    """Loss of 95 % of the packets of trains is named at the node although every PING is answered."""
    mesh = Cluster(nodes(20), services=False).lose(lambda link: link.touches("node-2"), 28)
    found = mesh.findings()
    assert named(found) == [("loss", "node", ("node-2",), "network")]
    assert found[0].severity == "critical"


def test_overlay_alone() -> None:
    """Loss on the pod network while the host network loses nothing is named as loss on the overlay."""
    mesh = Cluster(nodes(20), services=False)
    mesh.lose(lambda link: link.touches("node-2") and link.plane in ("pod", "host-pod"), 5)
    found = mesh.findings()
    assert named(found) == [("loss", "node", ("node-2",), "overlay")]
    assert sum(each.of for each in found[0].beside) > 0
    assert not any(each.failing for each in found[0].beside)


# Packets lost of those sent where 3 of 100 are lost into the pods of node-1. A path that loses some sends more of them.
FEW_ON_THE_WAY_OUT = {
    Link("node-1", "node-2", "host-pod", "ipv6"): (3, 63),
    Link("node-1", "node-2", "pod-host", "ipv4"): (1, 33),
    Link("node-1", "node-4", "host-pod", "ipv6"): (1, 93),
    Link("node-1", "node-4", "pod", "ipv4"): (3, 23),
    Link("node-1", "node-4", "pod-host", "ipv4"): (1, 63),
    Link("node-2", "node-1", "host-pod", "ipv4"): (3, 53),
    Link("node-3", "node-1", "host-pod", "ipv4"): (3, 63),
    Link("node-3", "node-1", "pod", "ipv4"): (1, 93),
    Link("node-4", "node-1", "host-pod", "ipv4"): (1, 20),
    Link("node-4", "node-1", "host-pod", "ipv6"): (1, 63),
    Link("node-4", "node-1", "pod", "ipv4"): (2, 63),
}


def test_few_losses_on_the_way_to_the_node_network_do_not_change_the_layer() -> None:
    """Node-to-node paths are clean: it is the pod network, though few packets of the pods to other nodes are lost."""
    mesh = Cluster(nodes(4), families=("ipv4", "ipv6"))
    for ends, (lost, sent) in FEW_ON_THE_WAY_OUT.items():
        mesh.lose(ends.__eq__, lost, sent=sent)
    (found,) = mesh.findings()
    assert (found.kind, found.scope.nodes, found.layer) == ("loss", ("node-1",), "overlay")


def test_heavy_loss_of_a_node_is_one_finding() -> None:
    """Probes that fail now and then at a node that loses half of its packets are not further faults."""
    mesh = Cluster(nodes(20), services=False).lose(lambda link: link.touches("node-2"), 15)
    mesh.fail(lambda link: link.touches("node-2") and link.family == "ipv4" and link.plane == "pod", ["udp"], rounds=1)
    assert [(kind, where) for kind, _, where, _ in named(mesh.findings())] == [("loss", ("node-2",))]


@pytest.mark.parametrize("seed", range(20))
def test_chance_loss_is_never_a_finding(seed: int) -> None:
    """Single lost packets all over the mesh (one in a thousand) are no finding."""
    chance = random.Random(seed)
    mesh = Cluster(nodes(20), services=False)
    mesh.lose(lambda link: link.crosses and chance.random() < 0.03, 1)
    assert mesh.findings() == []


def lossy_mesh(many: int, rate: float, seed: int, more: float = 0.0, bursts: int = 0) -> Cluster:
    """Return a mesh that loses single packets everywhere but between hosts, and `more` of those into node-2.

    On as many of its paths as `bursts` says, an outage of a moment took 2 to 20 packets as well.
    """
    chance = random.Random(seed)
    mesh = Cluster(nodes(many), services=False, families=("ipv4", "ipv6"))
    hit = chance.sample([link for link in mesh.paths if link.crosses and link.plane != "host"], bursts)
    for link, states in mesh.paths.items():
        if link.crosses:
            at = 0.0 if link.plane == "host" else rate + more * (link.target == "node-2")
            lost = sum(chance.random() < at for _ in range(3 * TRAIN)) + (chance.randint(2, 20) if link in hit else 0)
            states["udp"] = msgspec.structs.replace(states["udp"], sent=3 * TRAIN, lost=lost)
    return mesh


@pytest.mark.parametrize("rate", [0.005, 0.01, 0.02])
@pytest.mark.parametrize("many", [4, 5, 12])
def test_no_place_is_blamed_for_what_the_whole_mesh_loses(many: int, rate: float) -> None:
    """Where every path loses the same share of packets, at most "every node" is named, never the unluckiest one."""
    places = [each.scope.kind for seed in range(15) for each in lossy_mesh(many, rate, seed).findings()]
    assert set(places) == (set() if rate < 0.01 else {"all"})


@pytest.mark.parametrize("bursts", [1, 3])
def test_no_place_is_blamed_for_bursts_in_a_lossy_mesh(bursts: int) -> None:
    """Every path loses three packets in a thousand, and a few paths lose some at once: that names no place."""
    named_places = [
        seed
        for seed in range(40)
        if any(each.scope.kind != "all" for each in lossy_mesh(5, 0.003, seed, bursts=bursts).findings())
    ]
    assert named_places == [], f"places were named with the seeds {named_places}"


def test_a_lossy_node_is_named_in_a_lossy_mesh() -> None:
    """Loss of 3 % into a node is named while the whole mesh loses 0.5 %, and nothing else is."""
    for seed in range(5):
        assert [each[:3] for each in named(lossy_mesh(12, 0.005, seed, more=0.03).findings())] == [
            ("loss", "node", ("node-2",))
        ]


@pytest.mark.parametrize(("layer", "rate"), [("overlay", 0.08), ("network", 0.06)])
@pytest.mark.parametrize("many", [4, 12])
def test_the_layer_of_a_lossy_node_is_named_in_a_lossy_mesh(many: int, layer: str, rate: float) -> None:
    """Replies from nodes to pods cross the overlay, too: what they lose does not accuse the node network."""
    found = [
        each[:4]
        for seed in range(6)
        for each in named(lossy_layer(many, rate, layer, seed).findings())
        if each[1] != "all"
    ]
    assert set(found) == {("loss", "node", ("node-2",), layer)}
    assert len(found) == 6


def lossy_layer(many: int, rate: float, layer: str, seed: int) -> Cluster:
    """Return a mesh that loses 3 packets of 1,000 into each host and into each pod, and `rate` of those into node-2.

    `layer`: which of these are lost: all of them, or those to a pod, which the overlay carries.
    """
    chance = random.Random(seed)
    mesh = Cluster(nodes(many), services=False, families=("ipv4", "ipv6"))

    def lost(into: str, plane: str) -> bool:
        usual = 0.006 if plane == "pod" else 0.003
        hit = into == "node-2" and (layer == "network" or plane == "pod")
        return chance.random() < (rate + usual if hit else usual)

    for link, states in mesh.paths.items():
        if link.crosses:
            source, target = link.plane.partition("-")[0], link.plane.rpartition("-")[2]
            gone = sum(lost(link.target, target) or lost(link.source, source) for _ in range(TRAIN))
            states["udp"] = msgspec.structs.replace(states["udp"], sent=TRAIN, lost=gone)
    return mesh


def test_small_mesh_is_its_own_background() -> None:
    """In a mesh of five nodes the loss at one of them is not taken for the usual loss of the mesh."""
    mesh = Cluster(nodes(5), services=False).lose(lambda link: link.touches("node-2"), 1)
    assert [each[:3] for each in named(mesh.findings())] == [("loss", "node", ("node-2",))]


def test_single_losses_at_one_node_are_not_those_of_the_mesh() -> None:
    """If only the pod paths of one node lost packets, one each, the node is named and not the mesh."""
    mesh = Cluster(nodes(5), services=False).lose(lambda link: link.touches("node-2") and link.plane == "pod", 1)
    found = diagnose([state for state in mesh.states() if state.network == "pod"], silent={})
    assert [each[:3] for each in named(found)] == [("loss", "node", ("node-2",))]


def met_by_a_fault(seconds_ago: float) -> list[tuple[str, tuple[str, ...]]]:
    """Return what is named when node-2 is cut off, and a path whose last probe began then lost half of a train."""
    mesh = Cluster(nodes(5), services=False)
    mesh.fail(lambda link: link.touches("node-2"), rounds=1, ago=10.0)
    (link,) = (link for link in mesh.paths if link[:3] == ("node-1", "node-2", "pod"))
    udp = mesh.paths[link]["udp"]
    met = msgspec.structs.replace(udp, last="success", at=AT - seconds_ago, failures={}, streak=0, since=0.0, lost=20)
    mesh.paths[link]["udp"] = met
    return [(kind, where) for kind, _, where, _ in named(mesh.findings())]


def test_a_train_that_a_fault_meets_is_no_loss_of_its_own() -> None:
    """A path of a dead node that lost part of a train at that moment waits for its next round."""
    assert met_by_a_fault(10.5) == [("fault", ("node-2",))]


def test_loss_after_the_first_failures_is_named() -> None:
    """A path that was probed since the first failures, and lost part of a train, says that the node loses packets."""
    assert met_by_a_fault(2.0) == [("loss", ("node-2",))]


def ended(mesh: Cluster, where: Callable[[Link], bool], ago: float = 40.0, *, lost: int = 20) -> Cluster:
    """Let the trains of the paths in `where` lose `lost` of 30 packets, the last time `ago` seconds before now.

    The last probe of each path began 20 seconds before now.
    """
    mesh.lose(where, lost)
    for link, states in mesh.paths.items():
        if where(link):
            states["udp"] = msgspec.structs.replace(states["udp"], lost_at=AT - ago)
    return mesh


def test_a_loss_is_over_once_each_path_has_had_a_train_without_it() -> None:
    """The packets of 95 % loss stay in the counts for three rounds. One train of each path since then ends it."""
    assert ended(Cluster(nodes(5), services=False), lambda link: link.touches("node-2"), lost=19).findings() == []


@pytest.mark.parametrize("flaps", [0, 30])
def test_a_loss_is_over_although_it_failed_probes_again_and_again(flaps: int) -> None:
    """Where packets are lost, probes fail at times. Their path is unsteady then, and its trains count.

    The loss lasts while its last train lost packets, or its last PING was not answered.
    """

    def flapping(ago: float) -> Cluster:
        mesh = ended(Cluster(nodes(5), services=False), lambda link: link.touches("node-2"))
        mesh = ended(mesh, one, ago)
        states = mesh.paths[Link("node-2", "node-3", "pod")]
        states["udp"] = msgspec.structs.replace(states["udp"], past=120, flaps=flaps)
        return mesh

    def one(link: Link) -> bool:
        return link == Link("node-2", "node-3", "pod")

    assert flapping(40.0).findings() == []
    assert "loss" in [each.kind for each in flapping(20.0).findings()]
    assert "loss" in [each.kind for each in flapping(40.0).fail(one, ["udp"], rounds=1).findings()]


@pytest.mark.parametrize(
    "lasting",
    [
        lambda link: link.between("node-2", "node-3"),
        lambda link: link == Link("node-2", "node-3", "pod"),
    ],
    ids=["a pair", "one path"],
)
def test_a_loss_lasts_while_one_of_its_paths_has_had_no_train_since(lasting: Callable[[Link], bool]) -> None:
    """The last train of this path lost packets: what has been sent elsewhere since the others did so ends nothing."""
    mesh = ended(Cluster(nodes(5), services=False), lambda link: link.touches("node-2"))
    found = ended(mesh, lasting, 20.0).findings()
    assert [(each.kind, each.scope.nodes) for each in found] == [("loss", ("node-2",))]


def test_a_little_loss_is_over_after_more_packets() -> None:
    """A node that loses one packet in thirty often has a round without any: it takes more packets to end that."""
    where: Callable[[Link], bool] = lambda link: link.touches("node-2")  # noqa: E731
    few = ended(Cluster(nodes(5), services=False, host=False), where, lost=1)
    many = ended(Cluster(nodes(20), services=False), where, lost=1)
    assert [each.kind for each in few.findings()] == ["loss"]
    assert many.findings() == []


def test_second_trains_end_a_little_loss_sooner() -> None:
    """Each path had its last train 20 seconds ago. Two each, with the packets of both, are enough."""
    mesh = ended(Cluster(nodes(5), services=False, host=False), lambda link: link.touches("node-2"), lost=1)
    assert [each.kind for each in mesh.findings()] == ["loss"]
    for states in mesh.paths.values():
        trains = tuple((AT - ago, 10) for ago in (45.0, 30.0, 20.0))
        states["udp"] = msgspec.structs.replace(states["udp"], counted=trains if states["udp"].lost else ())
    assert mesh.findings() == []


def test_an_unanswered_ping_since_the_last_train_is_loss() -> None:
    """A path that loses packets and whose last PING is not answered goes on losing them."""
    where: Callable[[Link], bool] = lambda link: link.touches("node-2")  # noqa: E731
    mesh = ended(Cluster(nodes(20), services=False), where)
    assert mesh.findings() == []
    mesh.fail(lambda link: link == Link("node-2", "node-3", "pod"), ["udp"], rounds=1)
    assert [each.kind for each in mesh.findings()] == ["loss"]


def test_a_prober_that_does_not_say_when_it_lost_packets_ends_no_loss() -> None:
    """An older prober reports no instant: its loss lasts for as long as it is in the counts."""
    mesh = ended(Cluster(nodes(5), services=False), lambda link: link.touches("node-2"))
    mesh.lose(lambda link: link.between("node-2", "node-3"), 20)
    assert ended(mesh, lambda link: link.between("node-2", "node-3"), AT).findings() != []


def test_a_mesh_whose_packets_are_counted_roughly_loses_no_more_than_all() -> None:
    """Places that are left out can take more packets with them than all paths were thought to have."""
    losing = Cell("node-1", "node-2", "pod", "ipv4", sent=5, lost=5)
    mesh = Mesh(planes=Counter(pod=4), sent=12, losing=[losing])
    usual = Usual(mesh, dead=())
    usual.leave_out([Cell("node-1", "node-3", "pod", "ipv4", sent=10)])
    assert usual.lossy_trains == 1.0
