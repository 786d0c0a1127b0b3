"""Which failing paths a loss of packets explains."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from smoker_diagnosis.by_loss import ByLoss
from smoker_diagnosis.component import ALL, NODE, PAIR, ZONE, Scope
from smoker_diagnosis.finding import finding_of
from smoker_diagnosis.state import PEER, SERVICE, PathState, State

NODES = ("a", "b", "c")
ZONES = {"a": "east", "b": "west", "c": "west"}
AT_A = Scope(NODE, ("a",))


def explains(path: PathState, scope: Scope = AT_A, layer: str = "network", *, source: str = "b", **more: Any) -> bool:
    """Return whether a loss at `scope` explains that `path` of the prober on `source` fails."""
    echoes = {"tcp": ["a"], "http": ["c"]}
    states = [
        State(node=node, zone=ZONES[node], at=100.0, interval=30.0, timeout=5.0, paths=[path] * 10, echoes=echoes)
        for node in NODES
    ]
    loss = finding_of("", "loss", scope, layer, **({"share": 0.3} | more))
    return ByLoss([loss], states).explains(next(state for state in states if state.node == source), path)


def failing(target: str, plane: str = "pod", role: Any = PEER, probe: str = "tcp", **more: Any) -> PathState:
    facts: dict[str, Any] = {"last": "timeout", "streak": 1} | more
    return PathState(role, target, plane, "" if role == SERVICE else "ipv4", probe, **facts)


@pytest.mark.parametrize(
    ("target", "scope", "explained"),
    [
        ("a", AT_A, True),
        ("c", AT_A, False),
        ("a", Scope(PAIR, ("a", "b")), True),
        ("c", Scope(PAIR, ("a", "b")), False),
        ("a", Scope(ZONE, (), ("east",)), True),
        ("c", Scope(ZONE, (), ("east",)), False),
        ("c", Scope(ALL), True),
        ("b", Scope(ALL), False),  # within a node nothing crosses the network
    ],
)
def test_the_place(target: str, scope: Scope, explained: bool) -> None:
    """A path is explained if its packets cross the place that loses them."""
    assert explains(failing(target), scope) == explained


def test_one_of_several_places() -> None:
    """Where the loss is at one of several places, each of them explains its paths."""
    places = (AT_A, Scope(NODE, ("b",)))
    assert explains(failing("c"), one_of=places)


def test_the_layer_and_the_family() -> None:
    """A loss of the overlay does not explain paths over the host network, nor one of IPv6 those of IPv4."""
    assert explains(failing("a", "pod"), layer="overlay")
    assert not explains(failing("a", "host"), layer="overlay")
    assert explains(failing("a", "host"), layer="overlay", layers=("overlay", "network"))
    assert not explains(failing("a"), families=("ipv6",))


def test_services() -> None:
    """A path to an echo service is explained if its source, or a pod behind the service, is where packets are lost."""
    tcp, http = (failing("echo:80", "service", SERVICE, probe) for probe in ("tcp", "http"))
    assert explains(tcp)
    assert not explains(http)
    assert explains(http, source="a")
    assert explains(failing("echo:80", "service", SERVICE, "udp"))  # nobody knows where its pods are
    assert not explains(failing("web", "other", "external"), source="a")


def test_how_it_fails() -> None:
    """Silence is what lost packets end in; and as often in a row as the rate makes likely."""
    assert explains(failing("a", last="resolve_error"))
    assert not explains(failing("a", last="refused"))
    assert not explains(msgspec.structs.replace(failing("a"), last="local_error"))
    assert explains(failing("a", streak=8))
    assert not explains(failing("a", streak=12))
    assert not explains(failing("a", streak=4), share=0.03)


def test_other_findings_explain_nothing() -> None:
    """Only losses of packets do."""
    path = failing("a")
    state = State(node="b", at=100.0, interval=30.0, timeout=5.0, paths=[path])
    assert not ByLoss([finding_of("", "fault", AT_A, "network")], [state]).explains(state, path)
