"""From peers to what is probed of them: who, over which networks and address families, by which name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from smoker_prober.peers.peer import Peer
from smoker_prober.peers.pick import pick
from smoker_prober.target import Path, Target


class Own(NamedTuple):
    """Which of the peers this prober is."""

    node: str
    network: str
    zone: str = ""  # as last known: that of its own peer counts, if it is one now


def plane(source: str, target: str) -> str:
    """The way from one network to another: `pod`, `host`, `pod-host`, `host-pod`."""
    return source if source == target else f"{source}-{target}"


def paths(peers: Iterable[Peer], own: Own, count: int, probes: Collection[str]) -> dict[str, Mapping[str, Target]]:
    """By a name of their own, a target for each of `probes` of the peers that `own` probes, an address family each.

    The nodes are picked among those that have a peer; on each, the probers of both networks are probed. On the own node
    the other network's prober is: it tells a fault of this pod from one of the node's network.
    """
    everybody = sorted(peers, key=lambda peer: (peer.node, peer.network))
    # The own zone too comes from there: a prober that does not know it yet would lay another ring than the others.
    zones = {own.node: own.zone} | {peer.node: peer.zone for peer in everybody}
    chosen = pick(own.node, zones, count) | {own.node}
    found: dict[str, Mapping[str, Target]] = {}
    for peer in everybody:
        if peer.node not in chosen or (peer.node == own.node and peer.network == own.network):
            continue
        for address in peer.addresses:
            path = Path(peer.node, plane(own.network, peer.network), family(address), peer.zone)
            targets = {probe: Target(address, port, path) for probe, port in peer.ports.of(probes).items()}
            found[f"{path.target} {path.plane} {path.family}"] = targets
    return found


def family(address: str) -> str:
    """`ipv4` or `ipv6`."""
    return "ipv6" if ":" in address else "ipv4"
