"""The command `smoker-tcp-echo`."""

from gevent import monkey

monkey.patch_all()

import sys
from typing import Any

from smoker_common.listen import endpoint
from smoker_common.log import RequestLog
from smoker_common.service import Sockets, main
from smoker_echo.tcp import TcpEcho
from smoker_tcp_echo.settings import Settings


def build(settings: Settings, sockets: Sockets) -> TcpEcho:
    """The server, logging each connection when it ends."""
    log = RequestLog("connections", settings.log_rate)

    def observe(client: tuple[Any, ...], received: int, sent: int, cause: str) -> None:
        log("connection closed", received, sent, cause, lambda: {"client": endpoint(client)})

    return TcpEcho(sockets["tcp_port"][0], observer=observe, idle_timeout=settings.idle_timeout)


def command() -> int:
    """Run it."""
    return main("smoker-tcp-echo", "Answers every byte on a TCP port with itself.", Settings, build)


if __name__ == "__main__":
    sys.exit(command())
