"""Properties that hold for any mesh and any fault, tried with many examples."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from smoker_diagnosis.component import ALL
from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.state import (
    AskedAgain,
    FailingFlows,
    HalfAnswers,
    KeptFlow,
    PathState,
    State,
    StateError,
    decode,
    encode,
)
from tests.diagnosis.mesh import Cluster, Link, named, nodes, three_zones, two_zones

few = settings(max_examples=12, deadline=None, derandomize=True)
sizes = st.integers(5, 14)
texts = st.text(max_size=8)
counts = st.integers(0, 1000)
seconds = st.floats(0, 1e6)
many = st.integers(-1, 20) | st.integers(0, 10**12)
again = st.none() | st.builds(AskedAgain, many, many, many, many, seconds, many, seconds)
path_states = st.builds(
    PathState,
    role=st.sampled_from(["service", "peer", "dns", "external", "cluster"]),
    target=texts,
    plane=st.sampled_from(["pod", "host", "pod-host", "host-pod", "service"]),
    family=st.sampled_from(["", "ipv4", "ipv6"]),
    probe=st.sampled_from(["tcp", "udp", "http", "dns"]),
    last=st.sampled_from(["", "success", "timeout", "refused", "resolve_error", "mtu", "local_error"]),
    at=seconds,
    attempts=counts,
    failures=st.dictionaries(st.sampled_from(["timeout", "refused", "resolve_error"]), counts, max_size=2),
    streak=counts,
    since=seconds,
    sent=counts,
    lost=counts,
    large=st.sampled_from(["", "ok", "black_hole"]),
    partly=st.integers(-2, 5),
    flows=st.none() | st.builds(FailingFlows, seconds, st.integers(-1, 16), st.integers(-1, 16)),
    kept=st.none() | st.builds(KeptFlow, seconds, counts, st.integers(-1, 5)),
    halves=st.none() | st.builds(HalfAnswers, st.integers(-1, 50), st.integers(-1, 40), seconds, seconds, again),
)
states_of_any_kind = st.builds(
    State,
    node=texts,
    network=st.sampled_from(["pod", "host"]),
    zone=texts,
    at=seconds,
    interval=st.floats(0.1, 3600),
    timeout=st.floats(0.1, 60),
    starved=st.booleans(),
    paths=st.lists(path_states, max_size=6),
)

FAULTS: list[Callable[[str], Callable[[Link], bool]]] = [
    lambda node: lambda link: link.touches(node),
    lambda node: lambda link: link.touches(node) and link.plane in ("pod", "host-pod"),
    lambda node: lambda link: link.crosses and link.target == node,
]
faults = st.sampled_from(FAULTS)


def about(findings: list[Finding], node: str) -> float:
    """Return the highest confidence of a finding about `node` alone."""
    return max(
        (each.confidence for each in findings if each.scope.nodes == (node,) and each.kind == "fault"), default=0.0
    )


@few
@given(size=sizes, host=st.booleans(), six=st.booleans(), gone=st.integers(0, 20))
def test_a_healthy_mesh_yields_nothing(size: int, host: bool, six: bool, gone: int) -> None:
    """A healthy mesh has no finding except for probers whose states are missing."""
    mesh = Cluster(nodes(size), host=host, families=("ipv4", "ipv6") if six else ("ipv4",))
    without = [] if gone >= size else [mesh.nodes[gone]]
    assert {each.scope.nodes for each in mesh.findings(without)} <= {(node,) for node in without}


@few
@given(size=sizes, fault=faults, rounds=st.integers(2, 3))
def test_more_failures_of_the_true_place_never_lower_it(
    size: int, fault: Callable[[str], Callable[[Link], bool]], rounds: int
) -> None:
    """One more round of the same failures does not lower the confidence in the place."""
    where = fault("node-2")
    before = Cluster(nodes(size), services=False).fail(where, rounds=rounds - 1).findings()
    after = Cluster(nodes(size), services=False).fail(where, rounds=rounds).findings()
    assert about(after, "node-2") >= about(before, "node-2") - 1e-3
    assert about(after, "node-2") > 0.9


@few
@given(size=sizes, fault=faults, names=st.randoms(use_true_random=False))
def test_renaming_nodes_changes_nothing(
    size: int, fault: Callable[[str], Callable[[Link], bool]], names: object
) -> None:
    """The same mesh with other node names has the same finding about the renamed node."""
    renamed = nodes(size)
    names.shuffle(renamed)  # type: ignore[attr-defined]
    one = named(Cluster(nodes(size), services=False).fail(fault("node-2")).findings())
    other = named(Cluster(renamed, services=False).fail(fault(renamed[1])).findings())
    assert [(kind, scope, layer) for kind, scope, _, layer in one] == [
        (kind, scope, layer) for kind, scope, _, layer in other
    ]
    assert {where for _, _, where, _ in other} == {(renamed[1],)}


@few
@given(size=st.integers(6, 14), fault=faults, gone=st.sets(st.integers(0, 13), max_size=3))
def test_a_missing_state_makes_no_innocent_node_guilty(
    size: int, fault: Callable[[str], Callable[[Link], bool]], gone: set[int]
) -> None:
    """Without some states the confidence may be lower, but no other place than the faulty node is named."""
    mesh = Cluster(nodes(size), services=False).fail(fault("node-2"))
    for each in mesh.findings([name for number, name in enumerate(mesh.nodes) if number in gone]):
        if each.kind != "silent":
            assert ("node-2",) in {place.nodes for place in each.one_of or (each.scope,)}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(document=st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(document: bytes) -> None:
    """`decode` raises only `StateError` for anything that is not a state."""
    with contextlib.suppress(StateError):
        decode(document)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(state=states_of_any_kind)
def test_a_state_survives_encoding(state: State) -> None:
    """A state is the same after `encode` and `decode`. Half of the document raises `StateError` or nothing."""
    document = encode(state)
    assert decode(document) == state
    with contextlib.suppress(StateError):
        decode(document[: len(document) // 2])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(states=st.lists(states_of_any_kind, max_size=5))
def test_any_states(states: list[State]) -> None:
    """The diagnosis of any states is a list of findings that can be encoded."""
    assert msgspec.json.encode(diagnose(states))


@st.composite
def bounded(draw: st.DrawFn) -> Cluster:
    """Draw a mesh in which each node probes ten of up to 23 others, with two or three unequal zones."""
    names = nodes(draw(st.integers(12, 24)))
    first = draw(st.integers(2, 9))
    zones = three_zones(names, first, 2) if draw(st.booleans()) else two_zones(names, first=first)
    return Cluster(
        names,
        host=draw(st.booleans()),
        families=draw(st.sampled_from([("ipv4",), ("ipv4", "ipv6")])),
        zones=zones,
        services=False,
    )


class Broken(NamedTuple):
    """A fault: which paths fail, and the nodes of its place."""

    where: Callable[[Link], bool]
    nodes: frozenset[str]


def break_node(_: Cluster, node: str) -> Broken:
    return Broken(lambda link: link.touches(node), frozenset({node}))


def break_overlay(_: Cluster, node: str) -> Broken:
    return Broken(lambda link: link.touches(node) and link.plane in ("pod", "host-pod"), frozenset({node}))


def break_into(_: Cluster, node: str) -> Broken:
    return Broken(lambda link: link.crosses and link.target == node, frozenset({node}))


def break_last_family(mesh: Cluster, node: str) -> Broken:
    return Broken(lambda link: link.touches(node) and link.family == mesh.families[-1], frozenset({node}))


def break_pair(mesh: Cluster, node: str) -> Broken:
    other = mesh.nodes[(mesh.nodes.index(node) + 1) % len(mesh.nodes)]
    return Broken(lambda link: link.between(node, other), frozenset({node, other}))


def break_zone(mesh: Cluster, node: str) -> Broken:
    """Cut the zone of `node` off from the others. If there is one other, the place is between both."""
    inside = {name for name, zone in mesh.zones.items() if zone == mesh.zones[node]}
    place = inside if len({*mesh.zones.values()}) > 2 else mesh.nodes
    return Broken(lambda link: (link.source in inside) != (link.target in inside), frozenset(place))


breaks = st.sampled_from([break_node, break_overlay, break_into, break_last_family, break_pair, break_zone])
Break = Callable[[Cluster, str], Broken]


def names_it(finding: Finding, broken: Broken, mesh: Cluster) -> bool:
    """Return whether the place of the finding has exactly the nodes of the fault.

    Where it is one of several, one of them must be that place. No fault here is one of every node.
    """
    zones = mesh.zones
    places = [place for place in finding.one_of or (finding.scope,) if place.kind != ALL]
    return broken.nodes in [{*place.nodes, *(node for node in zones if zones[node] in place.zones)} for place in places]


def certainty(findings: Iterable[Finding], broken: Broken) -> float:
    """Return the highest confidence of a finding about exactly the nodes of the fault."""
    return max((each.confidence for each in findings if broken.nodes == {*each.scope.nodes}), default=0.0)


@few
@given(mesh=bounded(), gone=st.integers(0, 23))
def test_a_healthy_bounded_mesh_yields_nothing(mesh: Cluster, gone: int) -> None:
    """A healthy mesh with bounded peers and unequal zones has no finding except for a prober whose state is missing."""
    without = mesh.nodes[gone : gone + 1]
    assert {each.scope.nodes for each in mesh.findings(without)} <= {(node,) for node in without}


@few
@given(mesh=bounded(), first=st.integers(0, 10_000), second=st.integers(0, 10_000), ago=st.floats(21.0, 29.0))
def test_two_failures_by_chance_name_no_place(mesh: Cluster, first: int, second: int, ago: float) -> None:
    """Two paths that fail once, the first before all others worked, are no finding that names a place."""
    links = [link for link in mesh.paths if link.crosses]
    one, other = links[first % len(links)], links[second % len(links)]
    mesh.fail(lambda link: link == one, ["udp"], rounds=1, ago=ago)
    if not other.between(one.source, one.target):
        mesh.fail(lambda link: link == other, ["http"], rounds=1, ago=2.0)
    assert named(mesh.findings()) == []


@few
@given(mesh=bounded(), fault=faults)
def test_more_failures_never_lower_it_in_a_bounded_mesh(
    mesh: Cluster, fault: Callable[[str], Callable[[Link], bool]]
) -> None:
    """Each further round of the same failures does not lower the confidence in the place."""
    sure = [about(mesh.fail(fault("node-2"), rounds=rounds).findings(), "node-2") for rounds in (1, 2, 3)]
    assert sure[0] <= sure[1] + 1e-3 <= sure[2] + 2e-3
    assert sure[2] > 0.9


@few
@given(mesh=bounded(), fault=st.sampled_from([break_node, break_overlay, break_into, break_pair]), kept=st.randoms())
def test_more_failing_paths_never_lower_it_in_a_bounded_mesh(mesh: Cluster, fault: Break, kept: Random) -> None:
    """Each path of the fault that has met it, too, does not lower the confidence in the place."""
    broken = fault(mesh, "node-2")
    links = [link for link in mesh.paths if broken.where(link)]
    kept.shuffle(links)
    sure = []
    for share in (0.7, 0.85, 1.0):
        met = frozenset(links[: max(int(share * len(links)), 1)])
        mesh.fail(lambda link, met=met: link in met)  # type: ignore[misc]
        sure.append(certainty(mesh.findings(), broken))
    assert sure[0] <= sure[1] + 1e-3 <= sure[2] + 2e-3
    assert sure[2] > 0.9


@few
@given(mesh=bounded(), fault=breaks, gone=st.sets(st.integers(0, 23), max_size=3))
def test_a_missing_state_makes_no_innocent_node_guilty_in_a_bounded_mesh(
    mesh: Cluster, fault: Break, gone: set[int]
) -> None:
    """Without some states no other place is named than the faulty node, pair or zone. A silent prober has no place."""
    broken = fault(mesh, "node-2")
    mesh.fail(broken.where)
    for each in mesh.findings([name for number, name in enumerate(mesh.nodes) if number in gone]):
        assert each.kind in ("silent", "unknown") or names_it(each, broken, mesh)


@few
@given(mesh=bounded(), fault=breaks, names=st.randoms(use_true_random=False))
def test_renaming_nodes_changes_nothing_in_a_bounded_mesh(mesh: Cluster, fault: Break, names: Random) -> None:
    """The same bounded mesh with other node names has the same findings about the renamed nodes."""
    renamed = list(mesh.nodes)
    names.shuffle(renamed)
    new = dict(zip(mesh.nodes, renamed, strict=True))
    other = Cluster(
        renamed,
        host=mesh.host,
        families=mesh.families,
        zones={new[node]: zone for node, zone in mesh.zones.items()},
        services=False,
    )
    before = mesh.fail(fault(mesh, "node-2").where).findings()
    after = other.fail(fault(other, new["node-2"]).where).findings()
    assert sorted(map(place_of, after)) == sorted(place_of(each, new) for each in before)


def place_of(finding: Finding, new: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return kind, layer and place of the finding, with the new names of its nodes; a pair has no order."""
    nodes = [new[node] if new else node for node in finding.scope.nodes]
    ordered = nodes if finding.scope.kind == "one_way" else sorted(nodes)
    return (finding.kind, finding.layer, finding.scope.kind, *ordered, *finding.scope.zones)
