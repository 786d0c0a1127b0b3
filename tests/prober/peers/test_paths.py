"""The targets that a prober makes of its peers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from smoker_prober.config.service import Ports, echoes
from smoker_prober.peers.paths import OwnIdentity
from smoker_prober.peers.paths import paths as paths_of
from smoker_prober.peers.peer import Peer
from smoker_prober.probes.followups import train
from smoker_prober.target import HOST, POD, Target
from tests.prober.targets import peer_path, settings_of

POD_PORTS, HOST_PORTS = Ports(8080, 8081, 8082, 8062), Ports(18080, 18081, 18082, 18062)
NODES = ("node-1", "node-2", "node-3", "node-4")


def peer(node: str, network: str = POD, addresses: Iterable[str] = ("10.0.0.9",)) -> Peer:
    """A peer whose pod is called by its node and network."""
    ports = POD_PORTS if network == POD else HOST_PORTS
    return Peer(node, "zone-a", network, f"{network}-{node}", tuple(addresses), ports)


def own(node: str, network: str = POD) -> OwnIdentity:
    return OwnIdentity(node, network)


def paths(
    peers: Iterable[Peer], me: OwnIdentity, count: int = 0, probes: str = "tcp,udp,http"
) -> dict[str, tuple[Target, ...]]:
    """Return the targets of each peer and family, with these probes."""
    plan = settings_of({"PROBES": probes}).plan
    return paths_of(peers, me, count, partial(echoes, plan, plan.mesh.probes))


def names(peers: Iterable[Peer], me: OwnIdentity, count: int = 0) -> set[tuple[str, str, str]]:
    """Return target, plane and family of each path."""
    found = {target.path for each in paths(peers, me, count).values() for target in each}
    return {(path.target, path.plane, path.family) for path in found}


def test_every_other_node_and_never_itself() -> None:
    """With a count of 0 every ordered pair is probed once."""
    peers = [peer(node) for node in NODES]
    pairs = {(node, target) for node in NODES for target, *_ in names(peers, own(node))}
    assert pairs == {(a, b) for a in NODES for b in NODES if a != b}


def test_the_requested_number_of_nodes_is_picked() -> None:
    """With a count of two, each node probes two and is probed by two."""
    peers = [peer(node) for node in NODES]
    pairs = [(node, target) for node in NODES for target, *_ in names(peers, own(node), 2)]
    for node in NODES:
        assert sum(source == node for source, _ in pairs) == sum(target == node for _, target in pairs) == 2


def test_planes_are_compared() -> None:
    """A pod probes pods and nodes, and so does a prober on the host network.

    The other prober of the own node is the control.
    """
    peers = [peer(node, network) for node in NODES[:2] for network in (POD, HOST)]
    assert names(peers, own("node-1")) == {
        ("node-2", "pod", "ipv4"),
        ("node-2", "pod-host", "ipv4"),
        ("node-1", "pod-host", "ipv4"),
    }
    assert names(peers, own("node-1", HOST)) == {
        ("node-2", "host", "ipv4"),
        ("node-2", "host-pod", "ipv4"),
        ("node-1", "host-pod", "ipv4"),
    }


def test_two_families_are_two_paths() -> None:
    """Each probe goes to the peer's own port at each address; the path has only names."""
    found = paths([peer("node-2", HOST, ("10.0.0.2", "fd00::2"))], own("node-1"), 10)
    udp = [target for each in found.values() for target in each if target.probe == "udp"]
    assert [(target.host, target.port) for target in udp] == [("10.0.0.2", 18081), ("fd00::2", 18081)]
    assert [each.port for target in udp for each in target.followups if isinstance(each, train.Options)] == [18062] * 2
    assert [target.path for target in udp] == [
        peer_path(plane="pod-host", family=family, zone="zone-a") for family in ("ipv4", "ipv6")
    ]


def test_only_configured_probes_are_used() -> None:
    """Only the selected probes run; without UDP there is no train, no large packet and no flows either."""
    for probes, followed in (("tcp", 0), ("http,udp", 3)):
        (targets,) = paths([peer("node-2")], own("node-1"), 10, probes).values()
        assert {target.probe for target in targets} == set(probes.split(","))
        assert sum(len(target.followups) for target in targets) == followed


def test_a_replacement_pod_on_the_same_node_is_not_a_peer() -> None:
    """While this pod is replaced, the new pod has the same place on the same network and is no peer."""
    assert paths([peer("node-1")], OwnIdentity("node-1", POD), 0) == {}
