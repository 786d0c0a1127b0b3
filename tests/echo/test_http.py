"""The answers of the HTTP echo."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from smoker_common.listen import tcp_listener
from smoker_echo.http import IN_MEMORY, HttpEcho
from tests.conftest import Start, eventually

LIMIT = 200_000  # bytes of a body, for these tests
Ask = Callable[..., tuple[int, dict[str, str], bytes]]


@pytest.fixture
def echo() -> Iterator[HttpEcho]:
    """A running echo."""
    server = HttpEcho(tcp_listener("127.0.0.1", 0), max_body=LIMIT, timeout=5)
    server.start()
    yield server
    server.close()
    server.drain(0)


@pytest.fixture
def ask(echo: HttpEcho) -> Ask:
    """Send a request. Return status, headers and body."""

    def one(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", echo.server_port, timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named, encode_chunked=named.get("Transfer-Encoding") == "chunked")
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), data

    return one


def test_get_is_ok(ask: Ask) -> None:
    """GET gets 200 and `OK`, with or without a query."""
    assert ask("GET", "/")[::2] == (200, b"OK")
    assert ask("GET", "/?x=1")[::2] == (200, b"OK")


def test_head_is_get_without_the_body(ask: Ask) -> None:
    """HEAD gets the headers of GET and no body."""
    status, headers, body = ask("HEAD", "/")
    assert (status, headers["Content-Length"], body) == (200, "2", b"")


def test_health(ask: Ask) -> None:
    """GET /health answers 200."""
    assert ask("GET", "/health")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("size", [0, 1, IN_MEMORY, IN_MEMORY + 1, LIMIT])
def test_a_body_comes_back_byte_for_byte(ask: Ask, method: str, size: int) -> None:
    """A body of any size up to the limit comes back with its own Content-Type."""
    body = os.urandom(size)
    status, headers, answer = ask(method, "/", body, Content_Type="application/x-thing; v=1")
    assert (status, answer) == (200, body)
    assert headers["Content-Type"] == "application/x-thing; v=1"
    assert headers["Content-Length"] == str(size)


def test_a_chunked_body_comes_back_too(ask: Ask) -> None:
    """A body in chunks of any size comes back in one piece."""
    parts = [os.urandom(n) for n in (1, 5000, 70_000, 3)]
    status, _, answer = ask("POST", "/", iter(parts), Transfer_Encoding="chunked")
    assert (status, answer) == (200, b"".join(parts))


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413(ask: Ask, chunked: bool) -> None:
    """A body over the limit gets a 413, with or without a declared length, even if the client sends all of it first."""
    body = os.urandom(LIMIT + 1)
    if chunked:
        assert ask("POST", "/", iter([body]), Transfer_Encoding="chunked")[0] == 413
    else:
        assert ask("POST", "/", body)[0] == 413


@pytest.mark.parametrize("path", ["/x", "/health/", "//", "/%2e", "*"])
def test_anything_else_is_404(ask: Ask, path: str) -> None:
    """Other paths get a 404."""
    assert ask("GET", path)[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("DELETE", "/", "GET, HEAD, POST, PUT"), ("POST", "/health", "GET, HEAD"), ("BREW", "/", "GET, HEAD, POST, PUT")],
)
def test_another_method_is_405_with_allow(ask: Ask, method: str, path: str, allow: str) -> None:
    """Another method gets a 405 with the allowed ones (RFC 9110 section 15.5.6)."""
    status, headers, _ = ask(method, path)
    assert (status, headers["Allow"]) == (405, allow)


def test_a_keep_alive_connection_continues_after_a_body(echo: HttpEcho) -> None:
    """One connection serves POST, GET and POST."""
    connection = http.client.HTTPConnection("127.0.0.1", echo.server_port, timeout=10)
    for method, body, answer in (("POST", b"a" * 100_000, None), ("GET", None, b"OK"), ("POST", b"b", None)):
        connection.request(method, "/", body)
        assert connection.getresponse().read() == (answer or body)
    connection.close()


def test_all_bodies_together_have_a_limit(echo: HttpEcho, ask: Ask) -> None:
    """While one client's body uses all the room, the next gets a 503; afterwards there is room again."""
    echo.max_spooled = 1000
    with socket.create_connection(("127.0.0.1", echo.server_port), timeout=10) as first:
        first.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n" + b"x" * 899)
        eventually("it is held", lambda: echo.spooled == 899)
        status, headers, _ = ask("POST", "/", b"y" * 200)
        assert (status, headers["Retry-After"]) == (503, "1")
        first.sendall(b"x")
        assert first.recv(2000).startswith(b"HTTP/1.1 200 OK")
    eventually("there is room again", lambda: echo.spooled == 0)
    assert ask("POST", "/", b"y" * 200)[0] == 200


def test_large_bodies_of_many_clients_hold_little_memory(start: Start) -> None:
    """18 clients in the middle of 10 MiB each use much less resident memory than 180 MiB."""
    served = start("smoker-http-echo", HTTP_PORT=0)
    before = resident(served.popen.pid)
    size, clients = 10 * 1024 * 1024, []
    try:
        for _ in range(18):
            sock = socket.create_connection(("127.0.0.1", served.ports["HTTP_PORT"]), timeout=20)
            clients.append(sock)
            sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        gevent.joinall([gevent.spawn(sock.sendall, b"x" * (size - 1)) for sock in clients], raise_error=True)
        assert resident(served.popen.pid) - before < 30, "MiB more than at rest"
        for sock in clients:
            sock.sendall(b"y")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK")
    finally:
        for sock in clients:
            sock.close()


def resident(pid: int) -> float:
    """Return the resident MiB of a process."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
