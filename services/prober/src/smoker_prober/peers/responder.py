"""The servers that answer peers: the same echo servers and reflector that the echo services run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry

from smoker_common.admission import Admission
from smoker_common.service import Sockets
from smoker_common.work import Work
from smoker_echo.answer_rate import AnswerRate
from smoker_echo.datagram import ECHO_PORT
from smoker_echo.http import IN_MEMORY, HttpEcho
from smoker_echo.metrics import EchoMetrics
from smoker_echo.stamp import StampReflector
from smoker_echo.tcp import TcpEcho
from smoker_echo.udp import UdpEcho
from smoker_prober.peers.direction import Arrivals
from smoker_prober.process import Process
from smoker_prober.settings import Settings

Server = TcpEcho | UdpEcho | StampReflector | HttpEcho
MAX_HELD = 4 * 1024 * 1024  # bytes of all bodies together; each fits in memory, for a prober has no place for files


def never_answered(settings: Settings) -> set[int]:
    """Return the source ports whose datagrams are not answered: an echo there would answer the answer, without end."""
    process, service = settings.process, settings.plan.service.ports
    return {ECHO_PORT, process.peer_udp_port, process.peer_stamp_port, service.udp, service.stamp, *process.echo_ports}


def servers(
    process: Process, sockets: Sockets, registry: CollectorRegistry, never: set[int], arrivals: Arrivals
) -> list[Work]:
    """Return a server for each socket of a peer port, and register their metrics. None if no such port is set.

    Ports that are added to `never` later count, too. `arrivals` records the senders of answered datagrams.
    """
    echoed, reflected = AnswerRate(process.answer_rate), AnswerRate(process.answer_rate)

    def observer(client: tuple[Any, ...], _received: int, _sent: int, cause: str) -> None:
        if not cause:
            arrivals.answered(client[0])

    over_tcp, over_http = (
        Admission(process.max_connections, process.max_connections_per_client) for _ in ("tcp", "http")
    )
    made: dict[str, Sequence[Server]] = {
        "tcp": [TcpEcho(sock, admission=over_tcp) for sock in sockets.get("peer_tcp_port", ())],
        "udp": [
            UdpEcho(sock, observer=observer, never=never, rate=echoed) for sock in sockets.get("peer_udp_port", ())
        ],
        "stamp": [StampReflector(sock, never=never, rate=reflected) for sock in sockets.get("peer_stamp_port", ())],
        "http": [
            HttpEcho(sock, max_body=IN_MEMORY, max_spooled=MAX_HELD, admission=over_http)
            for sock in sockets.get("peer_http_port", ())
        ],
    }
    if any(made.values()):
        registry.register(EchoMetrics({protocol: each for protocol, each in made.items() if each}))
    return [server for each in made.values() for server in each]
