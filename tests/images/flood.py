"""Floods a prober with connections while another client asks it, and prints figures: run inside a container.

    python flood.py PORT ATTEMPTS SOURCES

PORT gets ATTEMPTS connections from SOURCES addresses of loopback, which send the begin of a request and then nothing.
In between, a client of another address asks the prober's HTTP echo, TCP echo and admin port, as peers and kubelet do.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

TCP, HTTP, ADMIN = 8080, 8082, 9464
BURST = 200  # connections begun at once, before the other client asks
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 15_000  # as much as unfinished headers may hold
OTHER = "127.255.0.1"
ASKED = {
    "http": (HTTP, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 "),
    "tcp": (TCP, b"PING", b"PING"),
    "admin": (ADMIN, b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 "),
}


class Flood:
    """The open connections of the flood."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._open: dict[int, tuple[socket.socket, bool]] = {}  # by descriptor; whether the begin of a request was sent
        self.attempts = self.refused = 0

    def begin(self, port: int, source: str) -> None:
        """Begin one connection without waiting for it."""
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((source, 0))
        sock.connect_ex(("127.0.0.1", port))
        self.attempts += 1
        self._open[sock.fileno()] = sock, False
        self._poll.register(sock, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def look(self) -> None:
        """Send on new connections, close refused ones."""
        for descriptor, event in self._poll.poll(0, maxevents=10_000):
            sock, sent = self._open[descriptor]
            try:
                if event & (select.EPOLLHUP | select.EPOLLERR) or (event & select.EPOLLIN and not sock.recv(1)):
                    raise ConnectionResetError
                if not sent:
                    sock.send(HEAD)
                    self._open[descriptor] = sock, True
            except OSError:
                self._poll.unregister(descriptor)
                del self._open[descriptor]
                sock.close()
                self.refused += 1

    @property
    def held(self) -> int:
        """Return the open connections."""
        return len(self._open)


def ask(port: int, request: bytes, answer: bytes) -> float | None:
    """Return the seconds until the other client has its answer; None without one."""
    begun = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), 5, source_address=(OTHER, 0)) as sock:
            sock.sendall(request)
            return time.monotonic() - begun if sock.recv(4096).startswith(answer) else None
    except OSError:
        return None


def main(port: int, attempts: int, sources: int) -> dict[str, object]:
    """Flood, ask meanwhile, and return the figures."""
    flood = Flood()
    asked: dict[str, list[float | None]] = {name: [] for name in ASKED}
    begun = time.monotonic()
    for number in range(attempts):
        flood.begin(port, f"127.0.{number % sources // 250 + 1}.{number % sources % 250 + 1}")
        if number % BURST == BURST - 1:
            for name, question in ASKED.items():
                asked[name].append(ask(*question))
            flood.look()
    took = time.monotonic() - begun
    until = time.monotonic() + 5
    while time.monotonic() < until and flood.refused < attempts - 1000:
        flood.look()
    figures: dict[str, object] = {"attempts": flood.attempts, "held": flood.held, "seconds": round(took, 2)}
    for name, times in asked.items():
        answered = [seconds for seconds in times if seconds is not None]
        slowest = max(answered, default=0.0)
        figures[name] = {"asked": len(times), "answered": len(answered), "slowest_ms": round(slowest * 1000, 1)}
    return figures


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:]))))
