"""From peers to the targets of a prober: which peers, over which networks and address families."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from smoker_diagnosis.state import PEER
from smoker_prober.config.service import Ports
from smoker_prober.peers.peer import Peer
from smoker_prober.peers.pick import pick
from smoker_prober.target import Path, Target

#: Makes the targets of one peer address from the address, the peer's ports, and what names the path to a port.
Echoes = Callable[[str, Ports, Callable[[int], Path]], tuple[Target, ...]]


class OwnIdentity(NamedTuple):
    """The prober that this one is among the peers."""

    node: str
    network: str
    zone: str = ""  # as last known: the zone of its own peer counts, if it has one now


def plane(source: str, target: str) -> str:
    """Return the plane from one network to another: `pod`, `host`, `pod-host` or `host-pod`."""
    return source if source == target else f"{source}-{target}"


def paths(peers: Iterable[Peer], own: OwnIdentity, count: int, echoes: Echoes) -> dict[str, tuple[Target, ...]]:
    """Return the targets of the peers that `own` probes, by a name for each peer and address family.

    `count` nodes are picked among those that have a peer. On each of them the probers of both networks are probed. On
    the own node the prober of the other network is probed: it tells a fault of this pod from a fault of the node.
    """
    every = sorted(peers, key=lambda peer: (peer.node, peer.network))
    # The own zone too comes from there: a prober that does not know it yet would lay another ring than the others.
    zones = {own.node: own.zone} | {peer.node: peer.zone for peer in every}
    chosen = pick(own.node, zones, count) | {own.node}
    found: dict[str, tuple[Target, ...]] = {}
    for peer in every:
        if peer.node not in chosen or (peer.node == own.node and peer.network == own.network):
            continue
        for address in peer.addresses:
            path = Path(PEER, peer.node, plane(own.network, peer.network), family(address), peer.zone)
            found[f"{path.target} {path.plane} {path.family}"] = echoes(address, peer.ports, _named(path))
    return found


def _named(path: Path) -> Callable[[int], Path]:
    """Return what names the path to any port of a peer: `path`."""
    return lambda _port: path


def family(address: str) -> str:
    """Return `ipv4` or `ipv6`."""
    return "ipv6" if ":" in address else "ipv4"
