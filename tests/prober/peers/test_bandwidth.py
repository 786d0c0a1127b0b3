"""When a prober measures the bandwidth to a peer, and what becomes of the result."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from smoker_common.listen import tcp_listener
from smoker_diagnosis.state import decode
from smoker_kube.api import Api
from smoker_kube.token import Token
from smoker_prober.bandwidth.responder import BandwidthResponder
from smoker_prober.config.service import Ports
from smoker_prober.peers.bandwidth import TRIES, Turns
from smoker_prober.peers.peer import Peer
from smoker_prober.probes.bandwidth import Details
from smoker_prober.result import Outcome, Result
from smoker_prober.settings import Settings, read
from smoker_prober.sinks.bandwidth import BandwidthMetrics
from smoker_prober.store import Store
from smoker_prober.store.identity import Identity
from smoker_prober.store.transfers import Transfers
from tests.hub.leases import NAMESPACE, Leases, leases
from tests.prober.targets import HOST

NAME, EVERY = "smoker-bandwidth", 3600.0


@pytest.fixture
def api() -> Iterator[Leases]:
    """An API server with the Lease as the chart makes it."""
    with leases() as made:
        made.store(NAME, {})
        yield made


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A peer that serves transfers."""
    made = BandwidthResponder(tcp_listener(HOST, 0), lambda _client: True)
    made.start()
    yield Peer("node-2", "", "pod", "smoker-prober-b", (HOST,), Ports(1, 2, 3, 4, made.socket.getsockname()[1]))
    made.stop(0)


def settings(node: str = "node-1") -> Settings:
    found, problems = read({"NODE_NAME": node})
    assert not problems
    return found


class Measured:
    """A prober's turns against an API server; `pauses` has the seconds that it waited for the token."""

    def __init__(self, api: Leases, *peers: Peer, node: str = "node-1") -> None:
        self.results: list[Result] = []
        self.pauses: list[float] = []
        self.holders: list[str] = []
        self.token = Token(Api(api.url), NAMESPACE, NAME, node)

        def keep(result: Result) -> None:
            self.holders.append(api.holder(NAME))
            self.results.append(result)

        self.turns = Turns(settings(node), self.token, lambda: peers, keep, pause=self.pauses.append)


def test_a_turn_measures_under_the_token(api: Leases, peer: Peer) -> None:
    """The prober holds the Lease during the transfer, and has given it back after it."""
    one = Measured(api, peer)
    one.turns.turn()
    (result,) = one.results
    assert (result.outcome, result.probe, result.target.path) == (
        Outcome.SUCCESS,
        "bandwidth",
        ("peer", "node-2", "pod", "ipv4", ""),
    )
    assert (one.holders, api.holder(NAME)) == (["node-1"], "")


def test_no_measurement_while_another_holds_the_token(api: Leases, peer: Peer) -> None:
    """The prober asks for the token again, some seconds apart, and gives the turn up in the end."""
    other = Measured(api, node="node-9")
    assert other.token.take()
    one = Measured(api, peer)
    one.turns.turn()
    assert (one.results, len(one.pauses), min(one.pauses) >= 2) == ([], TRIES, True)
    other.token.give_back()
    one.turns.turn()
    assert len(one.results) == 1


@pytest.mark.parametrize("status", [403, 404, 503])
def test_no_measurement_without_the_api(api: Leases, peer: Peer, status: int) -> None:
    """An API server that refuses the Lease is a turn without a transfer."""
    api.status = status
    one = Measured(api, peer)
    one.turns.turn()
    assert (one.results, one.pauses) == ([], [])


def test_without_a_peer_the_token_is_left_alone(api: Leases) -> None:
    """A prober that has no peer to measure writes nothing."""
    Measured(api).turns.turn()
    assert api.writes == 0


def test_a_failed_transfer_gives_the_token_back(api: Leases, peer: Peer) -> None:
    """A peer that is gone is a failed result, and the Lease is free."""
    gone = Measured(api, _elsewhere(peer))
    gone.turns.turn()
    assert (gone.results[0].outcome, api.holder(NAME)) == (Outcome.REFUSED, "")


def _elsewhere(peer: Peer) -> Peer:
    return Peer(peer.node, peer.zone, peer.network, peer.pod, peer.addresses, Ports(1, 2, 3, 4, 1))


def test_each_node_measures_at_its_own_instant() -> None:
    """Each node has one instant in each hour, whenever the prober starts; nodes have different ones."""
    with leases() as api:
        one, two = Measured(api, node="node-1").turns, Measured(api, node="node-2").turns
        instants = {round((now + one.due(now)) % EVERY, 3) for now in (1e9, 1e9 + 100, 1e9 + 5000.5)}
        assert len(instants) == 1
        assert all(0 < one.due(1e9 + step) <= EVERY for step in range(0, 7200, 60))
        assert round((1e9 + two.due(1e9)) % EVERY, 3) not in instants


def test_metrics(api: Leases, peer: Peer) -> None:
    """The rates of both directions, by method, stay until the peer leaves; each transfer counts."""
    nodes, registry = ["node-2"], CollectorRegistry()
    transfers = Transfers(lambda: nodes)
    metrics = BandwidthMetrics(registry, transfers.last)

    def keep(result: Result) -> None:
        transfers.keep(result)
        metrics.keep(result)

    one = Measured(api, peer)
    one.turns.turn()
    keep(one.results[0])
    rate = ("smoker_bandwidth_bytes_per_second", {"target": "node-2", "direction": "in", "method": "clock"})
    assert (registry.get_sample_value(*rate) or 0) > 0
    assert registry.get_sample_value("smoker_bandwidth_transfers_total", {"outcome": "success"}) == 1
    gone = Measured(api, _elsewhere(peer))
    gone.turns.turn()
    keep(gone.results[0])
    assert (registry.get_sample_value(*rate) or 0) > 0, "a failure hides no earlier rate"
    assert registry.get_sample_value("smoker_bandwidth_transfers_total", {"outcome": "failure"}) == 1
    nodes.clear()
    assert registry.get_sample_value(*rate) is None


def test_the_state_has_the_last_transfer(api: Leases, peer: Peer) -> None:
    """The hub gets both rates of the last success with its instant, until the peer is no longer probed."""
    nodes = ["node-2"]
    transfers, store = Transfers(lambda: nodes), Store(Identity("node-1"))
    store.bandwidth = transfers.state
    one, gone = Measured(api, peer), Measured(api, _elsewhere(peer))
    one.turns.turn()
    gone.turns.turn()
    for result in (*one.results, *gone.results):
        transfers.keep(result)
    (found,) = decode(store.document()[1]).bandwidth
    assert (found.node, found.plane, found.family) == ("node-2", "pod", "ipv4")
    assert found.at == round(one.results[0].began, 3)
    measured = one.results[0].details
    assert isinstance(measured, Details)
    assert (found.out, found.back) == tuple(round(rates.best or 0) for _, rates in measured.directions)
    nodes.clear()
    assert transfers.state() == ()
