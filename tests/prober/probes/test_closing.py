"""A probe closes its socket when it ends, however it ends, and not when the garbage collector runs."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Iterator

import pytest

from smoker_prober.probes.http import MAX_BODY
from tests.conftest import eventually
from tests.prober.targets import PLENTY, SHORT, Serve, probe

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize(
    ("kind", "answer", "outcome"),
    [
        ("tcp", b"PING", "success"),
        ("tcp", b"PONG", "bad_reply"),
        ("tcp", b"", "timeout"),
        ("tcp", b"PI", "timeout"),
        ("http", OK + b"Content-Length: 2\r\n\r\nOK", "success"),
        ("http", b"HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\nno", "bad_reply"),
        ("http", b"SSH-2.0-OpenSSH\r\n", "bad_reply"),
        ("http", OK + b"Content-Length: 1, 2\r\n\r\nOK", "bad_reply"),
        ("http", OK + b"\r\n" + b"x" * (MAX_BODY + 1), "bad_reply"),
        ("http", OK + b"A: b\r\n" * 257, "bad_reply"),
        ("http", b"", "timeout"),
        ("http", OK, "timeout"),
        ("http", OK + b"Content-Length: 10\r\n\r\nOK", "timeout"),
        ("http", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "timeout"),
    ],
)
def test_a_finished_probe_has_closed_its_sockets(
    listen: Callable[[Serve], int], kind: str, answer: bytes, outcome: str
) -> None:
    """The target sees the end of a connection that it keeps open itself, without a garbage collection of ours."""
    closed: list[str] = []

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(answer)
        try:
            while sock.recv(4096):
                pass
        except ConnectionResetError:  # what the prober had not read when it closed
            pass
        closed.append("closed")

    result = probe(kind, listen(serve), timeout=SHORT if outcome == "timeout" else PLENTY)
    assert result.outcome == outcome
    eventually("the prober has closed its connection", lambda: closed, seconds=5)
