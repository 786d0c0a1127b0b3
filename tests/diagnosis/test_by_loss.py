"""Which failing paths a loss of packets explains."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from smoker_diagnosis import by_loss
from smoker_diagnosis.by_loss import ByLoss
from smoker_diagnosis.component import ALL, NODE, PAIR, ZONE, Scope
from smoker_diagnosis.evidence import Cell
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


def test_many_losses_and_paths_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The places that packets between two nodes cross are found once, and not at all where no loss is near them."""
    ends: list[tuple[str, str]] = []

    def cell(source: str, target: str, *more: Any, **zones: Any) -> Cell:
        ends.append((source, target))
        return Cell(source, target, *more, **zones)

    monkeypatch.setattr(by_loss, "Cell", cell)
    paths = [failing(target, plane, probe=probe) for target in "ac" for plane in ("pod", "host") for probe in "xyz"]
    state = State(node="b", zone="west", at=100.0, interval=30.0, timeout=5.0, paths=paths)
    losses = [finding_of("", "loss", AT_A, layer, share=0.3) for layer in ("overlay", "network", "pods")]
    found = ByLoss(losses, [state])
    assert [found.explains(state, path) for path in paths] == [True] * 6 + [False] * 6
    assert ends == [("b", "a")]


def test_the_heaviest_loss_counts() -> None:
    """Where several losses may take packets of a path, the one that takes most says how often it may fail."""
    state = State(node="b", at=100.0, interval=30.0, timeout=5.0, paths=[failing("a", streak=4)] * 10)
    light, heavy = (finding_of("", "loss", AT_A, "network", share=share) for share in (0.03, 0.3))
    everywhere = finding_of("", "loss", Scope(ALL), "network", share=0.3)
    for losses, explained in (([light], False), ([light, heavy], True), ([light, everywhere], True)):
        assert ByLoss(losses, [state]).explains(state, state.paths[0]) == explained
