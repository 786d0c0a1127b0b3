"""The HTTP probe: GET / by urllib3, 200."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator

import gevent
import pytest

from smoker_prober.probes.http import MAX_BODY
from smoker_prober.result import Outcome
from tests.relay import refusing

from .targets import ENOUGH, HOST, RESET, SHORT, Serve, answering, echo, probe, until_closed

Listen = Callable[[Serve], int]
OK = b"HTTP/1.1 200 OK\r\n"


def test_an_echo_is_a_success(echoes: dict[str, int]) -> None:
    """Against the real echo: success, its address, its status, the two bytes of its body."""
    result = probe("http", echoes["http"])
    assert (result.outcome, result.address, result.status, result.received, result.error) == (
        Outcome.SUCCESS,
        HOST,
        200,
        2,
        "",
    )


def test_over_ipv6() -> None:
    """An IPv6 literal is a target like any other."""
    try:
        with echo("http", "::1") as port:
            result = probe("http", port, host="::1")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert (result.outcome, result.address) == (Outcome.SUCCESS, "::1")


def test_the_request(listen: Listen) -> None:
    """It asks for / by the target's name and port, and wants no second request on the connection."""
    said: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        said.append(sock.recv(4096))
        sock.sendall(OK + b"Content-Length: 0\r\n\r\n")

    port = listen(serve)
    assert probe("http", port).outcome is Outcome.SUCCESS
    line, *headers = said[0].removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert line == b"GET / HTTP/1.1"
    assert {b"Host: 127.0.0.1:%d" % port, b"User-Agent: smoker-prober", b"Connection: close"} <= set(headers)


def test_nobody_listening_is_refused() -> None:
    """RST to the SYN is `refused`, without a status, and the error says that it was the connect."""
    with refusing() as port:
        result = probe("http", port)
    assert (result.outcome, result.status, result.error) == (Outcome.REFUSED, None, "connect: connection refused")
    assert tuple(result.phases) == ("resolve", "connect")


def test_no_way_there_is_unreachable() -> None:
    """What urllib3 wraps is still found: without a route it is `unreachable`."""
    result = probe("http", 8082, host="127.255.255.255")  # the broadcast address of loopback: no TCP goes there
    assert (result.outcome, result.error) == (Outcome.UNREACHABLE, "connect: network is unreachable")


@pytest.mark.parametrize("status", [103, 201, 204, 206, 304, 400, 404, 418, 429, 500, 503, 599, 999])
def test_another_status_is_a_bad_reply(listen: Listen, status: int) -> None:
    """Only 200 is good: a page that says that something is wrong is an answer, but not the one that was owed."""
    result = probe("http", listen(answering(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)))
    assert (result.outcome, result.status) == (Outcome.BAD_REPLY, status)
    assert result.error == f"transfer: status {status} for GET /"


def test_a_redirect_is_not_followed(listen: Listen) -> None:
    """One probe is one request to one target."""
    visits: list[object] = []
    elsewhere = listen(visits.append)
    moved = b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % elsewhere
    result = probe("http", listen(answering(moved)))
    assert (result.outcome, result.status, visits) == (Outcome.BAD_REPLY, 301, [])


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"\r\n",
        OK + b"\r\nOK",
        OK + b"Content-Length: 2\r\n\r\nOK",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nOK",
        OK + b"Content-Length: %d\r\n\r\n" % MAX_BODY + b"x" * MAX_BODY,
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nOK",
        b"HTTP/1.0 200\r\n\r\nOK",
    ],
    ids=["empty", "until-fin", "length", "chunked", "not-gzip", "largest", "continue", "http10"],
)
def test_any_whole_200_is_a_success(listen: Listen, answer: bytes) -> None:
    """However its end is marked: by a length, by chunks or by FIN. The body is counted and not looked into."""
    result = probe("http", listen(answering(answer)))
    assert (result.outcome, result.status, result.error) == (Outcome.SUCCESS, 200, "")


NO_STATUS = "wait: no status line of HTTP/1: "
IN_HEADERS = "wait: the connection was closed inside the headers"
BROKEN = "transfer: the body broke off "


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (b"", None, "wait: remote end closed connection without response"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", None, NO_STATUS + r"'SSH-2.0-OpenSSH_9.6\r\n'"),
        (b"\x1b[31m\x00\xff\n", None, NO_STATUS + r"'\x1b[31m\x00ÿ\n'"),
        (b"\r\n\r\n", None, NO_STATUS),
        (b"HTTP/2.0 200 OK\r\n\r\n", None, NO_STATUS + "'HTTP/2.0'"),
        (b"HTTP/1.1 abc OK\r\n\r\n", None, NO_STATUS),
        (b"HTTP/1.1 99 OK\r\n\r\n", None, NO_STATUS),
        (b"HTTP/1.1 " + b"\x1b" * 60_000 + b"\r\n", None, NO_STATUS),
        (b"x" * 100_000, None, "wait: got more than 65536 bytes when reading status line"),
        (OK, None, IN_HEADERS),
        (OK + b"Content-Le", None, IN_HEADERS),
        (OK + b"Content-Length: 2\r\n", None, IN_HEADERS),
        (OK + b"A: " + b"x" * 100_000, None, "wait: got more than 65536 bytes when reading header line"),
        (OK + b"A: b\r\n" * 101 + b"\r\n", None, "wait: got more than 100 headers"),
        (OK + b"Content-Length: 1, 2\r\n\r\nOK", None, "wait: Content-Length contained multiple unmatching values"),
        (OK + b"Content-Length: 10\r\n\r\n", 200, BROKEN),
        (OK + b"Content-Length: 10\r\n\r\nOK", 200, BROKEN + "8 bytes before its end"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", 200, BROKEN),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n", 200, BROKEN),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nOK", 200, BROKEN),
        (OK + b"\r\n" + b"x" * (MAX_BODY + 1), 200, f"transfer: a body of over {MAX_BODY} bytes for GET /"),
        (b"HTTP/1.1 503 X\r\nContent-Length: 10\r\n\r\nno", 503, BROKEN + "8 bytes before its end"),
    ],
    ids=itertools.count(),
)
def test_anything_else_is_a_bad_reply(listen: Listen, answer: bytes, status: int | None, error: str) -> None:
    """Garbage, half an answer, too much of one: a bad reply, with the status if there was one, said in a short line."""
    result = probe("http", listen(answering(answer)))
    assert (result.outcome, result.status) == (Outcome.BAD_REPLY, status)
    assert result.error.startswith(error)
    assert result.error.isprintable()
    assert len(result.error) < 250


def test_a_reset_inside_the_body_is_reset(listen: Listen) -> None:
    """RST after the status is `reset`, in the phase `transfer`, with the status that came before."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(OK + b"Content-Length: 10\r\n\r\nOK")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    result = probe("http", listen(serve))
    assert (result.outcome, result.status, result.error) == (
        Outcome.RESET,
        200,
        "transfer: connection reset by peer",
    )


def _endless(block: bytes, pause: float) -> Iterator[bytes]:
    while True:
        yield block
        gevent.sleep(pause)


@pytest.mark.parametrize(
    ("begin", "rest", "phase"),
    [
        (b"HTTP/1.1 2", b"0", "wait"),
        (OK, b"A: b\r\n", "wait"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "wait"),
        (OK + b"\r\n", b"x", "transfer"),
        (OK + b"Content-Length: 1000\r\n\r\n", b"x", "transfer"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", "transfer"),
        (b"HTTP/1.1 503 X\r\n\r\n", b"x", "transfer"),
    ],
    ids=["status", "headers", "continue", "until-fin", "length", "chunked", "503"],
)
def test_one_deadline_ends_whatever_trickles(listen: Listen, begin: bytes, rest: bytes, phase: str) -> None:
    """Bytes that keep coming, each well within the deadline, do not move it."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        for block in itertools.chain([begin], _endless(rest, ENOUGH / 20)):
            sock.sendall(block)

    result = probe("http", listen(serve), timeout=ENOUGH)
    assert (result.outcome, result.error) == (Outcome.TIMEOUT, f"{phase}: no answer within {ENOUGH:g} s")
    assert result.status == (None if phase == "wait" else int(begin[9:12]))


def test_a_flood_of_headers_ends_at_once(listen: Listen) -> None:
    """Headers without end are a bad reply after the hundredth, not a matter of the deadline."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(OK)
        while True:
            sock.sendall(b"A: b\r\n" * 1000)

    result = probe("http", listen(serve))
    assert (result.outcome, result.error) == (Outcome.BAD_REPLY, "wait: got more than 100 headers")


def test_a_body_without_end_is_read_no_further_than_it_may_be(listen: Listen) -> None:
    """A flood is a bad reply after one byte too many, not a matter of the deadline or of memory."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(OK + b"\r\n")
        while True:
            sock.sendall(b"x" * 65_536)

    result = probe("http", listen(serve))
    assert (result.outcome, result.status, result.received) == (Outcome.BAD_REPLY, 200, MAX_BODY + 1)


def test_a_silent_connection_that_is_never_accepted() -> None:
    """A listener whose process sleeps takes the connection and the request: the wait ends at the deadline."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((HOST, 0))
        sock.listen()
        result = probe("http", sock.getsockname()[1], timeout=SHORT)
    assert (result.outcome, result.error) == (Outcome.TIMEOUT, f"wait: no answer within {SHORT:g} s")


def test_a_closing_answer_needs_no_closing_prober(listen: Listen) -> None:
    """An answer whose length is known is over with its last byte, though the connection stays open."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(OK + b"Content-Length: 2\r\n\r\nOK")
        until_closed(sock)

    assert probe("http", listen(serve)).outcome is Outcome.SUCCESS
