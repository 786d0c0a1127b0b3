"""The settings of the prober."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from smoker_common.settings import ServiceSettings, name, port, seconds, setting


@dataclass(frozen=True)
class Settings(ServiceSettings):
    """What the prober reads beside what every service reads."""

    server_host: str = setting("SERVER_HOST", "smoker-server", name, "the host of the echo services")
    tcp_port: int = setting("TCP_PORT", 8080, port, "the port of the TCP echo")
    udp_port: int = setting("UDP_PORT", 8081, port, "the port of the UDP echo")
    http_port: int = setting("HTTP_PORT", 8082, port, "the port of the HTTP echo")
    test_interval: float = setting("TEST_INTERVAL", 30.0, seconds(0.1, 86400), "from one round to the next")
    test_timeout: float = setting("TEST_TIMEOUT", 5.0, seconds(0.001, 3600), "for one probe, name resolution included")
    node_name: str = setting("NODE_NAME", socket.gethostname, name, "the node this prober stands on")
