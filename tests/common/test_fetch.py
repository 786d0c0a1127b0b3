"""One GET with a deadline and a size limit, against peers of every kind: it returns the body or one sentence."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.server import StreamServer

from smoker_common import fetch as fetching
from smoker_common.fetch import Fetched, FetchError, fetch, fetch_json, fetch_news
from smoker_common.listen import tcp_listener
from tests.relay import refusing

HOST, PATH = "127.0.0.1", "/api"
PLENTY, SHORT = 30.0, 0.2  # seconds: a deadline that is not reached, and one that is
LIMIT = 100_000

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(serve: Serve, host: str = HOST) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the port of a peer that takes the request and then calls `serve`, and the requests."""
    requests: list[bytes] = []

    def handle(sock: socket.socket, _address: object) -> None:
        with sock, contextlib.suppress(OSError):
            requests.append(sock.recv(65_536))
            serve(sock)

    listener = tcp_listener(host, 0)
    server = StreamServer(listener, handle)
    server.start()
    try:
        yield listener.getsockname()[1], requests
    finally:
        server.stop(timeout=0)


def saying(*pieces: bytes) -> Serve:
    """Send these pieces, each by itself, and close."""

    def serve(sock: socket.socket) -> None:
        for piece in pieces:
            sock.sendall(piece)
            gevent.sleep(0.001)

    return serve


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def failing(serve: Serve, seconds: float = PLENTY, limit: int = LIMIT) -> FetchError:
    """Return the exception that is raised if the peer does `serve`."""
    with serving(serve) as (port, _), pytest.raises(FetchError) as caught:
        fetch_json(HOST, port, PATH, seconds=seconds, limit=limit)
    assert str(caught.value).startswith(f"http://{HOST}:{port}{PATH} ")
    return caught.value


def test_the_body_is_returned_unchanged() -> None:
    """The request names the host and asks to close the connection; the body is returned unchanged."""
    with serving(saying(answer(b'{"a": [1, null]}'))) as (port, requests):
        assert fetch(HOST, port, PATH, seconds=PLENTY, limit=LIMIT) == b'{"a": [1, null]}'
        assert fetch_json(HOST, port, PATH, seconds=PLENTY, limit=LIMIT) == {"a": [1, None]}
    head, *headers = requests[0].decode().split("\r\n")
    assert head == f"GET {PATH} HTTP/1.1"
    assert f"Host: {HOST}:{port}" in headers
    assert "Connection: close" in headers


@pytest.mark.parametrize(
    "pieces",
    [
        [bytes([byte]) for byte in answer(b"[1]")],
        [b"HTTP/1.1 200 OK\r\n\r\n[1", b"]"],
        [b"HTTP/1.0 200 OK\r\n\r\n[1]"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n2\r\n1]\r\n0\r\n\r\n"],
        [b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", answer(b"[1]")],
        [answer(b"[1]") + b"and what nobody asked for"],
    ],
    ids=["byte by byte", "until the end", "HTTP/1.0", "chunks", "1xx before", "more after"],
)
def test_a_body_arrives_in_any_pieces(pieces: list[bytes]) -> None:
    """A body is read with a length, in chunks, or until the peer closes."""
    with serving(saying(*pieces)) as (port, _):
        assert fetch_json(HOST, port, PATH, seconds=PLENTY, limit=LIMIT) == [1]


def test_by_name_and_by_ipv6() -> None:
    """The Host header has a name unchanged, and an IPv6 address in brackets."""
    with serving(saying(answer())) as (port, requests):
        assert fetch("localhost", port, PATH, seconds=PLENTY, limit=LIMIT) == b"{}"
    assert f"Host: localhost:{port}".encode() in requests[0]
    try:
        with serving(saying(answer()), "::1") as (port, requests):
            assert fetch("::1", port, PATH, seconds=PLENTY, limit=LIMIT) == b"{}"
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert f"Host: [::1]:{port}".encode() in requests[0]


@pytest.mark.parametrize(
    ("head", "drip"),
    [
        (b"HTTP/1.1 200 ", b"O"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" "),
    ],
    ids=["status line", "headers", "body"],
)
def test_a_peer_that_drips_does_not_extend_the_deadline(head: bytes, drip: bytes) -> None:
    """Single bytes at any place of the answer do not extend the deadline, which covers the whole request."""

    def serve(sock: socket.socket) -> None:
        sock.sendall(head)
        while True:
            sock.sendall(drip)
            gevent.sleep(SHORT / 20)

    error = failing(serve, seconds=SHORT)
    assert error.why.startswith(f"does not answer within {SHORT:g} s; ")
    assert error.answered


def test_a_missed_deadline_closes_the_connection() -> None:
    """At the deadline the connection is closed, which the peer sees."""
    closed = gevent.event.Event()

    def serve(sock: socket.socket) -> None:
        while sock.recv(100):
            pass
        closed.set()

    with serving(serve) as (port, _):
        with pytest.raises(FetchError):
            fetch(HOST, port, PATH, seconds=SHORT, limit=LIMIT)
        assert closed.wait(PLENTY)


@pytest.mark.parametrize("flood", [b"x" * 65_536, b"X: y\r\n" * 10_000, b"HTTP/1.1 100 Continue\r\n\r\n" * 3_000])
@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: x\r\n", b""])
def test_an_endless_answer_is_cut_at_the_limit(head: bytes, flood: bytes) -> None:
    """Nothing is read beyond the limit: of a body, of headers, of interim answers, or of data that is not HTTP."""

    def serve(sock: socket.socket) -> None:
        sock.sendall(head)
        while True:
            sock.sendall(flood)

    error = failing(serve)
    assert error.why in (f"sends more than {LIMIT} bytes", "does not speak HTTP/1.1")
    assert error.answered


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([answer(status="302 Found")], "answers with status 302"),
        ([answer(b"nothing here", "404 Not Found")], "answers with status 404"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], "answers with status 204"),
        ([b"HTTP/1.1 503 Busy\r\n\r\n"], "answers with status 503"),
        ([b"SSH-2.0-OpenSSH_9.6\r\n"], "does not speak HTTP/1.1"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n{}"], "does not speak HTTP/1.1"),
        ([b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], "does not speak HTTP/1.1"),
        ([b""], "closed the connection before the end of its answer, after 0 bytes"),
        ([b"HTTP/1.1 2"], "closed the connection before the end of its answer, after 10 bytes"),
        ([answer(b"[1, 2]")[:-1]], "closed the connection before the end of its answer, after 43 bytes"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n"], "closed the connection before the end of its answer, after 25 bytes"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"], "closed the connection before"),
    ],
)
def test_a_malformed_answer_is_an_error(pieces: list[bytes], why: str) -> None:
    """Another status (redirects are not followed), another protocol, and a connection that ends early are errors."""
    error = failing(saying(*pieces))
    assert error.why.startswith(why)
    assert error.answered == any(pieces)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "does not send JSON: Expecting value"),
        (b"<html>", "does not send JSON: Expecting value"),
        (b'{"a": NaN}', "does not send JSON: NaN is no number"),
        (b"[-Infinity]", "does not send JSON: -Infinity is no number"),
        (b"[" * 50_000, "does not send JSON: it is nested too deeply"),
        (b'{"a":' * 15_000, "does not send JSON: it is nested too deeply"),
        (b"9" * 5_000, "does not send JSON: Exceeds the limit"),
        (b'"\xff"', "does not send JSON: "),
        (b"{} {}", "does not send JSON: Extra data"),
    ],
)
def test_invalid_json_is_an_error(body: bytes, why: str) -> None:
    """Anything that is not JSON is an error of one sentence on one line."""
    error = failing(saying(answer(body)))
    assert error.why.startswith(why)
    assert len(str(error).splitlines()) == 1


def test_a_closed_port_is_an_error() -> None:
    """A closed port is refused at once."""
    with refusing() as port, pytest.raises(FetchError) as caught:
        fetch(HOST, port, PATH, seconds=PLENTY, limit=LIMIT)
    assert (caught.value.why, caught.value.answered) == ("does not answer: connection refused", False)


@pytest.mark.parametrize(
    "host",
    ["nobody.invalid", "a" * 300, "a..b", "", "two words", "a\r\nX: y", "a\0b", "bücher.invalid", "[::1]", "💥" * 70],
)
def test_an_invalid_host_is_an_error(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Any error of the look-up becomes a sentence, also a port out of range."""
    if "invalid" in host:
        monkeypatch.setattr(fetching, "getaddrinfo", unknown)
    with pytest.raises(FetchError):
        fetch(host, 1, PATH, seconds=PLENTY, limit=LIMIT)


def unknown(*_: object, **__: object) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("port", [-1, 65_536, 10**30])
def test_an_invalid_port_is_an_error(port: int) -> None:
    """An invalid port becomes a sentence, too."""
    with pytest.raises(FetchError):
        fetch(HOST, port, PATH, seconds=PLENTY, limit=LIMIT)


def test_the_deadline_includes_the_name_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline also ends a look-up that hangs."""
    monkeypatch.setattr(fetching, "getaddrinfo", lambda *_, **__: gevent.sleep(PLENTY))
    begun = time.monotonic()
    with pytest.raises(FetchError, match="does not answer within"):
        fetch("slow.example", 80, PATH, seconds=SHORT, limit=LIMIT)
    assert time.monotonic() - begun < PLENTY


def test_a_timeout_of_other_code_is_not_swallowed() -> None:
    """A timeout that the caller has set is passed on to the caller."""
    theirs = gevent.Timeout(0.05)
    with serving(lambda _sock: gevent.sleep(PLENTY)) as (port, _), pytest.raises(gevent.Timeout) as caught, theirs:
        fetch(HOST, port, PATH, seconds=PLENTY, limit=LIMIT)
    assert caught.value is theirs


def test_the_second_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the first address refuses, the next one is tried."""
    with refusing() as closed, serving(saying(answer(json.dumps("ok").encode()))) as (port, _):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, number)) for number in (closed, port)]
        monkeypatch.setattr(fetching, "getaddrinfo", lambda *_, **__: found)
        assert fetch_json("two.example", port, PATH, seconds=PLENTY, limit=LIMIT) == "ok"


def test_an_unchanged_body_is_not_sent_again() -> None:
    """A 304 to a request with an ETag means no body; an unrequested 304 is an error."""
    not_modified = b'HTTP/1.1 304 Not Modified\r\nETag: "b"\r\n\r\n'
    with serving(saying(answer(b"{}", "200 OK", 'ETag: "a"'))) as (port, requests):
        assert fetch_news(HOST, port, PATH, tag="", seconds=PLENTY, limit=LIMIT) == Fetched(b"{}", '"a"')
        assert b"If-None-Match" not in requests[0]
    with serving(saying(not_modified)) as (port, requests):
        assert fetch_news(HOST, port, PATH, tag='"b"', seconds=PLENTY, limit=LIMIT) == Fetched(None, '"b"')
        assert b'If-None-Match: "b"\r\n' in requests[0]
        with pytest.raises(FetchError, match="answers with status 304"):
            fetch(HOST, port, PATH, seconds=PLENTY, limit=LIMIT)


@pytest.mark.parametrize("tag", ["", "a\u00e4", "x" * 300])
def test_an_etag_that_is_not_a_valid_header_is_ignored(tag: str) -> None:
    """A peer's ETag is sent back only if it is short and in ASCII."""
    reply = answer(b"{}", "200 OK", f"ETag: {tag}")
    with serving(saying(reply)) as (port, _):
        assert fetch_news(HOST, port, PATH, tag="", seconds=PLENTY, limit=LIMIT) == Fetched(b"{}", "")
