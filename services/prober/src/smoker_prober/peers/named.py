"""Peers that a setting names: several simulated nodes on one machine, without an API server."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from smoker_common.peers import NamedPeer
from smoker_kube.standing import OK, Standing
from smoker_prober.config.service import Ports
from smoker_prober.peers.echo_places import EchoPlaces
from smoker_prober.peers.peer import Peer


class NamedPeers:
    """Calls `changed` with the peers once. It has the interface of `Discovery`; its peers never change."""

    known = True
    stale: float | None = None
    standing: Standing = OK

    def __init__(
        self,
        named: Iterable[NamedPeer],
        *,
        network: str,
        ports: Ports,
        changed: Callable[[frozenset[Peer]], None],
    ) -> None:
        """All peers answer on `network` and `ports`, as this prober does."""
        self._all = frozenset(Peer(each.node, each.zone, network, each.node, (each.host,), ports) for each in named)
        self._call = changed
        self.peers: frozenset[Peer] = frozenset()
        self.not_ready: frozenset[tuple[str, str]] = frozenset()
        self.echoes = EchoPlaces()

    def start(self) -> None:
        """Call `changed` with the peers."""
        self._call(self._all)
        self.peers = self._all

    def close(self) -> None:
        """Do nothing: there are no further calls."""
