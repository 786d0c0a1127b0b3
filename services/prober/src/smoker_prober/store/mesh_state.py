"""What the mesh adds to the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from smoker_diagnosis.state import Api, Bandwidth, EchoMove, Left


@dataclass(frozen=True, slots=True)
class MeshState:
    """What a prober knows beside its results, and beside when it heard its peers. It is compared at each request."""

    api: Api = ""
    peers: int = 0
    left: tuple[Left, ...] = ()
    echoes: dict[str, list[str]] = field(default_factory=dict)
    moves: Mapping[str, EchoMove] = field(default_factory=dict)
    dns_pods: dict[str, str] = field(default_factory=dict)
    bandwidth: tuple[Bandwidth, ...] = ()
    replaced: Mapping[str, float] = field(default_factory=dict)
