"""A peer: another prober, which answers on the network of a pod or of a node."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

POD, HOST = "pod", "host"  # the networks a prober can stand on
STAMP = "stamp"  # beside the probes: where the train that follows a UDP probe goes


class Ports(NamedTuple):
    """Where a peer, or the echo services, answer."""

    tcp: int
    udp: int
    http: int
    stamp: int

    def of(self, probes: Collection[str]) -> dict[str, int]:
        """Those of `probes`, by name; with UDP that of the train, too."""
        wanted = {*probes, STAMP} if "udp" in probes else probes
        return {name: port for name, port in self._asdict().items() if name in wanted}


@dataclass(frozen=True, slots=True)
class Peer:
    """One prober as discovery knows it. `zone` is empty where nobody tells."""

    node: str
    zone: str
    network: str  # POD or HOST
    pod: str  # its name: never in a label or a line, it tells a successor from its predecessor
    addresses: tuple[str, ...]  # one a family, IPv4 first
    ports: Ports
