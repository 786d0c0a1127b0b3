"""Paths that fail without a common cause: they are listed as UNKNOWN, whatever their target, and nothing is named."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.finding import Finding
from smoker_diagnosis.state import PathState
from smoker_diagnosis.text import headline
from tests.diagnosis.mesh import AT, INTERVAL, Cluster, failed, named, nodes


def with_target(failing: int, of: int = 5, *, rounds: int = 3) -> list[Finding]:
    """Return the findings of a mesh in which a target fails from the first `failing` nodes."""
    cluster = Cluster(nodes(of))
    works = PathState("external", "shop", "other", "", "http", "", "success", AT - 20.0, 3)
    for number, node in enumerate(cluster.nodes):
        path = failed(works, rounds, "timeout", 20.0) if number < failing else works
        own = next(state for state in cluster.states() if (state.node, state.network) == (node, "pod")).paths
        cluster.change(node, paths=[*own, path])
    return [msgspec.structs.replace(each, since=round(each.since)) for each in cluster.findings()]


@pytest.mark.parametrize("failing", [1, 3])
def test_a_target_that_some_nodes_do_not_reach(failing: int) -> None:
    """It is listed from each of these nodes with the time since it fails; neither node nor target is named."""
    (found,) = with_target(failing)
    assert headline(found) == f"UNKNOWN {failing} path{'s fail' if failing > 1 else ' fails'} without a common cause"
    assert {(each.source, each.target, each.outcome) for each in found.failing} == {
        (f"node-{number}", "shop", "timeout") for number in range(1, failing + 1)
    }
    assert found.since == 2 * INTERVAL  # from the first failure to the last


def test_a_target_that_all_nodes_do_not_reach_is_named() -> None:
    """A target that no node reaches is named and not listed again."""
    assert [each.kind for each in with_target(5)] == ["target"]


def test_a_single_failure_of_a_target_is_no_finding() -> None:
    """A single failure of a target may be chance and is no finding."""
    assert with_target(1, rounds=1) == []


def test_one_protocol_of_the_service_from_one_node() -> None:
    """One protocol that fails from one node is listed as a path, and no component is named for it."""
    found = Cluster(nodes(5), host=False).fail_services(["node-1"], ["udp"]).findings()
    assert named(found) == []
    ((path,),) = [each.failing for each in found]
    assert (path.source, path.target, path.plane, path.probe) == ("node-1", "echo", "service", "udp")


def test_the_id_stays_while_paths_come_and_go() -> None:
    """One finding contains all of them, and its id stays while paths come and go.

    The path that has failed longest is first.
    """
    one = Cluster(nodes(20)).fail(lambda link: link[:3] == ("node-1", "node-2", "host"), ["udp"], rounds=2)
    (before,) = one.findings()
    (after,) = one.fail(lambda link: link[:3] == ("node-8", "node-9", "host"), ["tcp"], rounds=4).findings()
    assert before.id == after.id
    assert [each.source for each in after.failing] == ["node-8", "node-1"]


@pytest.mark.parametrize(("rounds", "listed"), [(1, []), (2, [("node-2", "node-3", "tcp")])])
def test_only_failures_without_an_explanation_are_listed(rounds: int, listed: list[tuple[str, str, str]]) -> None:
    """A path whose UDP fails because of its node is listed only if another protocol fails there twice in a row.

    Then that protocol alone is listed.
    """
    mesh = Cluster(nodes(12), services=False).fail(lambda link: link.touches("node-2"), ["udp"])
    mesh.fail(lambda link: link[:3] == ("node-2", "node-3", "pod"), ["tcp"], rounds=rounds)
    blocked, *unknown = mesh.findings()
    assert (blocked.scope.nodes, blocked.probes) == (("node-2",), ("udp",))
    assert [(seen.source, seen.target, seen.probe) for each in unknown for seen in each.failing] == listed


def test_services_beside_a_fault_are_not_listed() -> None:
    """Failing Service paths are not listed while a node is named, because their echo can run there."""
    mesh = Cluster(nodes(8)).fail(lambda link: link.touches("node-2")).fail_services(["node-5", "node-6"], ["udp"])
    assert [each[:3] for each in named(mesh.findings())] == [("fault", "node", ("node-2",))]
    assert [each.kind for each in mesh.findings()] == ["fault"]


@pytest.mark.parametrize(("place", "listed"), [("node-3", True), ("node-2", False)])
def test_services_beside_a_fault_without_their_pods_are_listed(place: str, listed: bool) -> None:
    """A node at fault explains a failing Service only if the echo stands there."""
    mesh = Cluster(nodes(8)).fail(lambda link: link.touches("node-2")).fail_services(["node-5", "node-6"], ["udp"])
    for node in mesh.nodes:
        mesh.change(node, echoes={"udp": [place]})
    assert [each.kind for each in mesh.findings()] == ["fault", *(["unknown"] if listed else [])]


@pytest.mark.parametrize(("count", "rounds", "listed"), [(5, 3, True), (20, 3, True), (20, 2, False)])
def test_a_service_that_keeps_failing_beside_little_loss_is_listed(count: int, rounds: int, listed: bool) -> None:
    """Of a hundred packets one is lost: of forty paths one fails twice in a row by that, but none three times."""
    mesh = Cluster(nodes(count)).lose(lambda link: link.crosses, 1, sent=90)
    found = mesh.fail_services(["node-1"], ["udp"], rounds=rounds).findings()
    assert [each.kind for each in found] == ["loss", *(["unknown"] if listed else [])]


@pytest.mark.parametrize("size", [4, 5, 20])
@pytest.mark.parametrize("host", [False, True])
def test_a_path_that_failed_twice_is_listed_and_names_no_place(size: int, *, host: bool) -> None:
    """A failure by chance can meet the repeated probe, too. The next round tells, and then a place is named."""
    names = []
    for rounds in (1, 2, 3):
        mesh = Cluster(nodes(size), host=host)
        found = mesh.fail(lambda link: link[:3] == ("node-1", "node-2", "pod"), rounds=rounds).findings()
        names.append([each.kind for each in found])
    assert names == [[], ["unknown"], ["fault"]]


@pytest.mark.parametrize(
    ("flaps", "expected"), [(0, [["fault"]] * 3), (1, [[], ["unknown"], ["fault"]])], ids=["calm", "noisy"]
)
def test_two_paths_of_a_pair_that_failed_twice(flaps: int, expected: list[list[str]]) -> None:
    """Where many paths flap, two of a pair that failed twice are listed, and name no place before they fail again."""
    kinds = []
    for rounds in (1, 2, 3):
        mesh = Cluster(nodes(10), host=False)
        for states in mesh.paths.values():
            states.update({each: msgspec.structs.replace(path, past=60, flaps=flaps) for each, path in states.items()})
        found = mesh.fail(lambda link: link.between("node-1", "node-2"), rounds=rounds).findings()
        kinds.append([each.kind for each in found])
    assert kinds == expected


def test_an_unsure_finding_is_not_critical() -> None:
    """A place with a confidence below 90 % is a warning."""
    found = Cluster(nodes(3), host=False).fail(lambda link: link[:2] == ("node-1", "node-2"), rounds=2).findings()
    assert [(each.severity, each.confidence < 0.9) for each in found if not each.one_of] == [("warning", True)]
