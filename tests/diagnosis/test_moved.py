"""A drain moves an echo's pod: failures meanwhile are not a fault of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.state import PathState, State
from tests.diagnosis.mesh import AT, Cluster, named, nodes

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
