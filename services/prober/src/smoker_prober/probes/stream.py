"""All of a piece of data over a nonblocking socket, with or without TLS, within the deadline."""

from __future__ import annotations

import socket
import ssl

from smoker_prober.network.deadline import Deadline

PIECE = 16 * 1024  # bytes of a read


def send(sock: socket.socket, data: bytes, deadline: Deadline) -> None:
    """Send all of `data` over a nonblocking socket. Raises `DeadlineExceeded`, `OSError`."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[sock.send(rest) :]
        except (BlockingIOError, ssl.SSLWantWriteError):
            deadline.writable(sock)
        except ssl.SSLWantReadError:
            deadline.readable(sock)


def receive(sock: socket.socket, deadline: Deadline, most: int = PIECE) -> bytes:
    """Return bytes as soon as some have arrived, or b"" at the end. Raises `DeadlineExceeded`, `OSError`."""
    deadline.check()
    while True:
        try:
            return sock.recv(most)
        except (BlockingIOError, ssl.SSLWantReadError):
            deadline.readable(sock)
        except ssl.SSLWantWriteError:
            deadline.writable(sock)
