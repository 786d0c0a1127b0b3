"""Which place and layer the diagnosis names where probes fail."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest

from smoker_diagnosis.finding import is_sure
from smoker_diagnosis.text import headline, place
from tests.diagnosis.mesh import AT, PROBES, Cluster, Link, failed, named, nodes, two_zones


@pytest.mark.parametrize("size", [3, 5, 20, 100])
def test_a_healthy_mesh_has_no_finding(size: int) -> None:
    """A healthy mesh has no finding."""
    assert Cluster(nodes(size)).findings() == []


@pytest.mark.parametrize(
    ("size", "host", "probe"),
    [
        *product([5, 8, 12, 20, 50], [False, True], PROBES),
        *((500, False, "tcp"), (500, True, "tcp"), (5000, False, "tcp")),
    ],
)
def test_dead_node_beside_a_stray_path(size: int, host: bool, probe: str) -> None:
    """A dead node alone is sure, although one path elsewhere has failed twice. That path is a warning.

    One protocol may be broken between these two nodes, in one direction alone: with few other paths the warning says
    so. With more it names no place. It never names a third node, or one of the two alone.
    """
    mesh = Cluster(nodes(size), host=host, services=False).fail(lambda link: link.touches("node-2"))
    mesh.fail(lambda link: link[:3] == ("node-4", "node-5", "pod"), [probe], rounds=2)
    dead, stray = mesh.findings()
    assert named([dead]) == [("fault", "node", ("node-2",), "network")]
    assert is_sure(dead)
    assert not is_sure(stray)
    assert stray.severity == "warning"
    assert [(each.source, each.target, each.probe) for each in stray.failing] == [("node-4", "node-5", probe)]
    if stray.kind != "unknown":
        assert stray.scope.kind in ("one_way", "pair")
        assert (stray.scope.nodes, stray.probes, stray.one_of) == (("node-4", "node-5"), (probe,), ())


def test_dead_node_without_its_state() -> None:
    """A dead node that does not serve its state is named by its peers, once."""
    mesh = Cluster(nodes(20)).fail(lambda link: link.touches("node-7"))
    found = mesh.findings(without=["node-7"])
    assert [(kind, where) for kind, _, where, _ in named(found)] == [("fault", ("node-7",))]


@pytest.mark.parametrize("size", [20, 100])
def test_two_dead_nodes_and_a_broken_pair(size: int) -> None:
    """Two dead nodes and a broken pair elsewhere are all named, and nothing else is."""
    mesh = Cluster(nodes(size), services=False)
    mesh.fail(lambda link: link.touches("node-3")).fail(lambda link: link.touches("node-15"))
    mesh.fail(lambda link: link.between("node-8", "node-9"))
    found = named(mesh.findings())
    assert {where for _, _, where, _ in found} == {("node-3",), ("node-15",), ("node-8", "node-9")}
    assert {layer for *_, layer in found} == {"network"}


def test_layers_of_a_node() -> None:
    """With the host network the overlay and the node network are distinguished. Without it the finding says either."""
    overlay = Cluster(nodes(8)).fail(lambda link: link.touches("node-2") and link.plane in ("pod", "host-pod"))
    assert named(overlay.findings()) == [("fault", "node", ("node-2",), "overlay")]
    either = Cluster(nodes(8), host=False).fail(lambda link: link.touches("node-2")).findings()
    assert {"overlay", "network"} <= set(either[0].layers)


def test_zone_apart() -> None:
    """A zone that no other zone reaches is named, and its nodes are not."""
    names = nodes(20)
    zones = {name: "abc"[number % 3] for number, name in enumerate(names)}
    mesh = Cluster(names, zones=zones, services=False)
    mesh.fail(lambda link: (zones[link.source] == "b") != (zones[link.target] == "b"))
    assert named(mesh.findings()) == [("fault", "zone", ("b",), "network")]


def test_one_way_between_zones() -> None:
    """New connections from one zone to another fail: the direction is named."""
    names = nodes(20)
    zones = two_zones(names, first=8)
    mesh = Cluster(names, zones=zones, services=False)
    mesh.fail(lambda link: (zones[link.source], zones[link.target]) == ("a", "b"))
    assert named(mesh.findings()) == [("fault", "zone_one_way", ("a", "b"), "network")]


def test_inside_a_zone() -> None:
    """A fault inside one zone is named as inside that zone."""
    names = nodes(20)
    zones = two_zones(names, first=8)
    mesh = Cluster(names, zones=zones, services=False)
    mesh.fail(lambda link: link.crosses and zones[link.source] == zones[link.target] == "a")
    assert named(mesh.findings()) == [("fault", "inside_zone", ("a",), "network")]


def test_udp_blocked_while_paths_flake() -> None:
    """UDP blocked at a node is named as UDP although two of its paths flake on TCP."""
    mesh = Cluster(nodes(20), services=False).fail(lambda link: link.touches("node-2"), ["udp"])
    flaky = {Link("node-2", "node-3", "pod"), Link("node-2", "node-5", "host")}
    mesh.fail(lambda link: link in flaky, ["tcp"], rounds=1)
    (found,) = mesh.findings()
    assert named([found]) == [("fault", "node", ("node-2",), "network")]
    assert found.probes == ("udp",)


def test_udp_of_a_pair() -> None:
    """UDP that fails for three rounds between two nodes is named there although their TCP works."""
    mesh = Cluster(nodes(20), host=False, services=False).fail(lambda link: link.between("node-4", "node-5"), ["udp"])
    found = mesh.findings()
    assert [(each.kind, each.scope.nodes, each.probes) for each in found] == [("fault", ("node-4", "node-5"), ("udp",))]


def test_policy_closes_all_pods() -> None:
    """A policy that closes every pod is named as a policy if the host network works."""
    mesh = Cluster(nodes(8), services=False).fail(lambda link: link.plane in ("pod", "host-pod"))
    assert named(mesh.findings()) == [("fault", "all", (), "into_pods")]


def test_policy_closes_all_pods_without_the_host_network() -> None:
    """If every path of a mesh without the host network fails, all nodes are named and no single one."""
    mesh = Cluster(nodes(8), host=False, services=False).fail(lambda link: True)
    assert [(kind, scope, where) for kind, scope, where, _ in named(mesh.findings())] == [("fault", "all", ())]


def test_egress_closed() -> None:
    """A policy that lets nothing out of pods is named as a policy."""
    mesh = Cluster(nodes(8)).fail(lambda link: link.plane in ("pod", "pod-host"))
    for (_, network), states in mesh.to_services.items():
        if network == "pod":
            for probe, path in states.items():
                states[probe] = failed(path, 3, "timeout", 20.0)
    assert named(mesh.findings()) == [("fault", "all", (), "out_of_pods")]


def test_one_family() -> None:
    """If only IPv6 fails at a node, the finding says so."""
    mesh = Cluster(nodes(8), families=("ipv4", "ipv6"), services=False)
    found = mesh.fail(lambda link: link.touches("node-2") and link.family == "ipv6").findings()
    assert [(each.scope.nodes, each.families) for each in found] == [(("node-2",), ("ipv6",))]


def test_black_hole() -> None:
    """Lost large packets at a node are a kind of finding, with the size that passes."""
    found = Cluster(nodes(8), services=False).black_hole(lambda link: link.touches("node-2")).findings()
    assert [(each.kind, each.scope.nodes, each.mtu, each.passes) for each in found] == [
        ("mtu", ("node-2",), 1450, 1280)
    ]


def test_a_black_hole_below_the_overlay_needs_a_path_between_nodes() -> None:
    """Not every round sends a large packet. Until one between two nodes is lost, the finding names both layers."""
    mesh = Cluster(nodes(8), services=False)
    for link, states in mesh.paths.items():
        if link.plane == "host":
            states["udp"] = msgspec.structs.replace(states["udp"], large="")
    mesh.black_hole(lambda link: link.between("node-2", "node-3") and link.plane != "host")
    (found,) = mesh.findings()
    assert (found.kind, found.scope.nodes, set(found.layers)) == ("mtu", ("node-2", "node-3"), {"network", "overlay"})
    assert "on the pod network or the node network below it" in headline(found)
    mesh.black_hole(lambda link: link.between("node-2", "node-3"))
    (found,) = mesh.findings()
    assert found.layers == ("network",)


def test_the_layer_is_open_until_two_nodes_have_probed_each_other() -> None:
    """At first a broken overlay fails what the node network would fail, too: the paths between the nodes come later."""
    mesh = Cluster(nodes(5), services=False)
    for link, states in mesh.paths.items():
        if link.between("node-1", "node-2"):  # no probe since the fault began, 25 s ago
            mesh.paths[link] = {probe: msgspec.structs.replace(each, at=AT - 40.0) for probe, each in states.items()}
    mesh.fail(lambda link: link.between("node-1", "node-2") and link.plane == "pod-host", rounds=1, ago=25.0)
    (early,) = mesh.findings()
    assert (early.scope.nodes, early.layers) == (("node-1", "node-2"), ("network", "overlay"))
    assert "no connection on the pod network or the node network below it" in headline(early)
    assert "hostNetwork" not in headline(early)
    mesh.fail(lambda link: link.between("node-1", "node-2") and link.plane == "host", rounds=1, ago=2.0)
    (later,) = mesh.findings()
    assert (later.id, later.layers) == (early.id, ("network",))


def test_places_that_cannot_be_told_apart_are_listed() -> None:
    """If the paths cannot tell places apart, all are listed.

    With two nodes these are each node, the path between them, and both.
    """
    mesh = Cluster(nodes(2), host=False, services=False).fail(lambda link: link.crosses)
    (found,) = mesh.findings()
    listed = {(scope.kind, scope.nodes) for scope in found.one_of}
    assert listed == {("node", ("node-1",)), ("node", ("node-2",)), ("pair", ("node-1", "node-2")), ("all", ())}
    assert place(found) == "one of node-1, node-2, between node-1 and node-2, every node"


def test_half_finished_round() -> None:
    """A dead node is named while most of its paths were last probed before it died."""
    mesh = Cluster(nodes(20), services=False)
    early = [link for link in mesh.paths if link.touches("node-2")][:12]
    mesh.fail(lambda link: link in early, rounds=1, ago=5.0)
    assert [each[:3] for each in named(mesh.findings())] == [("fault", "node", ("node-2",))]


def test_a_refusal_names_who_refused() -> None:
    """A finding names the sender of the ICMP error if it is one address."""
    mesh = Cluster(nodes(5), services=False).fail(lambda link: link.touches("node-2"), outcome="unreachable")
    for states in mesh.paths.values():
        for probe, path in states.items():
            if path.last == "unreachable":
                states[probe] = msgspec.structs.replace(path, offender="192.0.2.1")
    found = mesh.findings()
    assert (found[0].scope.nodes, found[0].offender, found[0].outcomes) == (("node-2",), "192.0.2.1", ("unreachable",))


@pytest.mark.parametrize("zones", [False, True])
@pytest.mark.parametrize("size", [4, 6, 20])
@pytest.mark.parametrize("families", [("ipv4",), ("ipv4", "ipv6")])
def test_a_fault_of_udp_beside_one_of_all_probes(size: int, families: tuple[str, ...], *, zones: bool) -> None:
    """A dead overlay and blocked UDP share paths, on which every probe fails.

    On the others only UDP fails, and UDP is named.
    """
    names = nodes(size)
    mesh = Cluster(names, families=families, zones=two_zones(names, first=size // 2) if zones else {})
    mesh.fail(lambda link: link.touches("node-2") and link.plane in ("pod", "host-pod"))
    mesh.fail(
        lambda link: (
            link.crosses
            and (
                (link.source == "node-1" and link.plane == "pod")
                or (link.target == "node-1" and link.plane.endswith("pod"))
            )
        ),
        ["udp"],
    )
    found = {each.scope.nodes: each.probes for each in mesh.findings()}
    assert found == {("node-2",): (), ("node-1",): ("udp",)}
