"""The settings of udp-echo."""

from __future__ import annotations

from dataclasses import dataclass

from smoker_common.settings import EchoSettings, port, setting


@dataclass(frozen=True)
class Settings(EchoSettings):
    """What udp-echo reads beside what every echo service reads."""

    udp_port: int = setting("UDP_PORT", 8081, port, "the port the echo listens on", listen="udp")
    stamp_port: int = setting("STAMP_PORT", 8062, port, "the port of the STAMP reflector (RFC 8762)", listen="udp")
