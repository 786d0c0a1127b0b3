"""What counts as evidence."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.state import VERSION, Left, State, StateError, decode, encode
from smoker_diagnosis.text import evidence, headline
from tests.diagnosis.mesh import AT, INTERVAL, Cluster, named, nodes


def test_no_states_yield_no_findings() -> None:
    """Without any state there is no finding."""
    assert diagnose([]) == []


def test_probers_without_a_state_are_silent() -> None:
    """Probers without a state whose peers reach them are silent, and no node is named."""
    found = Cluster(nodes(20)).findings(without=["node-2"])
    assert {each.kind for each in found} == {"silent"}
    assert {each.scope.nodes for each in found} == {("node-2",)}


@pytest.mark.parametrize(("silent", "kinds"), [(36.0, set[str]()), (60.0, {"silent"})])
def test_a_probe_from_before_the_silence_does_not_reach_the_prober(silent: float, kinds: set[str]) -> None:
    """If the last probes of a silent prober's peers began before its silence, the network may have broken since."""
    states = Cluster(nodes(6)).states(without=["node-2"])
    waited: dict[tuple[str, str], float] = {
        (state.node, state.network): 50.0 - (AT - state.paths[0].at) for state in states
    }  # they began 50 s ago
    found = diagnose(states, waited, silent={("node-2", "pod"): silent, ("node-2", "host"): silent})
    assert {each.kind for each in found} == kinds


def test_a_fault_explains_a_missing_state() -> None:
    """If a pair is broken, the hub may be at one end, so the prober at the other end is not called silent."""
    mesh = Cluster(nodes(6)).fail(lambda link: link.between("node-2", "node-5") and link.plane != "host")
    found = mesh.findings(without=["node-2"])
    assert named(found) == [("fault", "pair", ("node-2", "node-5"), "overlay")]


def test_an_old_state_is_not_evidence() -> None:
    """An old state is not evidence: its failures name no component."""
    states = Cluster(nodes(8), services=False).fail(lambda link: link.source == "node-2" and link.crosses).states()
    waited: dict[tuple[str, str], float] = {
        (state.node, state.network): 20 * INTERVAL for state in states if state.node == "node-2"
    }
    assert {each.kind for each in diagnose(states, waited)} == {"silent"}


def test_a_state_of_another_version_is_refused() -> None:
    """A state of another version is refused, and the error has its number."""
    document = encode(State(node="node-1", at=1.0, interval=30.0, timeout=5.0))
    with pytest.raises(StateError, match=f"version {VERSION + 1}"):
        decode(document.replace(f'"version":{VERSION}'.encode(), f'"version":{VERSION + 1}'.encode()))


def test_a_starved_prober_names_no_component() -> None:
    """Failures of a prober that lacked CPU name no component."""
    mesh = Cluster(nodes(8), services=False).fail(lambda link: link.source == "node-2" and link.crosses)
    assert mesh.change("node-2", starved=True).findings() == []


def test_local_errors() -> None:
    """Probes that could not be sent name no component."""
    mesh = Cluster(nodes(8), services=False).fail(lambda link: link.touches("node-2"), outcome="local_error")
    assert mesh.findings() == []


def test_not_ready_node() -> None:
    """A node that failed and then became NotReady is named although nobody probes it. A drained node is not."""
    assert named(Cluster(nodes(8), services=False).leave("node-2", failing=True).findings()) == [
        ("not_ready", "node", ("node-2",), "network")
    ]
    assert Cluster(nodes(8), services=False).leave("node-2", failing=False).findings() == []


def test_a_node_that_became_not_ready_before_its_peers_probed_it_again() -> None:
    """No peer saw it fail, or few did: it is named if none of its own probers answers the hub."""
    mesh = Cluster(nodes(8), services=False).leave("node-2", failing=False)
    mesh.change("node-1", left=[Left("node-2", "pod", AT - 60.0, True)])
    assert mesh.findings() == []
    (found,) = diagnose(mesh.states(), down={"node-2": 2})
    assert (found.kind, found.scope.nodes) == ("not_ready", ("node-2",))
    assert list(evidence(found)) == [
        "2 of 14 probers could not reach it when it became NotReady",
        "its 2 probers do not answer the hub",
    ]
    assert headline(found).startswith("FAULT node-2: NotReady, and its probers do not answer; ")
    for node in mesh.nodes:
        mesh.change(node, left=[])
    (found,) = diagnose(mesh.states(), down={"node-2": 1})
    assert list(evidence(found)) == ["its prober does not answer the hub"]


def test_a_node_that_its_peers_still_reach_is_not_down() -> None:
    """Its probers are silent, and paths to it work: that is no fault of the node."""
    assert diagnose(Cluster(nodes(8)).states(without=["node-2"]), down={"node-2": 1}, silent={}) == []


def test_a_node_that_is_gone() -> None:
    """A node that is deleted after it failed disappears: kept evidence of it names nothing."""
    kept = Evidence()
    mesh = Cluster(nodes(8), services=False).fail(lambda link: link.touches("node-2"))
    assert [where for _, _, where, _ in named(diagnose(mesh.states(), evidence=kept))] == [("node-2",)]
    mesh.leave("node-2", failing=True)
    assert [kind for kind, _, _, _ in named(diagnose(mesh.states(), evidence=kept))] == ["not_ready"]
    for node in mesh.nodes:
        mesh.change(node, left=[])
    assert diagnose(mesh.states(), evidence=kept) == []


def test_kept_evidence() -> None:
    """A look with the evidence of an earlier look finds the same as a fresh look, and sees what has changed."""
    mesh, kept = Cluster(nodes(20)), Evidence()
    healthy = mesh.states()
    assert diagnose(healthy, evidence=kept) == []
    broken = mesh.fail(lambda link: link.touches("node-2")).states()
    assert diagnose(broken, evidence=kept) == diagnose(broken)
    assert diagnose(healthy, evidence=kept) == []


def test_zones_arrive_later() -> None:
    """Paths get their zones when another state contains them."""
    names = nodes(6)
    states = Cluster(names, zones=dict.fromkeys(names, "a")).states()
    kept = Evidence()
    unknown = [msgspec.structs.replace(state, zone="") for state in states]
    kept.mesh(unknown)
    assert {cell.source_zone for cell in kept.mesh(states).cells} == {"a"}
