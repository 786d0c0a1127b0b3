"""The settings of tcp-echo."""

from __future__ import annotations

from dataclasses import dataclass

from smoker_common.kinds import port, seconds, whole
from smoker_common.settings import MAX_CONNECTIONS, MAX_CONNECTIONS_PER_CLIENT, EchoSettings, setting


@dataclass(frozen=True)
class Settings(EchoSettings):
    """The settings of tcp-echo beside those of every echo service."""

    tcp_port: int = setting("TCP_PORT", 8080, port, "the port the echo listens on", listen="tcp")
    idle_timeout: float = setting(
        "IDLE_TIMEOUT",
        30.0,
        seconds(0.1, 86400),
        "a connection is closed after this time without a byte in either direction",
    )
    max_connections: int = setting("MAX_CONNECTIONS", 20_000, whole(1, 1_000_000), MAX_CONNECTIONS)
    max_connections_per_client: int = setting(
        "MAX_CONNECTIONS_PER_CLIENT", 15_000, whole(1, 1_000_000), MAX_CONNECTIONS_PER_CLIENT
    )
