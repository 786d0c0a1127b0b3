"""A peer: another prober, which answers on the network of a pod or of a node."""

from __future__ import annotations

from dataclasses import dataclass

from smoker_prober.config.service import Ports


@dataclass(frozen=True, slots=True)
class Peer:
    """One prober as the EndpointSlices name it. `zone` is empty where it is not known."""

    node: str
    zone: str
    network: str  # POD or HOST
    pod: str  # its name: it tells a successor from its predecessor, and stands in no label and no line
    addresses: tuple[str, ...]  # one of each family, IPv4 first
    ports: Ports
