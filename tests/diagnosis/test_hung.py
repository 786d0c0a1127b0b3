"""A prober that hangs: TCP connects to it, because the kernel does that, and nothing answers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.text import headline
from tests.diagnosis.mesh import Cluster, named, nodes

HUNG = [("silent", "node", ("node-2",), "prober")]


@pytest.mark.parametrize("size", [3, 4, 20])
@pytest.mark.parametrize(("network", "host"), [("pod", True), ("host", True), ("pod", False)])
def test_a_hung_prober_is_named(size: int, network: str, *, host: bool) -> None:
    """All probes of its peers fail, and still the finding names the prober that hangs and no network layer."""
    found = Cluster(nodes(size), host=host).hang("node-2", network).findings()
    assert named(found) == HUNG
    assert "the prober hangs" in headline(found[0])


def test_without_its_state() -> None:
    """The finding is the same without the state of the prober that hangs."""
    assert named(Cluster(nodes(6), host=False).hang("node-2").findings(without=["node-2"])) == HUNG


def test_one_failure_is_not_enough() -> None:
    """A single failure on a single path is no finding."""
    mesh = Cluster(nodes(4), host=False)
    link = next(link for link in mesh.paths if link.target == "node-2" and link.crosses)
    mesh.fail(lambda other: other == link, ["tcp"], rounds=1)
    mesh.paths[link]["tcp"] = replace(mesh.paths[link]["tcp"], connected=True)
    assert named(mesh.findings()) == []


def test_a_fault_beside_it() -> None:
    """A prober that hangs and a node with a dead overlay are both named at once."""
    mesh = Cluster(nodes(8)).fail(lambda link: link.touches("node-5") and link.plane != "host").hang("node-2")
    assert sorted(named(mesh.findings())) == sorted([*HUNG, ("fault", "node", ("node-5",), "overlay")])


def test_a_policy_is_not_a_hung_prober() -> None:
    """If TCP does not connect, the prober is not reported as hanging."""
    mesh = Cluster(nodes(8)).fail(lambda link: link.target == "node-2" and link.plane.endswith("pod") and link.crosses)
    assert "silent" not in {each.kind for each in mesh.findings()}


def test_a_prober_without_results_has_just_started() -> None:
    """Paths without a result are no old results; results that are all old belong to a prober that hangs."""
    cluster = Cluster(nodes(6), host=False)
    new = [replace(path, last="", at=0.0) for path in cluster.states()[1].paths]
    old = [replace(path, at=path.at - 600.0) for path in cluster.states()[1].paths]
    others = [state for state in cluster.states() if state.node != "node-2"]
    state = next(state for state in cluster.states() if state.node == "node-2")
    assert diagnose([*others, replace(state, paths=new)]) == []
    assert named(diagnose([*others, replace(state, paths=old)])) == HUNG
