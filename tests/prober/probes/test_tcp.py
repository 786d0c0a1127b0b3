"""The TCP probe: connect, send PING, read PING back."""

from __future__ import annotations

import socket
from collections.abc import Callable

import gevent
import pytest

from smoker_prober.result import Outcome
from tests.conftest import eventually
from tests.prober.targets import RESET, Serve, answering, echo, probe, until_closed
from tests.relay import refusing

Listen = Callable[[Serve], int]


def test_an_echo_is_a_success(echoes: dict[str, int]) -> None:
    """With the real echo it succeeds with the address and the four bytes."""
    result = probe("tcp", echoes["tcp"])
    assert (result.outcome, result.address, result.received, result.fields.get("status"), result.error) == (
        Outcome.SUCCESS,
        "127.0.0.1",
        4,
        None,
        "",
    )


def test_over_ipv6() -> None:
    """An IPv6 literal is a target like any other."""
    try:
        with echo("tcp", "::1") as port:
            result = probe("tcp", port, host="::1")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert (result.outcome, result.address) == (Outcome.SUCCESS, "::1")


def test_each_probe_is_a_connection_of_its_own(listen: Listen) -> None:
    """Three probes are three connections, each with PING and then FIN."""
    seen: list[tuple[int, bytes]] = []

    def serve(sock: socket.socket) -> None:
        said = sock.recv(64)
        sock.sendall(said)
        seen.append((sock.getpeername()[1], said + sock.recv(64)))

    port = listen(serve)
    outcomes = [probe("tcp", port).outcome for _ in range(3)]
    eventually("the last one has closed too", lambda: len(seen) == 3)
    assert outcomes == [Outcome.SUCCESS] * 3
    assert [said for _, said in seen] == [b"PING"] * 3
    assert len({client for client, _ in seen}) == 3


def test_nobody_listening_is_refused() -> None:
    """RST to the SYN is `refused`, and the error names the connect."""
    with refusing() as port:
        result = probe("tcp", port)
    assert (result.outcome, result.error) == (Outcome.REFUSED, "connect: connection refused")
    assert tuple(result.phases) == ("resolve", "connect")


def test_no_route_is_unreachable() -> None:
    """Without a route the kernel reports it at once, and the error names the connect."""
    result = probe("tcp", 8080, host="127.255.255.255")  # the broadcast address of loopback: no TCP goes there
    assert (result.outcome, result.error) == (Outcome.UNREACHABLE, "connect: network is unreachable")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"PONG", "wait: got b'PONG' for b'PING'"),
        (b"PINGS", "wait: got b'PINGS' for b'PING'"),
        (b"X", "wait: got b'X' for b'PING'"),
        (b"ping", "wait: got b'ping' for b'PING'"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100, r"wait: got b'HTTP/1.1 400 Bad Request\r\n\r\nHTTP' for b'PING'"),
        (bytes(4), r"wait: got b'\x00\x00\x00\x00' for b'PING'"),
    ],
)
def test_another_answer_is_a_bad_reply(listen: Listen, answer: bytes, error: str) -> None:
    """A wrong byte is a bad reply at once, although the connection stays open. The error shows the bytes, escaped."""

    def serve(sock: socket.socket) -> None:
        sock.recv(64)
        sock.sendall(answer)
        until_closed(sock)

    result = probe("tcp", listen(serve))
    assert (result.outcome, result.error) == (Outcome.BAD_REPLY, error)


def test_endless_garbage_is_a_bad_reply(listen: Listen) -> None:
    """A target that never stops sending is left at its first wrong byte."""

    def serve(sock: socket.socket) -> None:
        while True:
            sock.sendall(b"\0" * 65_536)

    result = probe("tcp", listen(serve))
    assert result.outcome is Outcome.BAD_REPLY
    assert result.received <= 64


def test_a_reset_before_anything_is_reset(listen: Listen) -> None:
    """A target that accepts and then resets is `reset` and not `refused`: something listens there."""

    def serve(sock: socket.socket) -> None:
        sock.recv(64)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    result = probe("tcp", listen(serve))
    assert (result.outcome, result.error) == (Outcome.RESET, "wait: connection reset by peer")


def test_an_answer_in_pieces_is_an_answer(listen: Listen) -> None:
    """TCP has no boundaries: PI and then NG is PING."""

    def serve(sock: socket.socket) -> None:
        sock.recv(64)
        for piece in (b"PI", b"NG"):
            sock.sendall(piece)
            gevent.sleep(0.01)
        until_closed(sock)

    result = probe("tcp", listen(serve))
    assert (result.outcome, result.received) == (Outcome.SUCCESS, 4)


def test_bytes_after_a_whole_answer_are_not_awaited(listen: Listen) -> None:
    """The probe ends with the fourth byte, although the connection stays open."""
    assert probe("tcp", listen(answering(b"PING"))).outcome is Outcome.SUCCESS
