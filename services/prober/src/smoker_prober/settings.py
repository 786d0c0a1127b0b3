"""The settings of the prober."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from smoker_common.settings import ServiceSettings, name, one_of, port, seconds, setting, whole


@dataclass(frozen=True)
class Settings(ServiceSettings):
    """What the prober reads beside what every service reads."""

    server_host: str = setting("SERVER_HOST", "smoker-server", name, "the host of the echo services")
    tcp_port: int = setting("TCP_PORT", 8080, port, "the port of the TCP echo")
    udp_port: int = setting("UDP_PORT", 8081, port, "the port of the UDP echo")
    http_port: int = setting("HTTP_PORT", 8082, port, "the port of the HTTP echo")
    test_interval: float = setting("TEST_INTERVAL", 30.0, seconds(0.1, 86400), "from one round to the next")
    test_timeout: float = setting("TEST_TIMEOUT", 5.0, seconds(0.001, 3600), "for one probe, name resolution included")
    stamp_port: int = setting("STAMP_PORT", 8062, port, "the port of the STAMP reflector")
    udp_packets: int = setting(
        "UDP_PACKETS", 10, whole(0, 1000), "packets of the train that follows a UDP probe; 0: none"
    )
    latency: str = setting(
        "LATENCY",
        "network",
        one_of("network", "duration"),
        "what a line calls latency: the kernel's RTT or the clock's",
    )
    node_name: str = setting("NODE_NAME", socket.gethostname, name, "the node this prober stands on")
