"""The command `smoker-tcp-echo`."""

import sys

from gevent import monkey

sys.modules["ssl"] = None  # type: ignore[assignment]  # asyncio, which loguru loads, does without its 4 MiB
monkey.patch_all(ssl=False, subprocess=False)

from smoker_common.log import RequestLog
from smoker_common.service import Sockets, main
from smoker_echo.tcp import TcpEcho
from smoker_tcp_echo.settings import Settings


def build(settings: Settings, sockets: Sockets) -> TcpEcho:
    """The server, logging each connection when it ends."""
    log = RequestLog("connection closed", "connections", settings.log_rate)
    return TcpEcho(sockets["tcp_port"][0], observer=log, idle_timeout=settings.idle_timeout)


def command() -> int:
    """Run it."""
    return main("smoker-tcp-echo", "Answers every byte on a TCP port with itself.", Settings, build)


if __name__ == "__main__":
    sys.exit(command())
