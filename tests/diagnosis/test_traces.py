"""Where traces end is evidence in words. It blames nothing."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.finding import Finding
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.state import PathState, Traced, decode, encode
from smoker_diagnosis.text import evidence
from tests.diagnosis.mesh import AT, Cluster, Link, Where, failed, named, nodes

WORDS = "last hop that answers: "


def trace(cluster: Cluster, where: Where, hop: int, address: str, *, reached: bool = False) -> None:
    """Have a trace follow the failures of TCP on the paths in `where`."""
    for link, states in cluster.paths.items():
        if where(link):
            states["tcp"] = msgspec.structs.replace(states["tcp"], traced=Traced(AT - 10.0, hop, address, reached))


def sentences(found: list[Finding]) -> list[str]:
    return [each for finding in found for each in evidence(finding) if each.startswith(WORDS)]


def dead(link: Link) -> bool:
    return link.plane == "pod" and link.touches("node-3")


@pytest.mark.parametrize("router", ["10.0.0.1", "fd00::1"])
def test_a_common_last_hop_is_one_sentence(router: str) -> None:
    """Paths whose traces end at the same router share a sentence; the place is the same as without traces."""
    cluster = Cluster(nodes(5)).fail(dead)
    before = cluster.findings()
    trace(cluster, lambda link: dead(link) and link.target == "node-3", 2, router)
    found = cluster.findings()
    assert sentences(found) == [f"{WORDS}{router}, hop 2 from node-1 to node-3 and on 3 more paths"]
    assert named(found) == named(before)


def test_different_last_hops_are_few_sentences() -> None:
    """Each source has a router of its own: three of them are shown, the most frequent first."""
    cluster = Cluster(nodes(6)).fail(dead)
    for link in filter(dead, cluster.paths):
        trace(cluster, link.__eq__, 1, f"10.{link.source[-1]}.0.1")
    said = sentences(cluster.findings())
    assert len(said) == 3
    assert said[0] == f"{WORDS}10.3.0.1, hop 1 from node-3 to node-1 and on 4 more paths"


@pytest.mark.parametrize(("hop", "address", "reached"), [(0, "", False), (3, "10.0.0.3", True)])
def test_a_trace_without_hops_adds_no_sentence(hop: int, address: str, *, reached: bool) -> None:
    """No hop answered, or the target did: then no router is the last one."""
    cluster = Cluster(nodes(5)).fail(dead)
    trace(cluster, dead, hop, address, reached=reached)
    assert sentences(cluster.findings()) == []


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (["10.0.0.1", "10.0.0.2", "10.0.0.3"], "when that path worked, 10.0.0.2, 10.0.0.3 came next"),
        (["*", "10.0.0.2"], "when that path worked, 10.0.0.2 came next"),
        (["10.0.0.1"], "no hop beyond it answered when that path worked, either"),
        (["10.0.0.9", "10.0.0.2"], "when that path worked, the hops were 10.0.0.9, 10.0.0.2"),
        ([], ""),
    ],
)
def test_the_difference_to_a_trace_while_the_path_worked(before: list[str], said: str) -> None:
    """The sentence says what came next, that nothing did, or that the route was another one."""
    cluster = Cluster(nodes(5)).fail(dead)
    traced = Traced(AT - 10.0, 1, "10.0.0.1", hops=["10.0.0.1"], before=before)
    for link, states in cluster.paths.items():
        if dead(link) and link.target == "node-3":
            # One path alone knows its hops from before: the sentence is about that one.
            known = traced if link.source == "node-2" else msgspec.structs.replace(traced, before=[])
            states["tcp"] = msgspec.structs.replace(states["tcp"], traced=known)
    source = "node-2" if before else "node-1"
    end = f"; {said}" if said else ""
    assert sentences(cluster.findings()) == [f"{WORDS}10.0.0.1, hop 1 from {source} to node-3 and on 3 more paths{end}"]


def test_a_path_that_works_again_has_no_trace() -> None:
    """What an earlier look knew of a trace is gone with the failure."""
    cluster, kept = Cluster(nodes(5)).fail(dead), Evidence()
    trace(cluster, dead, 1, "10.0.0.1")
    (cell, *_) = kept.mesh(cluster.states()).failing
    assert cell.traced is not None
    mesh = kept.mesh(Cluster(nodes(5)).states())
    assert all(cell.traced is None for cell in mesh.cells)


def test_a_target_without_a_common_cause() -> None:
    """A further target that one node does not reach is listed with the hop at which its trace ends."""
    cluster = Cluster(nodes(3), host=False)
    works = PathState("external", "shop", "other", "", "http", "", "success", AT - 20.0, 3)
    path = msgspec.structs.replace(failed(works, 3, "timeout", 20.0), traced=Traced(AT, 4, "192.0.2.1"))
    for node in cluster.nodes:
        own = next(state for state in cluster.states() if (state.node, state.network) == (node, "pod")).paths
        cluster.change(node, paths=[*own, path if node == "node-1" else works])
    (found,) = cluster.findings()
    assert (found.kind, sentences([found])) == ("unknown", [f"{WORDS}192.0.2.1, hop 4 from node-1 to shop"])


def test_a_state_with_a_trace_is_read_back() -> None:
    """It survives the wire, and a state of an older prober has none."""
    cluster = Cluster(nodes(2)).fail(dead)
    trace(cluster, lambda link: link.crosses, 2, "fd00::1")
    state = cluster.states()[0]
    assert decode(encode(state)) == state
    older = msgspec.json.decode(encode(state))
    older["paths"] = [path[: PathState.__struct_fields__.index("traced")] for path in older["paths"]]
    assert {path.traced for path in decode(msgspec.json.encode(older)).paths} == {None}
