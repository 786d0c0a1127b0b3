"""Which prober this is, in all that it serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from smoker_prober.process import Settings


@dataclass(frozen=True)
class Identity:
    """A prober by name, place and pace. `interval` and `timeout` are in seconds."""

    node: str
    network: Literal["pod", "host"] = "pod"
    cluster: str = ""
    interval: float = 30.0
    timeout: float = 5.0

    @classmethod
    def of(cls, settings: Settings) -> Identity:
        """Return the identity of the prober that `settings` describe."""
        network = cast(Literal["pod", "host"], settings.network)
        return cls(settings.node_name, network, settings.cluster_name, settings.test_interval, settings.test_timeout)
