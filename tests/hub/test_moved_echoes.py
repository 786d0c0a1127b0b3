"""A hub that starts while a drain moves an echo, because the hub stood on the same node: no fault of the network."""

from __future__ import annotations

from smoker_diagnosis.moved import HOLDS
from smoker_diagnosis.state import EchoMove, State
from smoker_hub.incidents import Change
from smoker_hub.nodes import Node
from tests.diagnosis.mesh import AT, INTERVAL, TIMEOUT, Cluster, nodes
from tests.hub.stand_ins import ManualClock, Prober, go_on, hub_of, probers
from tests.hub.test_diagnose import Inventory

NAMES = nodes(4)
OLD, NEW = "node-3", "node-4"  # of the echo and the hub; only the first is drained
LEFT = AT - 30.0  # when the pods left


def states(*, now: str, failing: bool = True, ready: float = LEFT) -> list[State]:
    """Return the states of probers that saw every echo leave `OLD`, and be on the node `now` since `ready`."""
    cluster = Cluster(NAMES)
    if failing:
        cluster.fail_services(NAMES, rounds=1, outcome="refused")
    where = [now] if now else []
    move = EchoMove(ready, LEFT, [OLD])
    for name in NAMES:
        cluster.change(name, echoes=dict.fromkeys(("tcp", "udp", "http"), where) if now else {})
        cluster.change(name, moves=dict.fromkeys(("tcp", "udp", "http"), move))
    return cluster.states()


def serve(found: list[Prober], new: list[State]) -> None:
    """Make the probers serve these states."""
    for prober, state in zip(found, new, strict=True):
        prober.state = state


def kinds(changes: list[Change]) -> list[tuple[str, str]]:
    return [(each.kind, each.incident.finding.kind) for each in changes]


def test_a_hub_that_starts_while_the_echo_has_no_pod(records: list[str]) -> None:
    """It waits; when the pod is ready, it says that the echo moved, and nothing else, until it is probed again."""
    clock, changes = ManualClock(), list[Change]()
    with probers(states(now="")) as found:
        hub = hub_of(found, clock, changes.append, nodes=Inventory(node_3=Node(True, cordoned=True)))
        for _ in range(3):
            hub.look()
            clock.instant += 1.0
        assert changes == []
        serve(found, states(now=NEW, ready=AT - 1.0))
        for _ in range(2):
            hub.look()
            clock.instant += 5.0
        assert set(kinds(changes)) == {("open", "moved")}
        assert {each.incident.finding.notes for each in changes} == {(OLD, NEW)}
        serve(found, states(now=NEW, failing=False, ready=AT - 1.0))
        for _ in range(4):
            hub.look()
            clock.instant += 5.0
    assert {each.incident.finding.severity for each in changes} == {"info"}
    assert not hub.incidents.open
    assert not [line for line in records if line.startswith(("ERROR", "WARNING"))]


def test_a_hub_that_starts_when_the_echo_is_on_its_new_node() -> None:
    """Only results of the gap fail: each echo moved. No fault opens."""
    changes = list[Change]()
    with probers(states(now=NEW, ready=AT - 15.0)) as found:
        hub = hub_of(found, ManualClock(), changes.append, nodes=Inventory())
        for _ in range(3):
            hub.look()
    assert set(kinds(changes)) == {("open", "moved")}


def test_an_echo_that_finds_no_new_node_is_named() -> None:
    """If no pod is ready a minute and a round after the old one left, the echo Service is a fault."""
    clock, changes = ManualClock(), list[Change]()
    with probers(states(now="")) as found:
        hub = hub_of(found, clock, changes.append, nodes=Inventory(node_3=Node(True, cordoned=True)))
        hub.look()
        hub.look()
        assert changes == []
        for _ in range(2):
            go_on(found, HOLDS + INTERVAL + TIMEOUT)
            hub.look()
    assert [(each.kind, each.incident.finding.kind, each.incident.finding.severity) for each in changes] == [
        ("open", "service", "critical")
    ]


def test_a_hub_that_knows_the_probers_before_the_nodes() -> None:
    """Its first look sees failures and no node yet. The next one knows the drain, and nothing opens."""
    changes, known = list[Change](), Inventory(node_3=Node(True, cordoned=True))
    known.known = False
    with probers(states(now="")) as found:
        hub = hub_of(found, ManualClock(), changes.append, nodes=known)
        hub.look()
        known.known = True
        for _ in range(3):
            hub.look()
    assert changes == []


def test_an_echo_without_pods_on_healthy_nodes_is_named() -> None:
    """Where no node is drained, the hub names the echo Service as before."""
    changes = list[Change]()
    with probers(states(now="")) as found:
        hub = hub_of(found, ManualClock(), changes.append, nodes=Inventory())
        hub.look()
        hub.look()
    assert kinds(changes) == [("open", "service")]
