"""The options of the HTTP probe: method, headers, expectations, HTTP/2."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smoker_common.kinds import InvalidValue
from smoker_prober.config.load import read
from smoker_prober.probes import run
from smoker_prober.probes.http import MAX_BODY
from smoker_prober.probes.http_options import Expect, Options, headers, pattern, statuses
from smoker_prober.result import PHASES, Outcome, Result
from smoker_prober.target import Target, service_path
from tests.prober.targets import ENOUGH, HOST, NODE, PLENTY, Serve, answering, listening, until_closed

from .http2_server import Headers, over_tls, page, sending, serving

MINE = Path(__file__).with_name("certificate.pem")  # of 127.0.0.1
SECOND = Options(version="2")
Listen = Callable[[Serve], int]


def ask(port: int, options: Options, timeout: float = PLENTY) -> Result:
    return run(Target("http", HOST, port, service_path(HOST, port), options), NODE, timeout)


def ok(status: int = 200, body: bytes = b"OK") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def test_the_request_follows_its_options(listen: Listen) -> None:
    """The request has the method, the given headers, and one that replaces ours, each once."""
    said: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        said.append(sock.recv(4096))
        sock.sendall(ok())
        until_closed(sock)

    own = (("X-Token", "a b"), ("user-agent", "mine"), ("Host", "shop.example"))
    assert ask(listen(serve), Options("/x", method="PUT", headers=own)).outcome is Outcome.SUCCESS
    line, *lines = said[0].decode().removesuffix("\r\n\r\n").split("\r\n")
    sent = [(name.lower(), value) for name, _, value in (each.partition(": ") for each in lines)]
    assert line == "PUT /x HTTP/1.1"
    assert {("x-token", "a b"), ("user-agent", "mine"), ("host", "shop.example")} <= set(sent)
    assert len({name for name, _value in sent}) == len(sent)


@pytest.mark.parametrize(
    ("expected", "status", "outcome", "error"),
    [
        ("401", 401, Outcome.SUCCESS, ""),
        ("401", 200, Outcome.BAD_REPLY, "transfer: status 200 for GET /, expected 401"),
        ("2xx,404", 404, Outcome.SUCCESS, ""),
        ("2xx,404", 500, Outcome.BAD_REPLY, "transfer: status 500 for GET /, expected 200-299, 404"),
        ("", 301, Outcome.SUCCESS, ""),
        ("", 500, Outcome.BAD_REPLY, "transfer: status 500 for GET /"),
    ],
)
def test_the_status_that_is_expected(listen: Listen, expected: str, status: int, outcome: Outcome, error: str) -> None:
    """Only expected statuses are a success; without any, 200 to 399 of a URL. The error names those of the target."""
    expect = Expect(status=statuses(expected)) if expected else Expect()
    result = ask(listen(answering(ok(status))), Options(expect=expect))
    assert (result.outcome, result.fields["status"], result.error) == (outcome, status, error)


def test_the_body_that_is_expected(listen: Listen) -> None:
    """The pattern matches anywhere in the part of the body that is read.

    The error has the pattern and nothing of the page.
    """
    good = ask(listen(answering(ok(body=b'{"status": "ok"}'))), Options(expect=Expect(body='"status": *"ok"')))
    bad = ask(listen(answering(ok(body=b"secret"))), Options(expect=Expect(body="^fine$")))
    assert good.outcome is Outcome.SUCCESS
    assert (bad.outcome, bad.error) == (Outcome.BAD_REPLY, "transfer: the body does not match '^fine$'")


def test_a_pattern_that_never_ends_does_not_stop_the_prober(listen: Listen) -> None:
    """A pattern that backtracks without end is stopped, and the result says so."""
    endless = ask(listen(answering(ok(body=b"x" * 50_000))), Options(expect=Expect(body="(x+x+)+y")))
    assert (endless.outcome, endless.error) == (
        Outcome.BAD_REPLY,
        "transfer: expect.body took over 0.05 s on a body of 50000 bytes",
    )


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((statuses, text) for text in ("", "600", "99", "2x", "299-200", "abc", "200-")),
        *((headers, text) for text in ("X", "X Y: z", "X: a\x00b", "Content-Length: 5", "X: \N{SNOWMAN}", ": y")),
        (headers, "\n".join(f"X{n}: y" for n in range(33))),
        *((pattern, text) for text in ("", "(", "x" * 201)),
    ],
)
def test_options_that_are_refused(kind: Any, text: str) -> None:
    """An invalid status, a header that may not be sent, and an invalid pattern are refused."""
    with pytest.raises(InvalidValue):
        kind(text)


def test_options_in_a_file() -> None:
    """A file has headers as a map and expectations as a group."""
    plan, mistakes = read(
        b"targets:\n"
        b"  - {name: a, url: 'https://h/x', http: {method: post, headers: {X-A: b c, Accept: text/html}, version: 2,\n"
        b"     expect: {status: 401, body: 'a.*b'}}}\n"
    )
    assert mistakes == []
    assert plan.targets["a"].options == Options(
        "/x",
        tls=True,
        method="POST",
        headers=(("X-A", "b c"), ("Accept", "text/html")),
        version="2",
        expect=Expect(((401, 401),), "a.*b"),
    )
    for wrong in (b"{Upgrade: x}", b"[a]", b"{a: [b]}", b"'no header'"):
        _plan, mistakes = read(b"targets:\n  - {name: a, url: 'http://h/', http: {headers: %s}}\n" % wrong)
        assert [each.line for each in mistakes] == [2], wrong


def test_http2_without_tls(listen: Listen) -> None:
    """With version 2 and http:// the client uses HTTP/2 at once with the given request."""
    asked: list[Headers] = []

    def answer(connection: H2Connection, stream: int, got: Headers) -> None:
        asked.append(got)
        page(body=b"x" * 30_000)(connection, stream, got)

    port = listen(serving(answer))
    result = ask(port, Options("/x?y=1", version="2", method="POST", headers=(("X-A", "b"),)))
    assert (result.outcome, result.error, result.received) == (Outcome.SUCCESS, "", 30_000)
    assert (result.fields["status"], result.fields["http_version"]) == (200, "2")
    assert tuple(result.phases) == tuple(phase for phase in PHASES if phase != "tls")
    assert asked == [
        {
            ":method": "POST",
            ":scheme": "http",
            ":authority": f"{HOST}:{port}",
            ":path": "/x?y=1",
            "user-agent": "smoker-prober",
            "accept": "*/*",
            "x-a": "b",
        }
    ]


@pytest.mark.parametrize("status", ["m4.", "0200", "99", "2e2", "x" * 1_000])
def test_a_status_that_is_no_number_is_a_bad_reply(listen: Listen, status: str) -> None:
    """The library h2 takes any text: it is the server's mistake, and the prober's line shows its beginning."""
    result = ask(listen(serving(page(status))), Options("/", version="2"))
    shown = f"wait: the status is not of three digits: {status[:32]!r}"
    assert (result.outcome, result.error) == (Outcome.BAD_REPLY, shown)


@pytest.mark.parametrize(
    ("version", "served", "spoken"), [("2", "h2", "2"), ("any", "h2", "2"), ("any", "http/1.1", None)]
)
def test_http2_over_tls(listen: Listen, version: str, served: str, spoken: str | None) -> None:
    """ALPN chooses; the certificate is checked against the file of `ca`, and its date is known."""
    plain = serving(page()) if served == "h2" else answering(ok())
    options = Options(tls=True, version=version, ca=str(MINE))
    result = ask(listen(over_tls(plain, MINE, served)), options)
    assert (result.outcome, result.error) == (Outcome.SUCCESS, "")
    assert result.fields.get("http_version") == spoken
    assert "not_after" in result.fields
    assert tuple(result.phases) == PHASES


def test_a_server_without_http2_is_a_tls_error(listen: Listen) -> None:
    """With version 2 a server that chooses no protocol fails, and nothing is requested."""
    asked: list[bytes] = []
    serve = over_tls(lambda sock: asked.append(sock.recv(99)), MINE)
    result = ask(listen(serve), Options(tls=True, version="2", ca=str(MINE)))
    assert result.outcome is Outcome.TLS_ERROR
    assert asked in ([], [b""])


def test_a_large_page_over_http2(listen: Listen) -> None:
    """A large page is read only up to the limit: the window opens as it is read."""

    def serve(sock: socket.socket) -> None:
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        started = False
        while data := sock.recv(65_536):
            connection.receive_data(data)
            if not started and connection.open_inbound_streams:
                connection.send_headers(1, [(":status", "200")])
                started = True
            while started and connection.local_flow_control_window(1) >= 8_000:
                connection.send_data(1, b"x" * 8_000)
            sock.sendall(connection.data_to_send())

    result = ask(listen(serve), SECOND)
    assert (result.outcome, result.error) == (Outcome.SUCCESS, "")
    assert MAX_BODY < result.received <= MAX_BODY + 16_384


def test_a_page_over_http2_that_does_not_end(listen: Listen) -> None:
    """The deadline also covers the body."""

    def answer(connection: H2Connection, stream: int, _got: Headers) -> None:
        connection.send_headers(stream, [(":status", "200")])
        while connection.local_flow_control_window(stream) >= 16_000:
            connection.send_data(stream, b"x" * 16_000)

    result = ask(listen(serving(answer)), SECOND, timeout=ENOUGH)
    assert (result.outcome, result.error) == (Outcome.TIMEOUT, f"transfer: no answer within {ENOUGH:g} s")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "wait: the answer is HTTP/1"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x01", "wait: no valid HTTP/2: "),
        (b"", "wait: the connection was closed before the answer"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", "wait: the connection was closed before the answer"),
        (b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x0b", "wait: the server reset the stream (error 11)"),
        (
            b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0b",
            "wait: the server ended the connection (error 11)",
        ),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" * 60_000, "wait: got more than 262144 bytes beside the body"),
    ],
    ids=["HTTP/1", "a frame of no stream", "closed", "settings alone", "reset", "go away", "flood"],
)
def test_bad_answers_over_http2(listen: Listen, data: bytes, why: str) -> None:
    """Each is a bad reply with its reason, and a flood of frames ends."""
    result = ask(listen(sending(data)), SECOND)
    assert (result.outcome, result.error[: len(why)]) == (Outcome.BAD_REPLY, why)


FRAME = st.builds(
    lambda kind, flags, stream, body: (
        len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body
    ),
    st.integers(0, 12),
    st.integers(0, 255),
    st.integers(0, 3),
    st.binary(max_size=40),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.lists(st.one_of(FRAME, st.binary(max_size=30)), max_size=6))
def test_any_frames_end_in_a_result(frames: list[bytes]) -> None:
    """Random frames are a bad reply or a page: no error of ours, and no endless wait."""
    with listening(sending(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"".join(frames))) as port:
        result = ask(port, SECOND)
    assert result.outcome in (Outcome.BAD_REPLY, Outcome.SUCCESS, Outcome.RESET), result.error
