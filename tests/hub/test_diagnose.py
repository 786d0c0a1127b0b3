"""What the hub adds to the diagnosis: nodes that are deleted, new or not ready, and echoes that move."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.finding import Count, Finding
from smoker_diagnosis.moved import HOLDS
from smoker_diagnosis.newcomers import NEW
from smoker_diagnosis.state import PathState, State
from smoker_hub.collect import Collected
from smoker_hub.diagnose import Diagnosis
from smoker_hub.incidents import Change
from smoker_hub.nodes import Node
from tests.conftest import eventually
from tests.diagnosis.mesh import INTERVAL, TIMEOUT, Cluster, nodes
from tests.hub.stand_ins import ManualClock, hub_of, probers
from tests.hub.test_hub import ERROR, become

READY, GONE = Node(True), None
NOT_READY = Node(False, "KubeletNotReady", since=1_700_000_000.0)


class Inventory:
    """Nodes that a test gives; all others are ready."""

    def __init__(self, **special: Node | None) -> None:
        self.special: dict[str, Node | None] = {key.replace("_", "-"): value for key, value in special.items()}
        self.known = True

    def get(self, name: str) -> Node | None:
        return self.special.get(name, READY)


def pods_of(node: str, **options: bool) -> Cluster:
    """Return a mesh in which the pod network of `node` is dead."""
    return Cluster(nodes(5), **options).fail(lambda link: link.touches(node) and "pod" in link.plane)  # type: ignore[arg-type]


def look(diagnosis: Diagnosis, states: list[State]) -> list[Finding]:
    return diagnosis.look(Collected(states=states, asked=len(states)))


def places(found: list[Finding]) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.kind, each.scope.nodes) for each in found]


def test_a_deleted_node_has_no_findings() -> None:
    """A deleted node is not named: its failing paths are the last results of its peers."""
    assert places(look(Diagnosis(Inventory(), ManualClock()), pods_of("node-2").states())) == [("fault", ("node-2",))]
    assert look(Diagnosis(Inventory(node_2=GONE), ManualClock()), pods_of("node-2").states()) == []


def test_a_finding_closes_at_once_when_its_node_is_deleted() -> None:
    """The finding does not wait for three looks, nor until the paths are gone."""
    clock, changes, known = ManualClock(), list[Change](), Inventory()
    with probers(pods_of("node-2").states()) as found:
        hub = hub_of(found, clock, changes.append, nodes=known)
        hub.look()
        hub.look()
        known.special["node-2"] = GONE
        hub.look()
        assert [each.kind for each in changes] == ["open", "close"]


def test_a_new_node_has_no_findings_for_a_minute() -> None:
    """A node's failures are not reported in its first minute; others are. The nodes of the first look are not new."""
    clock = ManualClock()
    diagnosis = Diagnosis(Inventory(), clock)
    assert look(diagnosis, Cluster(nodes(4)).states()) == []
    clock.instant += 100.0
    fresh = Cluster(nodes(5)).fail(lambda link: link.touches("node-5") and "pod" in link.plane)
    assert look(diagnosis, fresh.states()) == []
    clock.instant += NEW
    assert places(look(diagnosis, fresh.states())) == [("fault", ("node-5",))]
    assert places(look(Diagnosis(Inventory(), ManualClock()), fresh.states())) == [("fault", ("node-5",))]


def test_a_not_ready_node_is_reported_as_not_ready() -> None:
    """The finding says since when and why Kubernetes reports the node as NotReady."""
    (found,) = look(Diagnosis(Inventory(node_2=NOT_READY), ManualClock()), pods_of("node-2").states())
    assert found.notes == ("Kubernetes reports node-2 as NotReady since 2023-11-14 22:13:20 UTC (KubeletNotReady)",)


@pytest.mark.parametrize(
    ("past", "seconds", "named"),
    [(1, 30.0, False), (9, 30.0, True), (1, 60.0, True), (0, 30.0, True)],
    ids=["starts", "worked before", "for a minute", "no history"],
)
def test_an_echo_that_has_not_answered_yet_may_start(past: int, seconds: float, named: bool) -> None:
    """Right after an installation the probers can be ready before the echoes: that is no fault of their Service."""
    states = [
        msgspec.structs.replace(state, paths=[_since(path, past, state.at - seconds) for path in state.paths])
        for state in Cluster(nodes(4)).fail_services(nodes(4), ["udp"]).states()
    ]
    assert places(look(Diagnosis(Inventory(), ManualClock()), states)) == ([("service", ())] if named else [])


def _since(path: PathState, past: int, begin: float) -> PathState:
    """Return a path with as many results in its history, and, if it fails, that began to fail then."""
    return msgspec.structs.replace(path, past=past, since=begin if path.streak else path.since)


@pytest.mark.parametrize(
    ("node", "lost", "named"),
    [
        (NOT_READY, "pod host", True),
        (NOT_READY._replace(cordoned=True), "pod host", False),
        (READY, "pod host", False),
        (GONE, "pod host", False),
        (NOT_READY, "pod", False),
    ],
    ids=["not ready", "cordoned", "ready", "deleted", "one of two probers"],
)
def test_a_not_ready_node_whose_probers_are_silent(node: Node | None, lost: str, named: bool) -> None:
    """A hub that started after the node died has no other sign of it: nobody probes it any more."""
    mesh = Cluster(nodes(5)).leave("node-2", failing=False)
    keys = frozenset(("node-2", network) for network in lost.split())
    states = mesh.states()
    if "host" not in lost:
        states.append(msgspec.structs.replace(states[0], node="node-2", network="host", paths=[]))
    collected = Collected(states=states, asked=10, lost=keys, silent=dict.fromkeys(keys, 99.0))
    found = Diagnosis(Inventory(node_2=node), ManualClock()).look(collected)
    assert places(found) == ([("not_ready", ("node-2",))] if named else [])
    assert [list(each.counts)[-1] for each in found] == ([Count("probers", 2, 2)] if named else [])


def test_a_fault_stays_the_same_when_kubernetes_notices(records: list[str]) -> None:
    """The finding of a dead link keeps its id and escalates; it is neither closed nor opened again."""
    clock, changes, known = ManualClock(), list[Change](), Inventory()
    with probers(Cluster(nodes(5)).states()) as found:
        hub = hub_of(found, clock, changes.append, nodes=known)
        become(found, Cluster(nodes(5)).fail(lambda link: link.touches("node-2")))
        dead = [prober for prober in found if prober.state.node == "node-2"]
        for _ in range(2):
            hub.look()
        known.special["node-2"] = NOT_READY
        left = {
            (state.node, state.network): state for state in Cluster(nodes(5)).leave("node-2", failing=True).states()
        }
        for prober in found:
            prober.state = left.get((prober.state.node, prober.state.network), prober.state)
        for prober in dead:
            prober.raw = ERROR
        clock.instant += INTERVAL + TIMEOUT + 1.0
        for _ in range(4):
            hub.look()
    assert [each.kind for each in changes] == ["open", "escalate"]
    assert changes[0].incident is changes[1].incident
    assert any("Kubernetes reports node-2 as NotReady" in line for line in records)


def echoes(on: str, failing: bool = True, *, after: float = 0.0) -> list[State]:
    """Return the states `after` these seconds. The TCP echo's pod is on this node."""
    cluster = Cluster(nodes(5))
    if failing:
        cluster.fail_services(nodes(5), ["tcp"])
    for node in nodes(5):
        cluster.change(node, echoes={"tcp": [on] if on else [], "udp": ["node-1"], "http": ["node-1"]})
    return [later(state, after) for state in cluster.states()]


def later(state: State, seconds: float) -> State:
    """Return the state some seconds later, with results as new as these."""
    paths = [
        msgspec.structs.replace(path, at=path.at + seconds, since=path.since + seconds if path.streak else 0.0)
        for path in state.paths
    ]
    return msgspec.structs.replace(state, at=state.at + seconds, paths=paths)


def test_a_drain_excuses_an_echo() -> None:
    """While its pod moves, an echo's Service may fail for a limited time; then it is a finding."""
    known = Inventory()
    diagnosis = Diagnosis(known, ManualClock())
    assert look(diagnosis, echoes("node-3", failing=False)) == []
    known.special["node-3"] = Node(True, cordoned=True)
    for seconds in (5.0, 25.0, HOLDS + INTERVAL + TIMEOUT):
        assert look(diagnosis, echoes("", after=seconds)) == []
    late = echoes("", after=HOLDS + INTERVAL + TIMEOUT + 10.0)
    assert [each.kind for each in look(diagnosis, late)] == ["service"]


def test_an_echo_that_fails_where_no_node_is_drained_is_a_finding() -> None:
    """An echo that lost its pods on a healthy node is a finding."""
    diagnosis = Diagnosis(Inventory(), ManualClock())
    look(diagnosis, echoes("node-3", failing=False))
    assert [each.kind for each in look(diagnosis, echoes(""))] == ["service"]


def test_a_node_that_is_dead_when_the_hub_starts_is_not_new() -> None:
    """If its probers do not answer in the first look, the node is named as soon as two looks have it."""
    changes = list[Change]()
    with probers(Cluster(nodes(5)).fail(lambda link: link.touches("node-2")).states()) as found:
        for prober in found:
            prober.silent = prober.state.node == "node-2"
        hub = hub_of(found, ManualClock(), changes.append, timeout=0.8)
        hub.look()
        assert not hub.collected.silent
        assert "node-2" in hub.collected.nodes

        def failed() -> bool:
            hub.look()
            return bool(hub.collected.silent)

        eventually("its requests have failed", failed)
        hub.look()
        hub.look()
        assert [(each.kind, each.incident.finding.scope.nodes) for each in changes] == [("open", ("node-2",))]
