"""Datagrams that an echo and a reflector do not answer, because a forged source could begin a loop or flood others."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from smoker_common.listen import udp_sockets
from smoker_echo.answer_rate import SOURCES, AnswerRate
from smoker_echo.stamp import StampReflector
from smoker_echo.stamp_packet import LENGTH
from smoker_echo.udp import UdpEcho
from tests.conftest import eventually, free_port

KINDS = (UdpEcho, StampReflector)
PACKET = bytes(LENGTH)  # what a reflector takes for a packet of STAMP, and an echo for anything


@contextlib.contextmanager
def answering(kind: type[UdpEcho | StampReflector], host: str, rate: int) -> Iterator[UdpEcho | StampReflector]:
    """Run a server on a free port of `host`."""
    sock = udp_sockets(host or "0.0.0.0", free_port(socket.SOCK_DGRAM))[0]
    server = kind(sock, rate=AnswerRate(rate))
    server.start()
    try:
        yield server
    finally:
        server.close()


def client(host: str, port: int = 0) -> socket.socket:
    """Return a bound socket."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, port))
    sock.settimeout(10)
    return sock


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("kinds", [(UdpEcho, UdpEcho), (UdpEcho, StampReflector), (StampReflector, StampReflector)])
def test_two_servers_on_different_ports_soon_stop(kinds: tuple[type[UdpEcho | StampReflector], ...], host: str) -> None:
    """After one forged datagram two echoes answer each other only until one has reached its answers per second."""
    with answering(kinds[0], host, rate=50) as first, answering(kinds[1], host, rate=50) as other:
        other._plain.sendto(PACKET, first.address)
        eventually("one of them refuses", lambda: (first.counts + other.counts).refused)
        assert (first.counts + other.counts).refused == {"rate": 1}
        answers = (first.counts + other.counts).requests
        with client("::1" if ":" in host else "127.0.0.99") as fine:
            for server in (first, other):
                server.rate._answers.clear()  # as if another second had begun
                fine.sendto(PACKET, server.address)
                assert fine.recv(100)
        assert (first.counts + other.counts).requests == answers + 2  # nothing else was under way


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_answers_to_one_address_are_capped(kind: type[UdpEcho | StampReflector], host: str) -> None:
    """All ports of an address share one limit. Datagrams beyond it are refused and counted.

    Another address is answered.
    """
    with answering(kind, host, rate=20) as server:
        for _ in range(5):
            with client(host) as sock:
                for _ in range(10):
                    sock.sendto(PACKET, server.address)
        eventually("all are counted", lambda: server.counts.received == 50 * LENGTH)  # in one batch, so in one second
        assert (server.counts.requests, server.counts.refused) == (20, {"rate": 30})
        if host == "127.0.0.1":
            with client("127.0.0.99") as other:
                other.sendto(PACKET, server.address)
                assert other.recv(100)


def test_echoes_on_single_addresses_share_the_cap() -> None:
    """A socket that an echo opens for an address shares the counts of the socket that opened it."""
    with answering(UdpEcho, "", rate=5) as server, client("127.0.0.1") as sock:
        assert isinstance(server, UdpEcho)
        sock.sendto(b"1", ("127.0.0.1", server.server_port))
        assert sock.recv(10) == b"1"
        assert server.own["127.0.0.1"].rate is server.rate


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_low_port_is_not_answered(kind: type[UdpEcho | StampReflector], host: str) -> None:
    """A datagram from a port below 1024, where a server may answer the answer, is refused with its own reason."""
    with answering(kind, host, rate=20) as server:
        try:
            low = client(host, 1023)
        except PermissionError:
            pytest.skip("a port below 1024 needs a privilege")
        with low, client(host, free_port(socket.SOCK_DGRAM)) as fine:
            low.sendto(PACKET, server.address)
            fine.sendto(PACKET, server.address)
            assert fine.recv(100)
        assert (server.counts.requests, server.counts.refused) == (1, {"low_port": 1})


def test_a_second_has_its_own_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that reached the limit is answered again in the next second, and not before."""
    now = 100.0
    monkeypatch.setattr("smoker_echo.answer_rate.time.monotonic", lambda: now)
    rate = AnswerRate(2)
    rate.tick()
    assert [rate.allows("a") for _ in range(3)] == [True, True, False]
    now = 100.9
    rate.tick()
    assert not rate.allows("a")
    now = 101.0
    rate.tick()
    assert rate.allows("a")


def test_memory_is_bounded() -> None:
    """Beyond SOURCES addresses within a second all others share one count; those that have one keep it."""
    rate = AnswerRate(3)
    for number in range(SOURCES):
        assert rate.allows(f"address {number}")
    shared = [rate.allows(f"another {number}") for number in range(10)]
    assert shared == [True] * 3 + [False] * 7
    assert rate.allows("address 7")
    assert len(rate._answers) <= SOURCES + 1
