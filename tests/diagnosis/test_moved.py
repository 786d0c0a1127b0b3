"""A drain moves an echo's pod: failures meanwhile are not a fault of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.moved import HOLDS, SETTLES
from smoker_diagnosis.state import EchoMove, PathState, State
from tests.diagnosis.mesh import AT, INTERVAL, TIMEOUT, Cluster, named, nodes

NAMES = nodes(6)


def on(states: Sequence[State], *, at: float, **places: list[str]) -> list[State]:
    """Return the states with the places of the echoes' pods, read at an instant."""
    return [msgspec.structs.replace(state, at=at, echoes=places) for state in states]


def with_paths(states: Sequence[State], changed: Callable[[PathState], PathState]) -> list[State]:
    """Return the states with each path changed by `changed`."""
    return [msgspec.structs.replace(state, paths=[changed(path) for path in state.paths]) for state in states]


def healthy() -> list[State]:
    return Cluster(NAMES, host=False).states()


def failing(rounds: int = 1) -> list[State]:
    """Return the states after the TCP echo failed from every node."""
    return Cluster(NAMES, host=False).fail_services(NAMES, ["tcp"], rounds=rounds, outcome="refused").states()


def test_a_moved_echo_is_reported_as_moved() -> None:
    """Its pod is gone, probes fail, and it is ready elsewhere: information with both nodes, and no fault."""
    evidence = Evidence()
    assert diagnose(on(healthy(), at=AT, tcp=["node-2"]), evidence=evidence) == []
    diagnose(on(failing(), at=AT + 2, udp=["node-3"]), evidence=evidence)
    for seconds in (5, 10):  # each look says the same until the paths are probed again
        (found,) = diagnose(on(failing(), at=AT + seconds, tcp=["node-4"]), evidence=evidence)
        assert (found.kind, found.severity, found.notes) == ("moved", "info", ("node-2", "node-4"))
        assert found.counts[0].failing == len(NAMES)
    assert diagnose(on(healthy(), at=AT + 15, tcp=["node-4"]), evidence=evidence) == []


def test_a_path_that_is_read_again_counts_once() -> None:
    """Probers that report the same failure again, or another one before the move, add no path to the evidence."""
    evidence = Evidence()
    diagnose(on(healthy(), at=AT, tcp=["node-2"]), evidence=evidence)
    diagnose(on(failing(), at=AT + 2, udp=["node-3"]), evidence=evidence)
    for rounds in (1, 2, 3):
        (found,) = diagnose(on(failing(rounds), at=AT + 5 + rounds, tcp=["node-4"]), evidence=evidence)
    assert (found.counts[0].failing, found.counts[0].of) == (len(NAMES), len(NAMES))


def test_an_echo_that_restarts_in_its_place_has_not_moved() -> None:
    """Its pod comes back on the same node: the failures meanwhile are over, so there is no finding."""
    evidence = Evidence()
    diagnose(on(healthy(), at=AT, tcp=["node-2"]), evidence=evidence)
    diagnose(on(failing(), at=AT + 2, udp=["node-3"]), evidence=evidence)
    assert diagnose(on(failing(), at=AT + 5, tcp=["node-2"]), evidence=evidence) == []


def test_what_fails_after_the_move_is_a_fault() -> None:
    """Probes that began after the move was seen, and still fail, name the echo Service."""
    evidence = Evidence()
    diagnose(on(healthy(), at=AT, tcp=["node-2"]), evidence=evidence)
    diagnose(on(failing(), at=AT + 2, tcp=["node-4"]), evidence=evidence)

    def again(path: PathState) -> PathState:
        return msgspec.structs.replace(path, at=AT + 10, streak=2) if path.last == "refused" else path

    later = with_paths(failing(2), again)
    found = diagnose(on(later, at=AT + 12, tcp=["node-4"]), evidence=evidence)
    assert named(found) == [("service", "service", (), "service")]


def test_an_echo_without_pods_is_a_fault() -> None:
    """Its pods are gone and do not come back: the echo Service is named."""
    evidence = Evidence()
    diagnose(on(healthy(), at=AT, tcp=["node-2"], udp=["node-3"]), evidence=evidence)
    found = diagnose(on(failing(2), at=AT + 5, udp=["node-3"]), evidence=evidence)
    assert named(found) == [("service", "service", (), "service")]


def test_a_move_is_over_once_probers_with_other_paths_have_results() -> None:
    """A prober that probes other peers now has its paths in another order; its new results count."""
    evidence = Evidence()
    diagnose(on(healthy(), at=AT, tcp=["node-2"]), evidence=evidence)
    assert len(diagnose(on(failing(), at=AT + 2, tcp=["node-4"]), evidence=evidence)) == 1
    other = [msgspec.structs.replace(state, paths=state.paths[::-1]) for state in healthy()]
    assert diagnose(on(other, at=AT + 15, tcp=["node-4"]), evidence=evidence) == []


def test_a_move_without_failures_is_not_reported() -> None:
    """A move during which no probe failed is not reported."""
    evidence = Evidence()
    diagnose(on(healthy(), at=AT, tcp=["node-2"]), evidence=evidence)
    assert diagnose(on(healthy(), at=AT + 5, tcp=["node-4"]), evidence=evidence) == []


def test_a_prober_that_restarted_has_a_clock_of_its_own() -> None:
    """The clock of a restarted prober begins anew, below the instant of a move. Failures by that clock are a fault."""
    evidence = Evidence()
    diagnose(on(healthy(), at=AT, tcp=["node-2"]), evidence=evidence)
    diagnose(on(failing(), at=AT + 2, tcp=["node-4"]), evidence=evidence)

    def anew(path: PathState) -> PathState:
        return msgspec.structs.replace(path, at=55.0, since=20.0 if path.streak else 0.0)

    young = on(with_paths(failing(2), anew), at=60.0, tcp=["node-4"])
    assert named(diagnose(young, evidence=evidence)) == [("service", "service", (), "service")]


def test_an_eviction_explains_its_service_alone() -> None:
    """While pods leave a node, the TCP echo's failures are explained. The same failures of UDP are a fault."""
    for probe, expected in (("tcp", []), ("udp", [("service", "service", (), "service")])):
        evidence = Evidence()
        bad = Cluster(NAMES, host=False).fail_services(NAMES, [probe], rounds=2, outcome="refused").states()
        diagnose(on(healthy(), at=AT, tcp=["node-2"], udp=["node-3"]), evidence=evidence)
        found = diagnose(on(bad, at=AT + 2, udp=["node-3"]), evidence=evidence, leaves=lambda node: node == "node-2")
        assert named(found) == expected, probe


# The following hubs start during a move: the first look has failures already, and the probers say where the pod was.

LEFT = AT - 25.0  # when the pod left node-2; the failed probes began 20 s before `AT`
SERVICE = [("service", "service", (), "service")]


def moving(states: Sequence[State], *, ready: float = LEFT, before: Sequence[str] = ("node-2",)) -> list[State]:
    """Return the states of probers that saw the TCP echo leave `before`, and, at the instant `ready`, where it is."""
    move = EchoMove(ready, LEFT, [*before])
    return [msgspec.structs.replace(state, moves={"tcp": move}) for state in states]


def drained(node: str) -> bool:
    """Return whether pods leave the node."""
    return node == "node-2"


def test_a_move_before_the_first_look_is_reported_as_moved() -> None:
    """The echo is ready on its new node and only old results fail: it moved, as for a hub that saw the move."""
    evidence = Evidence()
    for seconds in (0, 5):
        states = moving(on(failing(), at=AT + seconds, tcp=["node-4"]), ready=AT - 10.0)
        (found,) = diagnose(states, evidence=evidence)
        assert (found.kind, found.severity, found.notes) == ("moved", "info", ("node-2", "node-4"))
    assert diagnose(moving(on(healthy(), at=AT + 15, tcp=["node-4"]), ready=AT - 10.0), evidence=evidence) == []


def test_what_fails_after_a_move_before_the_first_look_is_a_fault() -> None:
    """Nodes have some seconds to send to the new pod. A probe that began later and fails names the echo Service."""
    for ready, expected in ((AT - 20.0 - SETTLES - 1.0, SERVICE), (AT - 20.0 - SETTLES + 1.0, [])):
        found = diagnose(moving(on(failing(), at=AT, tcp=["node-4"]), ready=ready))
        assert [each for each in named(found) if each[0] != "moved"] == expected


def test_a_drain_before_the_first_look_excuses_the_echo_for_a_while() -> None:
    """The echo has no pod yet. It is named once a new pod should be ready, counted from when the old one left."""
    evidence, holds = Evidence(), HOLDS + INTERVAL + TIMEOUT
    for at, expected in ((AT, []), (LEFT + holds, []), (LEFT + holds + 1.0, SERVICE)):
        states = moving(on(later(failing(2), at), at=at))
        assert named(diagnose(states, evidence=evidence, leaves=drained)) == expected, at
        assert named(diagnose(states, leaves=drained)) == expected, "a hub that starts then says the same"


def later(states: Sequence[State], at: float) -> list[State]:
    """Return the states with results that are as old at the instant `at` as these are at `AT`."""
    return with_paths(states, lambda path: msgspec.structs.replace(path, at=path.at + at - AT))


def test_an_echo_that_left_a_healthy_node_before_the_first_look_is_a_fault() -> None:
    """Pods that vanish from a node that nobody drains are no eviction, and another echo's failures are none either."""
    assert named(diagnose(moving(on(failing(2), at=AT)))) == SERVICE
    udp = Cluster(NAMES, host=False).fail_services(NAMES, ["udp"], rounds=2).states()
    assert named(diagnose(moving(on(udp, at=AT, udp=["node-3"])), leaves=drained)) == SERVICE


def test_the_state_of_the_nodes_may_be_known_late() -> None:
    """A hub that starts may read the probers before the nodes: the next look knows that the node is drained."""
    evidence = Evidence()
    states = moving(on(failing(2), at=AT))
    assert named(diagnose(states, evidence=evidence)) == SERVICE
    assert diagnose(states, evidence=evidence, leaves=drained) == []


def test_a_move_that_ends_after_the_first_look_names_both_nodes() -> None:
    """The first look sees no pod, the second one the new pod: the probers say where it was before."""
    evidence = Evidence()
    assert diagnose(moving(on(failing(), at=AT)), evidence=evidence, leaves=drained) == []
    states = moving(on(failing(), at=AT + 5, tcp=["node-4"]), ready=AT + 2)
    (found,) = diagnose(states, evidence=evidence, leaves=drained)
    assert (found.kind, found.notes) == ("moved", ("node-2", "node-4"))


def test_the_first_pods_of_an_echo_do_not_move() -> None:
    """Right after an installation probes may fail before the first pod is ready: that is neither a fault nor a move."""
    assert diagnose(moving(on(failing(), at=AT, tcp=["node-4"]), ready=AT - 10.0, before=())) == []


def test_an_old_move_explains_nothing() -> None:
    """What fails long after a move is a fault, also for a hub that starts then."""
    states = [
        msgspec.structs.replace(state, moves={"tcp": EchoMove(AT - 500.0, AT - 510.0, ["node-2"])})
        for state in on(failing(2), at=AT, tcp=["node-4"])
    ]
    assert named(diagnose(states, leaves=drained)) == SERVICE
