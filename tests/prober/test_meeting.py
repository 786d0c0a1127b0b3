"""A prober with peers that come and go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.exposition import generate_latest

from smoker_prober import round as rounds
from smoker_prober.prober import NEW
from smoker_prober.result import Outcome, Result
from smoker_prober.snapshot import PathWindow
from smoker_prober.target import Target
from tests.conftest import eventually
from tests.prober.targets import HOST, Made, echo, peer_path, settings_of, variables_for

UNANSWERED = 1  # a port on loopback where nothing listens


def peer(port: int, node: str = "node-2") -> tuple[Target, ...]:
    """A peer that is asked over TCP alone."""
    return (Target("tcp", HOST, port, peer_path(node)),)


class Kept(Made):
    """A prober without fixed hosts, and its results so far."""

    @property
    def paths(self) -> dict[str, PathWindow]:
        """Return the snapshot's paths, by target."""
        return {path.target: path for path in self.store.snapshot().paths}

    def of(self, target: str, field: str) -> Any:
        """Return a field of the target's path; None without such a path."""
        return getattr(self.paths.get(target), field, None)

    def rounds(self) -> float:
        """Return how many rounds have ended."""
        return self.registry.get_sample_value("smoker_prober_rounds_total") or 0


@pytest.fixture
def kept() -> Iterator[Kept]:
    found = Kept(settings_of(variables_for({}) | {"TEST_INTERVAL": "0.1"}))
    found.prober.start()
    yield found
    found.prober.close()
    found.prober.drain(0)


def test_a_peer_is_probed_at_once_and_forgotten_when_it_leaves(kept: Kept) -> None:
    """It needs no restart and no wait for an interval. Afterwards neither window nor series is left."""
    with echo("tcp") as port:
        kept.prober.set_peers({"node-2": peer(port)})
        eventually("it was probed", lambda: kept.of("node-2", "last") == "success")
        kept.prober.set_peers({})
        assert kept.paths == {}
        assert 'target="node-2"' not in generate_latest(kept.registry).decode()


def test_a_new_peers_first_failures_do_not_count(kept: Kept) -> None:
    """Failures count from its third round on: before, it may not listen yet, or nodes may have no route to it."""
    kept.prober.set_peers({"node-2": peer(UNANSWERED)})
    eventually("its failures count", lambda: kept.of("node-2", "failed"))
    assert kept.rounds() >= NEW
    failed = kept.registry.get_sample_value(
        "smoker_probe_total",
        {"probe": "tcp", "target": "node-2", "plane": "pod", "family": "ipv4", "outcome": "refused"},
    )
    assert failed is not None
    assert failed <= kept.rounds() - NEW + 1


def test_a_successor_is_new_again_and_keeps_the_path(kept: Kept) -> None:
    """A new pod on the node has another address and the same path, which exists without a gap."""
    with echo("tcp") as first, echo("tcp") as second:
        kept.prober.set_peers({"node-2": peer(first)})
        eventually("it was probed", lambda: "node-2" in kept.paths)
        results = kept.paths["node-2"].results
        kept.prober.set_peers({"node-2": peer(second)})
        eventually("it is probed on", lambda: kept.paths["node-2"].results > results)


def test_failures_after_a_peer_left_do_not_count(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that runs when its peer leaves gives no result, however it ends."""
    (target,) = peer(UNANSWERED)
    left = []

    def leaves_meanwhile(*_about_the_round: object) -> Iterator[Result]:
        kept.prober.set_peers({})
        left.append(True)
        yield Result(target, "node-1", 0.0, Outcome.TIMEOUT, 0.1, error="wait: nothing")

    monkeypatch.setattr("smoker_prober.prober.NEW", 0)
    monkeypatch.setattr(rounds.Round, "results", leaves_meanwhile)
    kept.prober.set_peers({"node-2": peer(UNANSWERED)})
    eventually("the round has begun", lambda: bool(left))
    assert kept.paths == {}
