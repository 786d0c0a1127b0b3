"""Which prober this is, in all that it serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from smoker_prober.settings import Settings


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
        process, plan = settings
        network = cast(Literal["pod", "host"], process.network)
        return cls(process.node_name, network, process.cluster_name, plan.interval, plan.timeout)
