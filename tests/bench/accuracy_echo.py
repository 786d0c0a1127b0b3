"""Run the far end of the accuracy bench: the echo services and the STAMP reflector in one process, until stdin ends."""

from gevent import monkey

monkey.patch_all()

import socket
import sys

from gevent.socket import wait_read

from smoker_echo.stamp import StampReflector
from smoker_echo.tcp import TcpEcho
from smoker_echo.udp import UdpEcho

from .accuracy_job import PORTS

SO_RCVBUFFORCE = 33  # asm-generic/socket.h
QUEUE = 4 * 1024 * 1024  # bytes: a burst waits, it is not lost


def main() -> int:
    """Serve until stdin ends."""
    listener = socket.create_server(("0.0.0.0", PORTS["tcp"]), backlog=2048)
    TcpEcho(listener).start()
    for port, service in ((PORTS["udp"], UdpEcho), (PORTS["train"], StampReflector)):
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, QUEUE)
        sock.bind(("0.0.0.0", port))
        sock.setblocking(False)
        service(sock).start()
    print("ready", flush=True)
    wait_read(sys.stdin.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
