"""A peer: another prober, which answers on the network of a pod or of a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

POD, HOST = "pod", "host"  # the networks a prober can stand on


class Ports(NamedTuple):
    """Where a peer answers."""

    tcp: int
    udp: int
    http: int
    stamp: int


@dataclass(frozen=True, slots=True)
class Peer:
    """One prober as discovery knows it. `zone` is empty where nobody tells."""

    node: str
    zone: str
    network: str  # POD or HOST
    pod: str  # its name: never in a label or a line, it tells a successor from its predecessor
    addresses: tuple[str, ...]  # one a family, IPv4 first
    ports: Ports
