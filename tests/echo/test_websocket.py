"""The WebSocket at /ws of the HTTP echo, tested with the client of the library websockets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import gevent
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from smoker_common.listen import tcp_listener
from smoker_echo.http import HttpEcho
from smoker_prober.probes import run
from smoker_prober.probes.websocket import Options
from smoker_prober.result import Outcome
from smoker_prober.target import Target, service_path
from tests.conftest import eventually

HOST, PLENTY = "127.0.0.1", 30.0
MOST = 100_000  # bytes of a message


@pytest.fixture
def echo() -> Iterator[HttpEcho]:
    server = HttpEcho(tcp_listener(HOST, 0), max_body=MOST)
    server.start()
    yield server
    server.close()
    server.drain(0)


def port_of(echo: HttpEcho) -> int:
    return int(echo.socket.getsockname()[1])


@contextlib.contextmanager
def client(echo: HttpEcho, path: str = "/ws") -> Iterator[ClientConnection]:
    url = f"ws://{HOST}:{port_of(echo)}{path}"
    with connect(url, proxy=None, open_timeout=PLENTY, close_timeout=PLENTY, max_size=None) as ws:
        yield ws


@pytest.mark.parametrize("message", ["PING", "", "bücher\N{SNOWMAN}", b"\x00\xff", b"x" * MOST], ids=repr)
def test_every_message_comes_back(echo: HttpEcho, message: str | bytes) -> None:
    """A text or bytes of any length comes back, twice on one connection, and is counted like a request."""
    with client(echo, "/ws?x=1") as ws:
        for _ in range(2):
            ws.send(message)
            assert ws.recv(PLENTY) == message
        assert ws.ping().wait(PLENTY)
    eventually("it is counted", lambda: echo.counts.requests == 1)
    assert echo.counts.received >= 2 * len(message)


def test_the_websocket_probe(echo: HttpEcho) -> None:
    """A ping, a text and a subprotocol are each answered."""
    for options in (Options("/ws"), Options("/ws", message="text"), Options("/ws", subprotocol="v2.chat")):
        port = port_of(echo)
        result = run(Target("websocket", HOST, port, service_path(HOST, port), options), "node-1", PLENTY)
        assert (result.outcome, result.error) == (Outcome.SUCCESS, "")


def test_a_message_that_is_too_long(echo: HttpEcho) -> None:
    """A message that is too long is refused with 1009 before all of it has come."""
    with client(echo) as ws:
        ws.send([b"x" * MOST, b"y"])
        with pytest.raises(ConnectionClosed):
            ws.recv(PLENTY)
    assert ws.close_code == 1009


def test_a_server_that_stops(echo: HttpEcho) -> None:
    """A server that stops closes each connection with code 1001, and none has to be cut."""
    with client(echo) as ws:
        ws.send("PING")
        assert ws.recv(PLENTY) == "PING"
        echo.close()
        with pytest.raises(ConnectionClosed):
            ws.recv(PLENTY)
        assert ws.close_code == 1001
        assert echo.drain(PLENTY) == 0


def test_a_client_that_says_nothing() -> None:
    """A silent client is disconnected after the time limit of a request."""
    echo = HttpEcho(tcp_listener(HOST, 0), timeout=0.1)
    echo.start()
    try:
        with client(echo) as ws, pytest.raises(ConnectionClosed):
            ws.recv(PLENTY)
    finally:
        echo.close()
        echo.drain(0)


def said(echo: HttpEcho, request: bytes) -> bytes:
    with socket.create_connection((HOST, port_of(echo)), PLENTY) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        found = b""
        while data := sock.recv(65_536):
            found += data
        return found


HEAD = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


def test_an_invalid_websocket_request_is_refused(echo: HttpEcho) -> None:
    """A plain request gets a 426, one without a key a 400, and on other paths an offer is ignored as before."""
    assert said(echo, b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    assert said(echo, HEAD % b"/ws" + b"\r\n").startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert said(echo, HEAD % b"/" + KEY + b"\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
    assert said(echo, HEAD % b"/ws" + KEY + b"\r\n").startswith(b"HTTP/1.1 101 ")
    with pytest.raises(InvalidStatus), client(echo, "/elsewhere"):
        pass


def test_spaces_around_a_value(echo: HttpEcho) -> None:
    """They do not belong to it (RFC 9110 section 5.5)."""
    request = (HEAD % b"/ws" + KEY + b"\r\n").replace(b"Host: x", b"Host:  x \t")
    assert said(echo, request).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("header", [b"Sec-WebSocket-Extensions: \xff\r\n", b"Sec-WebSocket-Protocol: \xe9\r\n"])
def test_headers_that_are_not_ascii(echo: HttpEcho, header: bytes) -> None:
    """They are the client's mistake, answered 400: wsproto cannot read them."""
    assert said(echo, HEAD % b"/ws" + KEY + header + b"\r\n").startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_host_that_is_no_name(echo: HttpEcho) -> None:
    """A host in a broken punycode is the client's mistake, answered 400: wsproto cannot read it."""
    request = (HEAD % b"/ws" + KEY + b"\r\n").replace(b"Host: x", b"Host: xn--0")
    assert said(echo, request).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40), st.binary(max_size=40).map(lambda b: bytes([0x81, 0x80 | len(b)]) + b"\0\0\0\0" + b)
        ),
        max_size=5,
    )
)
def test_any_frames_are_answered_or_refused(echo: HttpEcho, frames: list[bytes]) -> None:
    """Random frames end the connection, and the next client is served."""
    assert said(echo, HEAD % b"/ws" + KEY + b"\r\n" + b"".join(frames)).startswith(b"HTTP/1.1 101 ")
    assert not [handler for handler in echo.connections.each() if handler.error.startswith("Type")]
    gevent.sleep(0)
