"""The settings of tcp-echo."""

from __future__ import annotations

from dataclasses import dataclass

from smoker_common.settings import EchoSettings, port, seconds, setting


@dataclass(frozen=True)
class Settings(EchoSettings):
    """What tcp-echo reads beside what every echo service reads."""

    tcp_port: int = setting("TCP_PORT", 8080, port, "the port the echo listens on", listen="tcp")
    idle_timeout: float = setting(
        "IDLE_TIMEOUT", 30.0, seconds(0.1, 86400), "a connection that moves no byte for so long is closed"
    )
