"""One POST: its deadline, its size limit, and its trust."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import gevent
import pytest
from gevent.server import StreamServer

from smoker_common.listen import tcp_listener
from smoker_hub.post import MOST_WAIT, PostError, retry_after, send
from smoker_hub.tls import bad_ca
from tests.hub.stand_ins import HOST

CERTIFICATE = Path(__file__).resolve().parents[1] / "prober" / "probes" / "certificate.pem"  # of 127.0.0.1, and its key
Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def listening(serve: Serve) -> Iterator[str]:
    """Yield HOST:PORT of a listener.

    It calls `serve` for each connection once the first bytes of the request are there.
    """

    def one(sock: socket.socket, _address: object) -> None:
        with sock, contextlib.suppress(OSError):
            serve(sock)

    listener = tcp_listener(HOST, 0)
    server = StreamServer(listener, one)
    server.start()
    try:
        yield f"{HOST}:{listener.getsockname()[1]}"
    finally:
        server.stop(timeout=0)


def taking(sock: socket.socket) -> None:
    """Answer 204 to a request."""
    sock.recv(65_536)
    sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def secured(sock: socket.socket) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with context.wrap_socket(sock, server_side=True) as tls:
        taking(tls)


def test_a_certificate_is_verified() -> None:
    """A certificate is accepted only if its CA is in the file and the host is its own."""
    with listening(secured) as there:
        with pytest.raises(PostError, match="certificate not trusted: "):
            send(f"https://{there}/", b"{}", {}, seconds=10.0, limit=100)
        assert send(f"https://{there}/", b"{}", {}, seconds=10.0, limit=100, ca=str(CERTIFICATE)).taken
        with pytest.raises(PostError, match="certificate not trusted: "):
            send(f"https://localhost:{there.split(':')[1]}/", b"{}", {}, seconds=10.0, limit=100, ca=str(CERTIFICATE))


def test_an_invalid_ca_file_is_reported(tmp_path: Path) -> None:
    """An invalid CA file is reported with its name, before the start and at an attempt."""
    wrong = tmp_path / "ca.pem"
    wrong.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert str(wrong) in bad_ca(str(wrong))
    assert "no such file" in bad_ca(str(tmp_path / "missing"))
    assert bad_ca("") == bad_ca(str(CERTIFICATE)) == ""
    with pytest.raises(PostError):
        send("https://127.0.0.1:9/", b"{}", {}, seconds=1.0, limit=100, ca=str(wrong))


def test_an_answer_that_drips_ends_with_the_deadline() -> None:
    """Single bytes now and then do not extend the deadline."""

    def drip(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            sock.sendall(b"x")
            gevent.sleep(0.01)

    with listening(drip) as there, pytest.raises(PostError, match=r"no answer within 0\.3 s"):
        send(f"http://{there}/", b"{}", {}, seconds=0.3, limit=10_000)


def test_an_answer_is_read_up_to_the_limit() -> None:
    """An answer is read up to the limit and never decompressed."""

    def much(sock: socket.socket) -> None:
        sock.recv(65_536)
        sock.sendall(b"HTTP/1.1 500 Oops\r\nContent-Encoding: gzip\r\n\r\n")
        while True:
            sock.sendall(b"x" * 65_536)
            gevent.sleep(0)

    with listening(much) as there:
        answer = send(f"http://{there}/", b"{}", {}, seconds=10.0, limit=1000)
    assert (answer.status, answer.body) == (500, b"x" * 1000)
    assert answer.passing


def test_a_refused_connection_is_a_post_error() -> None:
    """A closed port, another protocol and a closed connection are errors with their reason."""
    with listening(lambda sock: None) as there:
        with pytest.raises(PostError):
            send(f"http://{there}/", b"{}", {}, seconds=5.0, limit=100)
        with pytest.raises(PostError):
            send(f"https://{there}/", b"{}", {}, seconds=5.0, limit=100)
    with pytest.raises(PostError, match="refused"):
        send(f"http://{there}/", b"{}", {}, seconds=5.0, limit=100)


def test_retry_after() -> None:
    """Retry-After has seconds or a date (RFC 9110 section 10.2.3), of which at most five minutes count."""
    assert (retry_after("7"), retry_after("0"), retry_after("9" * 50)) == (7.0, 0.0, MOST_WAIT)
    assert (retry_after(""), retry_after("soon"), retry_after("-1"), retry_after("1.5")) == (0.0, 0.0, 0.0, 0.0)
    assert 50.0 < retry_after(formatdate(time.time() + 60, usegmt=True)) <= 60.0
    assert retry_after(formatdate(time.time() - 60, usegmt=True)) == 0.0
