"""The API with clients that ask too much: it stays bounded, and others get their answers."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from smoker_common.listen import tcp_listener
from smoker_hub.web import api, stream
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from tests.conftest import eventually
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.stand_ins import HOST, ManualClock, hub_of, probers

OTHER = "127.0.0.2"  # the address of a client that behaves


@contextlib.contextmanager
def served() -> Iterator[tuple[Stream, int]]:
    """A hub with ten nodes, its stream and its port."""
    with probers(Cluster(nodes(10)).states()) as found:
        hub = hub_of(found, ManualClock())
        hub.look()
        events = Stream(hub)
        hub.follow(events.tell, events.look)
        listener = tcp_listener("", 0)
        server = api.Server(listener, Sources(hub=hub, stream=events))
        server.start()
        try:
            yield events, listener.getsockname()[1]
        finally:
            server.close()
            server.drain(0.0)


def ask(port: int, path: bytes, source: str = OTHER, more: bytes = b"") -> bytes:
    """Return everything that comes back; empty if the connection was refused."""
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection((HOST, port), timeout=20, source_address=(source, 0)) as sock,
    ):
        sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + more + b"\r\n")
        return b"".join(iter(lambda: sock.recv(65536), b""))
    return b""


def answers(port: int) -> bool:
    """Return whether a normal client gets an answer."""
    head, _, body = ask(port, b"/api/v1/summary").partition(b"\r\n\r\n")
    return head.startswith(b"HTTP/1.1 200 ") and json.loads(body)["state"] == "healthy"


def test_a_thousand_streams() -> None:
    """A hundred streams are served, some get a 503, the rest of one address is reset.

    Another address is answered meanwhile.
    """
    got: Counter[bytes] = Counter()
    with served() as (events, port), contextlib.ExitStack() as opened:
        for _ in range(1000):
            sock = opened.enter_context(socket.create_connection((HOST, port), timeout=20))
            with contextlib.suppress(ConnectionError):
                sock.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: a\r\n\r\n")
                got[sock.recv(12)] += 1
        assert got[b"HTTP/1.1 200"] == stream.MOST
        assert sum(got.values()) - got[b""] <= api.MOST_OF_CLIENT
        assert set(got) <= {b"HTTP/1.1 200", b"HTTP/1.1 503", b""}
        assert events.clients == stream.MOST
        assert answers(port)
        for _ in range(3):
            events.look([])
        assert events.clients == stream.MOST
    assert got[b"HTTP/1.1 503"] > 0


@pytest.mark.parametrize(
    ("path", "more", "statuses"),
    [
        (b"/api/v1/matrix?from=" + b"x" * 10_000_000, b"", {b"414", b"431", b""}),
        (b"/api/v1/matrix?from=" + b"x" * 20_000, b"", {b"400", b"414", b"431"}),
        (b"/api/v1/" + b"../" * 1000 + b"etc/passwd", b"", {b"404"}),
        (b"/api/v1/findings/..%2f..%2fetc%2fpasswd", b"", {b"400"}),
        (b"/static/" + b"..%2f" * 20 + b"etc/passwd", b"", {b"404"}),
        (b"/api/v1/summary", b"Content-Length: 10000000000\r\n", {b"413"}),
        (b"/api/v1/summary", b"Transfer-Encoding: chunked\r\n", {b"413"}),
        (b"/api/v1/nodes/" + b"%00" * 100, b"", {b"404"}),
        (b"/api/v1/summary", b"X: " + b"y" * 1_000_000 + b"\r\n", {b"431", b""}),
    ],
    ids=[
        "query of 10 MB",
        "query of 20 kB",
        "dots",
        "dots in a part",
        "dots in files",
        "body",
        "chunks",
        "nul",
        "header",
    ],
)
def test_oversized_requests_are_refused(path: bytes, more: bytes, statuses: set[bytes]) -> None:
    """Too much is refused with a status or by closing, and the next client is served."""
    with served() as (_, port):
        assert ask(port, path, HOST, more)[9:12] in statuses
        assert answers(port)


def test_a_client_that_reads_nothing_is_cut() -> None:
    """A stream whose reader has stopped is dropped when its events pile up, and others continue."""
    with served() as (events, port), contextlib.ExitStack() as opened:
        deaf = opened.enter_context(socket.socket())
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((HOST, port))
        deaf.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually("it is a client", lambda: events.clients == 1)
        until = time.monotonic() + 20

        def dropped() -> bool:
            for _ in range(20):
                events.look([])
            assert time.monotonic() < until
            return events.clients == 0

        eventually("it is dropped", dropped)
        assert answers(port)
