"""The command `smoker-udp-echo`."""

import sys

from gevent import monkey

sys.modules["ssl"] = None  # type: ignore[assignment]  # asyncio, which loguru loads, does without its 4 MiB
monkey.patch_all(ssl=False, subprocess=False)

from smoker_common.log import RequestLog
from smoker_common.service import Sockets, main
from smoker_common.work import Together
from smoker_echo.udp import UdpEcho
from smoker_udp_echo.settings import Settings


def build(settings: Settings, sockets: Sockets) -> Together:
    """A server a family, logging each datagram."""
    log = RequestLog("datagram", "datagrams", settings.log_rate)
    return Together([UdpEcho(sock, observer=log) for sock in sockets["udp_port"]])


def command() -> int:
    """Run it."""
    return main("smoker-udp-echo", "Answers every datagram on a UDP port with itself.", Settings, build)


if __name__ == "__main__":
    sys.exit(command())
