"""Peers that a setting names."""

from __future__ import annotations

from smoker_common.peers import parse
from smoker_prober.config.service import Ports
from smoker_prober.peers.named import NamedPeers
from smoker_prober.peers.peer import Peer

PORTS = Ports(1, 2, 3, 4)


def test_configured_peers_are_reported_at_once() -> None:
    """One call has all peers with node, zone, address and ports. There is no call before the start."""
    told: list[frozenset[Peer]] = []
    named = parse("node-1@a=127.0.1.1:9464 node-2=[::1]:9464")
    peers = NamedPeers(named, network="pod", ports=PORTS, changed=told.append)
    assert told == []
    peers.start()
    one = Peer("node-1", "a", "pod", "node-1", ("127.0.1.1",), PORTS)
    two = Peer("node-2", "", "pod", "node-2", ("::1",), PORTS)
    assert told == [frozenset({one, two})]
    assert peers.peers == told[0]
    assert not peers.not_ready
