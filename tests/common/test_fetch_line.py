"""A connection that stays open between requests."""

from __future__ import annotations

import contextlib
import gc
import socket
from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event
from gevent.server import StreamServer

from smoker_common.fetch import Fetched, FetchError, Line
from smoker_common.http_answer import Answer
from smoker_common.listen import tcp_listener

HOST, PATH = "127.0.0.1", "/api"
PLENTY, SHORT = 30.0, 0.2  # seconds
LIMIT = 10_000
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Peer:
    """Answers the requests of a connection, and closes it after `most` of them."""

    def __init__(self, most: int = 1000) -> None:
        self.most, self.connections, self.requests = most, 0, 0
        self.raw, self.mute = ANSWER, False
        self.ended = Event()
        self.listener = tcp_listener(HOST, 0)
        self.port = self.listener.getsockname()[1]
        self.server = StreamServer(self.listener, self._serve)
        self.server.start()

    def _serve(self, sock: socket.socket, _address: object) -> None:
        self.connections += 1
        with sock, contextlib.suppress(OSError):
            for _ in range(self.most):
                if not sock.recv(65_536):
                    return
                self.requests += 1
                if self.mute:
                    self.ended.wait()
                sock.sendall(self.raw)


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A peer that keeps its connections open."""
    made = Peer()
    yield made
    made.ended.set()
    made.server.stop(timeout=0)


@pytest.fixture
def line(peer: Peer) -> Iterator[Line]:
    """A line to the peer."""
    made = Line(HOST, peer.port)
    yield made
    made.close()


def ask(line: Line, seconds: float = PLENTY) -> Fetched:
    return line.fetch_news(PATH, tag="", seconds=seconds, limit=LIMIT)


def test_one_connection_for_many_requests(peer: Peer, line: Line) -> None:
    """All requests to a peer that keeps the connection use one connection."""
    assert [ask(line).body for _ in range(5)] == [b"{}"] * 5
    assert (peer.connections, peer.requests) == (1, 5)


def test_a_connection_that_the_peer_closed_is_replaced(peer: Peer, line: Line) -> None:
    """A request on a connection that the peer has closed opens a new one and succeeds."""
    peer.most = 2
    assert [ask(line).body for _ in range(5)] == [b"{}"] * 5
    assert peer.connections == 3


@pytest.mark.parametrize(
    "raw",
    [
        ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        ANSWER + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
        ANSWER + b"\0",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["Connection: close", "a second answer", "an extra byte", "HTTP/1.0"],
)
def test_a_connection_that_cannot_be_reused_is_replaced(peer: Peer, line: Line, raw: bytes) -> None:
    """After extra bytes the next request opens a new connection, so that they are not taken for its answer."""
    peer.raw = raw
    assert ask(line).body == b"{}"
    peer.raw = ANSWER
    assert ask(line).body == b"{}"
    assert peer.connections == 2


def test_after_a_failure_the_connection_is_new(peer: Peer, line: Line) -> None:
    """After a failure the connection is new, so a late answer is not taken for the answer to the next request."""
    ask(line)
    peer.mute = True
    with pytest.raises(FetchError) as caught:
        ask(line, SHORT)
    assert not caught.value.answered
    peer.mute = False
    assert ask(line).body == b"{}"
    assert peer.connections == 2


def test_a_request_fails_if_the_kept_connection_closes(peer: Peer, line: Line) -> None:
    """If the line is closed during a request, the request fails at once and opens no second connection."""
    peer.mute = True
    with contextlib.closing(line):
        asking = gevent.spawn(ask, line)
        while not peer.requests:
            gevent.sleep(0.001)
    with pytest.raises(FetchError):
        asking.get(timeout=PLENTY)
    assert peer.connections == 1


def test_an_answer_is_freed_at_once(peer: Peer, line: Line) -> None:
    """Nothing of an answer waits for the garbage collector: with thousands of probers it would be their bodies."""
    gc.collect()
    gc.disable()
    try:
        before = answers()  # of other tests, whose exceptions hold them
        line.fetch_news(PATH, tag="", seconds=PLENTY, limit=LIMIT)
        assert answers() == before
    finally:
        gc.enable()


def answers() -> int:
    """Return how many answers there are in memory."""
    return sum(isinstance(each, Answer) for each in gc.get_objects())
