"""The HTTP probe: GET / of an echo with status 200, or the page of a URL, also over TLS."""

from __future__ import annotations

import itertools
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import gevent
import pytest
from gevent import monkey

from smoker_prober.network.resolve import Address
from smoker_prober.probes import base, run
from smoker_prober.probes.http import MAX_BODY, Options
from smoker_prober.probes.trust import context
from smoker_prober.result import PHASES, Method, Outcome, Result
from smoker_prober.target import Target, service_path
from tests.prober.targets import (
    ENOUGH,
    HOST,
    NODE,
    PLENTY,
    RESET,
    SHORT,
    Serve,
    answering,
    echo,
    listening,
    probe,
    until_closed,
)
from tests.relay import refusing

Listen = Callable[[Serve], int]
OK = b"HTTP/1.1 200 OK\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


def test_an_echo_is_a_success(echoes: dict[str, int]) -> None:
    """With the real echo it succeeds with address, status, and the two bytes of the body."""
    result = probe("http", echoes["http"])
    assert (result.outcome, result.address, result.fields.get("status"), result.received, result.error) == (
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
    """It requests / with the target's name and port, and no second request on the connection."""
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
    """RST to the SYN is `refused` without a status, and the error names the connect."""
    with refusing() as port:
        result = probe("http", port)
    assert (result.outcome, result.fields.get("status"), result.error) == (
        Outcome.REFUSED,
        None,
        "connect: connection refused",
    )
    assert tuple(result.phases) == ("resolve", "connect")


def test_no_route_is_unreachable() -> None:
    """The kernel's error is found inside urllib3's: without a route it is `unreachable`."""
    result = probe("http", 8082, host="127.255.255.255")  # the broadcast address of loopback: no TCP goes there
    assert (result.outcome, result.error) == (Outcome.UNREACHABLE, "connect: network is unreachable")


@pytest.mark.parametrize("status", [101, 201, 204, 206, 304, 400, 404, 418, 429, 500, 503, 599, 999])
def test_another_status_is_a_bad_reply(listen: Listen, status: int) -> None:
    """Only 200 is a success of an echo."""
    result = probe("http", listen(answering(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)))
    assert (result.outcome, result.fields.get("status")) == (Outcome.BAD_REPLY, status)
    assert result.error == f"transfer: status {status} for GET /"


def test_a_redirect_is_not_followed(listen: Listen) -> None:
    """One probe is one request to one target."""
    visits: list[object] = []
    elsewhere = listen(visits.append)
    moved = b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % elsewhere
    result = probe("http", listen(answering(moved)))
    assert (result.outcome, result.fields.get("status"), visits) == (Outcome.BAD_REPLY, 301, [])


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
        EARLY + OK + b"Content-Length: 2\r\n\r\nOK",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + EARLY * 2 + b"HTTP/1.1 199\n\n" + OK + b"Content-Length: 2\r\n\r\nOK",
        OK + b"A: b\r\n" * 255 + b"Content-Length: 2\r\n\r\nOK",
        OK + (b"A: " + b"x" * 65_000 + b"\r\n") * 4 + b"Content-Length: 2\r\n\r\nOK",
        OK + b"A: b\r\n c\r\nContent-Length:\r\n 2\r\n\r\nOK",
    ],
    ids=itertools.count(),
)
def test_any_whole_200_is_a_success(listen: Listen, answer: bytes) -> None:
    """Its end may be marked by a length, by chunks or by FIN. The body is counted and not examined."""
    result = probe("http", listen(answering(answer)))
    assert (result.outcome, result.fields.get("status"), result.error) == (Outcome.SUCCESS, 200, "")


EARLY_ONLY = "wait: nothing arrived after status 103"
NO_STATUS = "wait: no status line of HTTP/1: "
IN_HEADERS = "wait: the connection was closed inside the headers"
BROKEN = "transfer: the body ended "


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (b"", None, "wait: remote end closed connection without response"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", None, NO_STATUS + r"'SSH-2.0-OpenSSH_9.6\r\n'"),
        (b"\x1b[31m\x00\xff\n", None, NO_STATUS + r"'\x1b[31m\x00ÿ\n'"),
        (b"\r\n\r\n", None, NO_STATUS),
        (b"HTTP/2.0 200 OK\r\n\r\n", None, NO_STATUS + "'HTTP/2.0 200 OK"),
        (b"HTTP/1.1 abc OK\r\n\r\n", None, NO_STATUS),
        (b"HTTP/1.1 99 OK\r\n\r\n", None, NO_STATUS),
        (b"HTTP/1.1 " + b"\x1b" * 60_000 + b"\r\n", None, NO_STATUS),
        (b"x" * 100_000, None, "wait: got more than 65536 bytes when reading status line"),
        (OK, None, IN_HEADERS),
        (OK + b"Content-Le", None, IN_HEADERS),
        (OK + b"Content-Length: 2\r\n", None, IN_HEADERS),
        (OK + b"A: " + b"x" * 100_000, None, "wait: got more than 65536 bytes when reading header line"),
        (OK + b"A: b\r\n" * 257 + b"\r\n", None, "wait: got more than 256 headers"),
        (
            OK + (b"A: " + b"x" * 65_000 + b"\r\n") * 5 + b"\r\n",
            None,
            "wait: got more than 262144 bytes before the body",
        ),
        (EARLY, None, EARLY_ONLY),
        (b"HTTP/1.1 102 Processing\r\n\r\n" + EARLY, None, EARLY_ONLY),
        (EARLY + b"HTTP/1.1 2", None, NO_STATUS),
        (EARLY[:-2], None, IN_HEADERS),
        (EARLY + b"SSH-2.0-OpenSSH_9.6\r\n\r\n", None, NO_STATUS),
        (EARLY * 5000, None, "wait: got more than 262144 bytes before the body"),
        (OK + b"Content-Length: 1, 2\r\n\r\nOK", None, "wait: Content-Length contained multiple unmatching values"),
        (OK + b"Content-Length: 10\r\n\r\n", 200, BROKEN),
        (OK + b"Content-Length: 10\r\n\r\nOK", 200, BROKEN + "8 bytes early"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", 200, BROKEN),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n", 200, BROKEN),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nOK", 200, BROKEN),
        (OK + b"\r\n" + b"x" * (MAX_BODY + 1), 200, f"transfer: a body of over {MAX_BODY} bytes for GET /"),
        (b"HTTP/1.1 503 X\r\nContent-Length: 10\r\n\r\nno", 503, BROKEN + "8 bytes early"),
    ],
    ids=itertools.count(),
)
def test_anything_else_is_a_bad_reply(listen: Listen, answer: bytes, status: int | None, error: str) -> None:
    """Garbage, half an answer and too much are a bad reply with the status, if any, in a short line."""
    result = probe("http", listen(answering(answer)))
    assert (result.outcome, result.fields.get("status")) == (Outcome.BAD_REPLY, status)
    assert result.error.startswith(error)
    assert result.error.isprintable()
    assert len(result.error) < 250


def test_a_reset_inside_the_body_is_reset(listen: Listen) -> None:
    """RST after the status is `reset` in the phase `transfer`, with the status."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(OK + b"Content-Length: 10\r\n\r\nOK")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    result = probe("http", listen(serve))
    assert (result.outcome, result.fields.get("status"), result.error) == (
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
        (EARLY + OK, b"A: b\r\n", "wait"),
        (OK + b"\r\n", b"x", "transfer"),
        (OK + b"Content-Length: 1000\r\n\r\n", b"x", "transfer"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", "transfer"),
        (b"HTTP/1.1 503 X\r\n\r\n", b"x", "transfer"),
        (EARLY + OK + b"\r\n", b"x", "transfer"),
    ],
    ids=["status", "headers", "interim", "until-fin", "length", "chunked", "503", "interim-body"],
)
def test_one_deadline_ends_any_slow_answer(listen: Listen, begin: bytes, rest: bytes, phase: str) -> None:
    """Bytes that keep coming do not extend the deadline."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        for block in itertools.chain([begin], _endless(rest, ENOUGH / 20)):
            sock.sendall(block)

    result = probe("http", listen(serve), timeout=ENOUGH)
    assert (result.outcome, result.error) == (Outcome.TIMEOUT, f"{phase}: no answer within {ENOUGH:g} s")
    assert result.fields.get("status") == (None if phase == "wait" else 503 if b" 503 " in begin else 200)


@pytest.mark.parametrize("interim", [EARLY, b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("again", [True, False])
def test_interim_answers_alone_are_a_bad_reply(listen: Listen, interim: bytes, *, again: bool) -> None:
    """Interim answers without a final one are a bad reply, with silence after them or without end."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(interim)
        for block in _endless(interim, ENOUGH / 20) if again else ():
            sock.sendall(block)
        until_closed(sock)

    result = probe("http", listen(serve), timeout=ENOUGH)
    assert (result.outcome, result.fields.get("status")) == (Outcome.BAD_REPLY, None)
    assert result.error == f"wait: nothing arrived after status {interim[9:12].decode()}"


def test_a_flood_of_headers_ends_at_once(listen: Listen) -> None:
    """Headers without end are a bad reply after the 256th, before the deadline."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(OK)
        while True:
            sock.sendall(b"A: b\r\n" * 1000)

    result = probe("http", listen(serve))
    assert (result.outcome, result.error) == (Outcome.BAD_REPLY, "wait: got more than 256 headers")


def test_an_endless_body_is_read_up_to_the_limit(listen: Listen) -> None:
    """A body without end is a bad reply after one byte too many, without use of time or memory."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(OK + b"\r\n")
        while True:
            sock.sendall(b"x" * 65_536)

    result = probe("http", listen(serve))
    assert (result.outcome, result.fields.get("status"), result.received) == (Outcome.BAD_REPLY, 200, MAX_BODY + 1)


def test_a_silent_connection_that_is_never_accepted() -> None:
    """A listener whose process sleeps accepts connection and request: the deadline ends the wait."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((HOST, 0))
        sock.listen()
        result = probe("http", sock.getsockname()[1], timeout=SHORT)
    assert (result.outcome, result.error) == (Outcome.TIMEOUT, f"wait: no answer within {SHORT:g} s")


def test_the_server_may_close_after_its_answer(listen: Listen) -> None:
    """An answer with a known length ends with its last byte, although the connection stays open."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(OK + b"Content-Length: 2\r\n\r\nOK")
        until_closed(sock)

    assert probe("http", listen(serve)).outcome is Outcome.SUCCESS


PAGE = Options("/page?x=1")
SECURE = replace(PAGE, tls=True)
MINE = Path(__file__).with_name("certificate.pem")  # of 127.0.0.1 and web.example
HELD_UP = ENOUGH + 0.1  # seconds

_block = monkey.get_original("time", "sleep")  # holds up the whole process, as a CPU quota does


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """`trusted(file)`: from now on the system trusts the certificates in it."""
    return lambda file: monkeypatch.setenv("SSL_CERT_FILE", str(file))


def get(port: int, url: Options = PAGE, *, host: str = HOST, timeout: float = PLENTY) -> Result:
    """Probe a URL once."""
    return run(Target("http", host, port, service_path(host, port), url), NODE, timeout)


def over_tls(serve: Serve, called: Callable[[str], None] = lambda _name: None) -> Serve:
    """Probe over TLS with the tests' certificate; `called` gets the name in the handshake (SNI)."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(MINE)
    server.sni_callback = lambda _sock, name, _context: called(name)

    def secured(sock: socket.socket) -> None:
        with server.wrap_socket(sock, server_side=True) as tls:
            serve(tls)

    return secured


@pytest.mark.parametrize("status", [200, 201, 204, 206, 299, 301, 302, 304, 308])
def test_a_url_accepts_a_page_or_a_redirect(listen: Listen, status: int) -> None:
    """2xx and 3xx are a success of a URL: the server was reached."""
    result = get(listen(answering(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)))
    assert (result.outcome, result.fields.get("status"), result.error) == (Outcome.SUCCESS, status, "")


@pytest.mark.parametrize("status", [101, 400, 401, 404, 429, 500, 503, 999])
def test_any_other_status_of_a_url_is_a_bad_reply(listen: Listen, status: int) -> None:
    """The error names the page."""
    result = get(listen(answering(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)))
    assert (result.outcome, result.fields.get("status")) == (Outcome.BAD_REPLY, status)
    assert result.error == f"transfer: status {status} for GET /page?x=1"


def test_a_urls_redirect_is_not_followed(listen: Listen) -> None:
    """A redirect is a success of the server that sends it, and is not followed."""
    visits: list[object] = []
    elsewhere = listen(visits.append)
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % elsewhere
    result = get(listen(answering(moved)))
    assert (result.outcome, result.fields.get("status"), visits) == (Outcome.SUCCESS, 302, [])


def test_a_large_page_is_read_up_to_the_limit(listen: Listen) -> None:
    """The beginning of an endless page is enough: only an echo must send a short one."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(OK + b"\r\n")
        while True:
            sock.sendall(b"x" * 65_536)

    result = get(listen(serve))
    assert (result.outcome, result.received) == (Outcome.SUCCESS, MAX_BODY + 1)


def test_half_a_page_is_a_bad_reply(listen: Listen) -> None:
    """A body that breaks off is a bad reply also of a URL."""
    result = get(listen(answering(OK + b"Content-Length: 10\r\n\r\nOK")))
    assert (result.outcome, result.error) == (Outcome.BAD_REPLY, BROKEN + "8 bytes early")


@pytest.mark.parametrize(
    ("host", "port", "tls", "header"),
    [
        ("web.example", 80, False, "web.example"),
        ("web.example", 8080, False, "web.example:8080"),
        ("web.example", 443, False, "web.example:443"),
        ("web.example.", 443, True, "web.example."),
        ("web.example", 80, True, "web.example:80"),
        ("fd00::80", 80, False, "[fd00::80]"),
        ("fd00::80", 8080, False, "[fd00::80]:8080"),
        ("fe80::80%lo", 80, False, "[fe80::80]"),
        ("fe80::80%lo", 8080, False, "[fe80::80]:8080"),
        ("bücher.test", 80, False, "xn--bcher-kva.test"),
        ("bücher.test", 8080, False, "xn--bcher-kva.test:8080"),
        ("日本語.jp.", 80, False, "xn--wgv71a119e.jp."),
    ],
)
def test_the_request_by_url(
    listen: Listen,
    trusted: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    port: int,
    tls: bool,
    header: str,
) -> None:
    """The page, of the host by its name, the port where it is not the scheme's; in TLS the name without its dot.

    What is beyond ASCII goes out as A-labels (RFC 5891), a zone stays here (RFC 6874).
    """
    said: list[bytes] = []
    names: list[str] = []

    def serve(sock: socket.socket) -> None:
        said.append(sock.recv(4096))
        sock.sendall(OK + b"Content-Length: 0\r\n\r\n")

    here = Address(socket.AF_INET, (HOST, listen(over_tls(serve, names.append) if tls else serve)))
    monkeypatch.setattr(base, "resolve", lambda _target, _deadline: here)
    trusted(MINE)
    result = get(port, replace(PAGE, tls=tls), host=host)
    assert (result.outcome, result.error) == (Outcome.SUCCESS, "")
    line, *headers = said[0].removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert line == b"GET /page?x=1 HTTP/1.1"
    assert [value for value in headers if value.lower().startswith(b"host:")] == [b"Host: " + header.encode()]
    assert names == (["web.example"] if tls else [])


def test_a_page_over_tls(listen: Listen, trusted: Callable[[Path], None]) -> None:
    """With a trusted certificate it is a success with the handshake as its own phase and TCP's RTT."""
    trusted(MINE)
    result = get(listen(over_tls(answering(OK + b"Content-Length: 2\r\n\r\nOK"))), SECURE)
    assert (result.outcome, result.fields.get("status"), result.received, result.error) == (Outcome.SUCCESS, 200, 2, "")
    assert tuple(result.phases) == PHASES
    assert result.rtt is not None
    assert result.rtt.method is Method.TCP_INFO


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 60_000])
def test_a_page_of_any_size_over_tls(listen: Listen, trusted: Callable[[Path], None], size: int) -> None:
    """No record is lost, neither those with the first bytes nor later ones."""
    trusted(MINE)
    answer = OK + b"Content-Length: %d\r\n\r\n" % size + b"x" * size
    result = get(listen(over_tls(answering(answer))), SECURE)
    assert (result.outcome, result.received, result.error) == (Outcome.SUCCESS, size, "")


def test_a_redirect_over_tls(listen: Listen, trusted: Callable[[Path], None]) -> None:
    """The same rules apply over TLS."""
    trusted(MINE)
    result = get(listen(over_tls(answering(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n"))), SECURE)
    assert (result.outcome, result.fields.get("status")) == (Outcome.SUCCESS, 302)


def test_an_untrusted_certificate_is_a_tls_error(listen: Listen, trusted: Callable[[Path], None]) -> None:
    """For an untrusted certificate the error has the reason, nothing is requested, and its date is not read."""
    asked: list[bytes] = []
    trusted(MINE.with_name("ca_old.pem"))
    result = get(listen(over_tls(lambda sock: asked.append(sock.recv(4096)))), SECURE)
    assert (result.outcome, result.fields.get("status"), result.rtt) == (Outcome.TLS_ERROR, None, None)
    assert result.error.startswith("tls: ")
    assert "certificate not trusted: " in result.error
    assert "not_after" not in result.fields
    assert (tuple(result.phases), asked) == (("resolve", "connect", "tls"), [])


def test_a_certificate_for_another_name_is_a_tls_error(trusted: Callable[[Path], None]) -> None:
    """A trusted certificate for another address is a TLS error."""
    trusted(MINE)
    with listening(over_tls(until_closed), "127.0.0.2") as port:
        result = get(port, SECURE, host="127.0.0.2")
    assert result.outcome is Outcome.TLS_ERROR
    assert "127.0.0.2" in result.error


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x03"]
)
def test_a_server_without_tls_is_a_tls_error(listen: Listen, answer: bytes) -> None:
    """A server with another protocol, or that closes during the handshake, is a TLS error."""
    result = get(listen(answering(answer)), SECURE)
    assert result.outcome is Outcome.TLS_ERROR
    assert result.error.startswith("tls: ")


def test_a_reset_in_the_handshake_is_reset(listen: Listen) -> None:
    """RST during the handshake is `reset`."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    result = get(listen(serve), SECURE)
    assert (result.outcome, result.error) == (Outcome.RESET, "tls: connection reset by peer")


def test_an_answer_in_pieces_during_a_pause_of_the_prober(listen: Listen) -> None:
    """Pieces that came in time count although the process was held up beyond the deadline."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(OK)
        gevent.sleep(SHORT / 5)  # the probe has read that and waits
        sock.sendall(b"Content-Length: 2\r\n\r\n")
        gevent.sleep(SHORT / 5)
        sock.sendall(b"OK")
        _block(2 * SHORT)
        until_closed(sock)

    for _ in range(5):
        result = probe("http", listen(serve), timeout=SHORT)
        assert (result.outcome, result.received, result.error) == (Outcome.SUCCESS, 2, "")


def test_silence_in_the_handshake_is_a_timeout(listen: Listen) -> None:
    """The deadline also covers the handshake."""
    result = get(listen(until_closed), SECURE, timeout=SHORT)
    assert (result.outcome, result.error) == (Outcome.TIMEOUT, f"tls: no answer within {SHORT:g} s")


def test_silence_after_the_handshake_is_a_timeout(listen: Listen, trusted: Callable[[Path], None]) -> None:
    """Session tickets, which TLS sends unasked, are no answer."""
    trusted(MINE)
    result = get(listen(over_tls(until_closed)), SECURE, timeout=ENOUGH)
    assert (result.outcome, result.error) == (Outcome.TIMEOUT, f"wait: no answer within {ENOUGH:g} s")


def test_an_answer_counts_even_if_the_prober_wakes_late(listen: Listen, trusted: Callable[[Path], None]) -> None:
    """An answer that arrived in time counts although the process stood still, also with tickets before it."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        for _ in range(100):  # turns in which the prober sees the tickets, and waits on
            gevent.sleep(0)
        sock.sendall(OK + b"Content-Length: 2\r\n\r\nOK")
        _block(HELD_UP)
        until_closed(sock)

    trusted(MINE)
    result = get(listen(over_tls(serve)), SECURE, timeout=ENOUGH)
    assert (result.outcome, result.error) == (Outcome.SUCCESS, "")


def test_a_ca_as_clusters_have_them() -> None:
    """A CA without the extension that OpenSSL's strict mode demands is trusted, as by other clients."""
    assert not context().verify_flags & ssl.VERIFY_X509_STRICT
