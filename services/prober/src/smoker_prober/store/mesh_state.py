"""What the mesh adds to the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from smoker_diagnosis.state import Api, Bandwidth, EchoMove, Heard, Left


@dataclass(frozen=True, slots=True)
class MeshState:
    """What a prober knows beside its results."""

    api: Api = ""
    peers: int = 0
    heard: tuple[Heard, ...] = ()
    left: tuple[Left, ...] = ()
    echoes: dict[str, list[str]] = field(default_factory=dict)
    moves: Mapping[str, EchoMove] = field(default_factory=dict)
    dns_pods: dict[str, str] = field(default_factory=dict)
    bandwidth: tuple[Bandwidth, ...] = ()
