"""Faults in the bounded mesh that users get from twelve nodes on: place and layer are right, and nothing else is named.

It has three zones of unequal size, with and without probers on the host network, with one and two address families.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import pytest

from smoker_diagnosis.finding import Finding, is_sure
from tests.diagnosis.mesh import Cluster, Link, failed, nodes, three_zones

SIZES, FAMILIES = (12, 17, 24), (("ipv4",), ("ipv4", "ipv6"))
EITHER = frozenset({"network", "overlay"})


class Name(NamedTuple):
    """What a finding names."""

    kind: str
    scope: str
    where: tuple[str, ...]  # nodes or zones
    layers: frozenset[str]
    probes: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    one_of: tuple[object, ...] = ()


def name_of(finding: Finding) -> Name:
    scope, layers = finding.scope, frozenset(finding.layers)
    where = scope.nodes or scope.zones
    return Name(finding.kind, scope.kind, where, layers, finding.probes, finding.families, finding.one_of)


@pytest.fixture(params=product(SIZES, (False, True), FAMILIES), ids=lambda each: f"{each[0]}-{each[1]}-{len(each[2])}")
def mesh(request: pytest.FixtureRequest) -> Cluster:
    """A healthy mesh in which each node probes ten others: half of the nodes are in zone a, a third in zone b."""
    size, host, families = request.param
    names = nodes(size)
    return Cluster(names, host=host, families=families, zones=three_zones(names, size // 2, size // 3))


def between(mesh: Cluster) -> frozenset[str]:
    """Return the layers of a fault between nodes: without the host network every path crosses both."""
    return frozenset({"network"}) if mesh.host else EITHER


def zones_of(mesh: Cluster, link: Link) -> tuple[str, str]:
    return mesh.zones[link.source], mesh.zones[link.target]


def two_dead_nodes_and_a_broken_pair(mesh: Cluster) -> list[Name]:
    mesh.fail(lambda link: link.touches("node-3", "node-9")).fail_services(["node-3", "node-9"])
    mesh.fail(lambda link: link.between("node-5", "node-6"))
    places = [("node", ("node-3",)), ("node", ("node-9",)), ("pair", ("node-5", "node-6"))]
    return [Name("fault", *place, between(mesh)) for place in places]


def a_zone_apart(mesh: Cluster) -> list[Name]:
    mesh.fail(lambda link: zones_of(mesh, link).count("b") == 1)
    return [Name("fault", "zone", ("b",), between(mesh))]


def the_smallest_zone_apart(mesh: Cluster) -> list[Name]:
    mesh.fail(lambda link: zones_of(mesh, link).count("c") == 1)
    return [Name("fault", "zone", ("c",), between(mesh))]


def one_way_between_zones(mesh: Cluster) -> list[Name]:
    mesh.fail(lambda link: zones_of(mesh, link) == ("a", "b"))
    return [Name("fault", "zone_one_way", ("a", "b"), between(mesh))]


def inside_a_zone(mesh: Cluster) -> list[Name]:
    mesh.fail(lambda link: link.crosses and zones_of(mesh, link) == ("b", "b"))
    return [Name("fault", "inside_zone", ("b",), between(mesh))]


def udp_blocked_at_a_node_while_two_paths_flake(mesh: Cluster) -> list[Name]:
    mesh.fail(lambda link: link.touches("node-2"), ["udp"])
    flakes = {Link("node-2", "node-3", "pod"), Link("node-2", "node-5", "pod")}
    mesh.fail(lambda link: link in flakes, ["tcp"], rounds=1)
    return [Name("fault", "node", ("node-2",), between(mesh), ("udp",))]


def a_policy_closes_all_pods(mesh: Cluster) -> list[Name]:
    """With the host network it is known that the pods are closed, and not the network."""
    mesh.fail(lambda link: link.plane in ("pod", "host-pod"))
    return [Name("fault", "all", (), frozenset({"into_pods"}) if mesh.host else EITHER)]


def egress_closed(mesh: Cluster) -> list[Name]:
    """The echo Services cannot be reached from pods either."""
    mesh.fail(lambda link: link.plane in ("pod", "pod-host"))
    for (_, network), states in mesh.to_services.items():
        if network == "pod":
            states.update({probe: failed(path, 3, "timeout", 20.0) for probe, path in states.items()})
    return [Name("fault", "all", (), frozenset({"out_of_pods"}) if mesh.host else EITHER)]


def a_node_not_ready(mesh: Cluster) -> list[Name]:
    """Its peers saw it fail before it left the mesh."""
    mesh.leave("node-2", failing=True)
    return [Name("not_ready", "node", ("node-2",), EITHER)]


CASES: tuple[Callable[[Cluster], list[Name]], ...] = (
    two_dead_nodes_and_a_broken_pair,
    a_zone_apart,
    the_smallest_zone_apart,
    one_way_between_zones,
    inside_a_zone,
    udp_blocked_at_a_node_while_two_paths_flake,
    a_policy_closes_all_pods,
    egress_closed,
    a_node_not_ready,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_fault_is_named_and_nothing_else(mesh: Cluster, case: Callable[[Cluster], list[Name]]) -> None:
    """The findings are exactly those of the fault, and sure."""
    right = case(mesh)
    found = mesh.findings()
    assert sorted(map(name_of, found)) == sorted(right)
    assert all(map(is_sure, found))


def test_dns_is_dead_beside_a_stray_path(mesh: Cluster) -> None:
    """The DNS is the only sure name. A path that failed twice is a warning, which names none but its own two nodes."""
    mesh.fail_services(mesh.nodes, outcome="resolve_error")
    mesh.fail(lambda link: link == Link("node-4", "node-5", "pod"), rounds=2)
    found = mesh.findings()
    assert [name_of(each) for each in found if is_sure(each)] == [Name("dns", "all", (), frozenset({"dns"}))]
    (stray,) = (each for each in found if not is_sure(each))
    assert stray.severity == "warning"
    assert {(each.source, each.target, each.plane, each.family) for each in stray.failing} == {
        ("node-4", "node-5", "pod", "ipv4")
    }
    assert (stray.kind, stray.scope.nodes) in [("unknown", ("node-4>node-5",)), ("fault", ("node-4", "node-5"))]
