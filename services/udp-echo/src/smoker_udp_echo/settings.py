"""The settings of udp-echo."""

from __future__ import annotations

from dataclasses import dataclass

from smoker_common.kinds import port, ports, whole
from smoker_common.settings import EchoSettings, setting
from smoker_echo.answer_rate import MOST_RATE, RATE
from smoker_echo.datagram import ECHO_PORTS


@dataclass(frozen=True)
class Settings(EchoSettings):
    """The settings of udp-echo beside those of every echo service."""

    udp_port: int = setting("UDP_PORT", 8081, port, "the port the echo listens on", listen="udp")
    stamp_port: int = setting("STAMP_PORT", 8062, port, "the port of the STAMP reflector (RFC 8762)", listen="udp")
    answer_rate: int = setting(
        "ANSWER_RATE",
        RATE,
        whole(1, MOST_RATE),
        "most answers per second to one source address, of the echo and of the reflector each",
    )
    echo_ports: tuple[int, ...] = setting(
        "ECHO_PORTS",
        ECHO_PORTS,
        ports,
        "ports of other echoes and reflectors; datagrams from these ports are not answered",
    )
