"""The limits on connections, tested with the echoes that have them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from loguru import logger

from smoker_common import admission
from smoker_common.admission import Admission
from smoker_common.listen import tcp_listener
from smoker_echo.http import HttpEcho
from smoker_echo.tcp import TcpEcho
from tests.conftest import Start, eventually
from tests.metrics_page import values

Echo = TcpEcho | HttpEcho
Make = Callable[..., Echo]
ASKED = {TcpEcho: b"PING", HttpEcho: b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"}
ANSWER = {TcpEcho: b"PING", HttpEcho: b"OK"}
KINDS = pytest.mark.parametrize("kind", [TcpEcho, HttpEcho])


@pytest.fixture
def make() -> Iterator[Make]:
    """`make(kind, most, most_of_client, host)` returns a running echo."""
    made: list[Echo] = []

    def one(kind: type[Echo], most: int, most_of_client: int, host: str = "127.0.0.1", **options: Any) -> Echo:
        server = kind(tcp_listener(host, 0), admission=Admission(most, most_of_client), **options)
        made.append(server)
        server.start()
        return server

    yield one
    for server in made:
        server.close()
        server.drain(0)


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Return the log lines so far."""
    found: list[str] = []
    sink = logger.add(lambda message: found.append(str(message)), format="{level} {message} {extra}")
    yield found
    logger.remove(sink)


def connect(server: Echo, source: str = "", host: str = "127.0.0.1") -> socket.socket:
    """Return a client's connection from `source`."""
    return socket.create_connection((host, server.server_port), 10, source_address=(source, 0) if source else None)


def answered(where: Any, source: str) -> bool:
    """Return whether a new connection from `source` is answered."""
    try:
        with socket.create_connection(where, 10, source_address=(source, 0)) as sock:
            sock.sendall(ASKED[HttpEcho])
            return bool(sock.recv(1000))
    except ConnectionError:
        return False


def served(sock: socket.socket, kind: type[Echo]) -> bool:
    """Return whether the connection is answered."""
    try:
        sock.sendall(ASKED[kind])
        answer = sock.recv(4096)
    except ConnectionError:
        return False
    assert answer == b"" or answer.endswith(ANSWER[kind])
    return bool(answer)


@KINDS
def test_the_newest_beyond_the_limit_is_closed(make: Make, kind: type[Echo]) -> None:
    """Beyond the limit new connections are closed and counted as refused, and open ones go on.

    When one ends, another may come.
    """
    server = make(kind, 3, 3)
    with contextlib.ExitStack() as stack:
        first = [stack.enter_context(connect(server)) for _ in range(3)]
        assert all(served(sock, kind) for sock in first)
        for number in range(1, 4):
            assert not answered(server.address, "127.0.0.1")
            assert server.counts.refused == {"max_connections": number}
        assert all(served(sock, kind) for sock in first)
        assert (server.counts.connections, server.counts.open, server.admission.open) == (3, 3, 3)
        first[1].close()
        eventually("it has left", lambda: server.admission.open == 2)
        with connect(server) as another:
            assert served(another, kind)
    eventually("all have left", lambda: server.admission.open == 0)
    assert server.admission._clients == {}


@KINDS
@pytest.mark.parametrize("listen", ["127.0.0.1", ""])
def test_one_client_cannot_take_all(make: Make, kind: type[Echo], listen: str) -> None:
    """An address beyond its limit is refused and another one is served, also on a dual-stack socket."""
    server = make(kind, 10, 2, listen)
    with contextlib.ExitStack() as stack:
        mine = [stack.enter_context(connect(server, "127.0.0.1")) for _ in range(2)]
        assert all(served(sock, kind) for sock in mine)
        assert not answered(("127.0.0.1", server.server_port), "127.0.0.1")
        assert server.counts.refused == {"max_connections_per_client": 1}
        with connect(server, "127.0.0.99") as other:
            assert served(other, kind)
        if not listen:
            with connect(server, host="::1") as other:
                assert served(other, kind)


@pytest.mark.parametrize(
    "end",
    [b"", b"nonsense\r\n\r\n", b"GET / HT", b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"],
)
def test_every_closed_connection_is_uncounted(make: Make, end: bytes) -> None:
    """A connection is no longer counted after any end.

    It may be closed at once, refused, cut inside the headers, or closed by the server.
    """
    server = make(HttpEcho, 5, 5, timeout=0.2)
    for _ in range(12):
        with connect(server) as sock:
            sock.sendall(end)
        eventually("it has left", lambda: server.admission.open == 0)
    assert server.counts.refused["max_connections"] == 0


def test_a_silent_connection_is_uncounted(make: Make) -> None:
    """A client that sends nothing is disconnected at its deadline and makes room."""
    server = make(TcpEcho, 1, 1, idle_timeout=0.1)
    with connect(server) as silent:
        assert silent.recv(1) == b""
        eventually("it has left", lambda: server.admission.open == 0)


@KINDS
def test_a_flood_is_logged_once_a_second(
    make: Make, kind: type[Echo], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most one line per second names the limit, the client, and the number of refusals since the last line."""
    now = 1000.0
    monkeypatch.setattr("smoker_common.admission.time.monotonic", lambda: now)
    server = make(kind, 1, 1)
    with connect(server) as open_one:
        assert served(open_one, kind)

        def flood() -> None:
            for _ in range(20):
                assert not answered(server.address, "127.0.0.1")

        flood()
        assert len(lines) == 1
        now += admission.LINE
        flood()
    assert len(lines) == 2
    assert "too many connections" in lines[1]
    assert "'reason': 'max_connections'" in lines[1]
    assert "'refused': 20" in lines[1]  # 19 of the first flood, one of the second


@pytest.mark.parametrize(("program", "variable"), [("smoker-tcp-echo", "TCP_PORT"), ("smoker-http-echo", "HTTP_PORT")])
def test_the_admin_port_has_limits_of_its_own(start: Start, program: str, variable: str) -> None:
    """While all connections of the echo are used, kubelet and Prometheus are answered and see the refusals."""
    process = start(program, **{variable: 0}, MAX_CONNECTIONS=3, MAX_CONNECTIONS_PER_CLIENT=2)
    where = ("127.0.0.1", process.ports[variable])
    with contextlib.ExitStack() as stack:
        for source in ("127.0.0.1", "127.0.0.1", "127.0.0.2"):
            sock = stack.enter_context(socket.create_connection(where, 10, source_address=(source, 0)))
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert sock.recv(1000)
        for source in ("127.0.0.1", "127.0.0.3"):
            assert not answered(where, source)
        assert process.get("/livez")[0] == process.get("/readyz")[0] == 200
        page = values(process.get("/metrics")[1])
    protocol = variable.partition("_")[0].lower()
    name = f'smoker_echo_refused_total{{protocol="{protocol}",reason="%s"}}'
    assert page[name % "max_connections"] + page[name % "max_connections_per_client"] == 2
    assert page['smoker_admin_refused_total{reason="max_connections_per_client"}'] == 0


def test_the_admin_port_closes_connections_beyond_its_limit(start: Start) -> None:
    """One address may have 64 connections to the admin port.

    Another address is still answered, and refusals are counted.
    """
    process = start("smoker-tcp-echo", TCP_PORT=0)
    where = ("127.0.0.1", process.ports["ADMIN_PORT"])
    with contextlib.ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(socket.create_connection(where, 10, source_address=("127.0.0.9", 0)))
        assert [answered(where, "127.0.0.9") for _ in range(10)] == [False] * 10
        page = values(process.get("/metrics")[1])
    assert page['smoker_admin_refused_total{reason="max_connections_per_client"}'] == 10
