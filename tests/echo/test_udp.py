"""The UDP echo: it answers every datagram from the requested address, and never another echo."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from smoker_common.listen import udp_sockets
from smoker_echo import udp
from smoker_echo.pktinfo import IN6_PKTINFO, IN_PKTINFO, IP_PKTINFO, answer_from
from smoker_echo.udp import UdpEcho
from tests.conftest import eventually, free_port, serving

Serve = Callable[..., "Served"]


class Served:
    """A running echo on all addresses, and the calls of its observer."""

    def __init__(self, **options: Any) -> None:
        self.seen: list[tuple[Any, ...]] = []
        sockets = udp_sockets("", 0)
        self.port: int = sockets[0].getsockname()[1]
        self.servers = [UdpEcho(sock, observer=lambda *seen: self.seen.append(seen), **options) for sock in sockets]
        for server in self.servers:
            server.start()

    def client(self, host: str = "127.0.0.1", port: int = 0) -> socket.socket:
        """Return a socket connected to the echo: the kernel drops datagrams from elsewhere."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("::1" if ":" in host else "127.0.0.1", port))
        sock.settimeout(10)
        sock.connect((host, self.port))
        return sock

    def stop(self) -> None:
        for server in self.servers:
            server.close()
            assert server.drain(1) == 0


serve = serving(Served)


@pytest.mark.parametrize("size", [0, 1, 4, 8192, 8193, 65_507])
def test_whole_datagrams_come_back(serve: Serve, size: int) -> None:
    """Empty datagrams and the largest possible ones come back in one piece."""
    data = bytes(i % 251 for i in range(size))
    with serve().client() as sock:
        sock.send(data)
        assert sock.recv(70_000) == data


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.77", "127.200.3.4", "::1"])
def test_the_answer_comes_from_the_address_that_was_asked(serve: Serve, host: str) -> None:
    """With several addresses and both families, a connected client gets the answer from its address."""
    with serve().client(host) as sock:
        for payload in (b"one", b"two"):
            sock.send(payload)
            assert sock.recv(10) == payload


def test_an_echo_port_is_never_answered_and_counted(serve: Serve) -> None:
    """A datagram from another echo's port gets no answer, because two echoes would answer each other for ever."""
    served = serve()
    evil = free_port(socket.SOCK_DGRAM)
    for server in served.servers:
        server.never = frozenset({evil})
    with served.client(port=evil) as sock, served.client() as fine:
        sock.send(b"x")
        eventually("it is counted", lambda: served.servers[0].counts.refused == {"echo_port": 1})
        fine.send(b"PING")
        assert fine.recv(10) == b"PING"
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(10)
    assert served.seen[0][3] == "refused: it comes from the port of an echo or a reflector"


def test_its_own_port_and_the_standard_one_are_echo_ports(serve: Serve) -> None:
    """By default datagrams from its own port on any host, and from RFC 862's port, get no answer."""
    served = serve()
    assert served.servers[0].never == {7, served.port}


def test_two_echoes_do_not_loop(serve: Serve) -> None:
    """A forged datagram from one echo's port to another echo gets no answer."""
    one = serve()
    for server in one.servers:
        server.close()
    sockets = [udp_sockets(host, one.port)[0] for host in ("127.7.7.7", "127.7.7.8")]
    first, other = (UdpEcho(sock) for sock in sockets)
    first.start()
    other.start()
    try:
        sockets[1].sendto(b"begin", ("127.7.7.7", one.port))
        eventually("it is refused", lambda: first.counts.refused["echo_port"] == 1)
        assert (first.counts.requests, other.counts.requests, other.counts.refused) == (0, 0, {})
    finally:
        first.close()
        other.close()


def test_a_flood_is_answered_in_batches_and_in_order(serve: Serve) -> None:
    """200 datagrams at once, more than a batch, all come back in order."""
    served = serve()
    with served.client() as sock:
        for number in range(200):
            sock.send(number.to_bytes(2, "big"))
        assert [int.from_bytes(sock.recv(10), "big") for _ in range(200)] == list(range(200))
    assert served.servers[0].counts.requests == 200


def test_an_answer_that_cannot_be_sent_is_reported(serve: Serve) -> None:
    """A send error is counted for its client, and the next one is served."""
    served = serve()
    server = served.servers[0]

    class Refusing:
        def __init__(self, sock: Any) -> None:
            self._sock, self.times = sock, 1

        def __getattr__(self, name: str) -> Any:
            return getattr(self._sock, name)

        def sendmsg(self, *arguments: Any) -> Any:
            if self.times:
                self.times -= 1
                raise PermissionError(1, "Operation not permitted")
            return self._sock.sendmsg(*arguments)

    server._plain = Refusing(server._plain)  # type: ignore[assignment]
    with served.client() as sock:
        sock.send(b"a")
        eventually("it is told", lambda: served.seen)
        sock.send(b"b")
        assert sock.recv(10) == b"b"
    assert served.seen[0][1:] == (1, 0, "the answer could not be sent: operation not permitted")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1"])
def test_each_local_address_gets_its_own_echo(serve: Serve, host: str) -> None:
    """A socket bound to the address answers the second datagram to it. Another process cannot take the port."""
    served = serve()
    server = served.servers[1 if ":" in host else 0]
    with served.client(host) as sock:
        for payload in (b"one", b"two", b"three"):
            sock.send(payload)
            assert sock.recv(10) == payload
    assert list(server.own) == [host]
    assert server.own[host].counts.requests == 2
    assert server.counts.requests == 3
    for address in (host, "::" if ":" in host else "0.0.0.0"):
        with socket.socket(server.family, socket.SOCK_DGRAM) as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if ":" in host:
                thief.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            with pytest.raises(OSError, match="in use"):
                thief.bind((address, served.port))


def test_the_echo_of_one_address_refuses_like_its_parent(serve: Serve) -> None:
    """Both sockets refuse the ports of echoes."""
    evil = free_port(socket.SOCK_DGRAM)
    served = serve(never={evil})
    with served.client() as fine, served.client(port=evil) as sock:
        fine.send(b"PING")
        assert fine.recv(10) == b"PING"
        sock.send(b"x")
        eventually("it is counted", lambda: served.servers[0].own["127.0.0.1"].counts.refused["echo_port"] == 1)
    assert served.servers[0].counts.refused == {"echo_port": 1}


def test_a_shortage_of_descriptors_only_costs_speed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no socket is available for an address, the first one keeps answering for it."""
    served = serve()
    with served.client() as sock:

        def none_left(*_: Any) -> Any:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(socket, "socket", none_left)
        for payload in (b"one", b"two"):
            sock.send(payload)
            assert sock.recv(10) == payload
    assert served.servers[0].own == {}


def test_an_unexpected_exception_does_not_end_the_service(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """gevent stops watching a socket whose callback raises.

    So a defect is reported and caught, and the next datagram is answered.
    """
    served = serve()

    def defect(*_: Any) -> Any:
        raise RuntimeError("a defect")

    with served.client() as sock, monkeypatch.context() as patched:
        patched.setattr(udp, "answer_from", defect)
        sock.send(b"one")
        eventually("it is told", lambda: served.seen)
    assert "a defect" in served.seen[0][3]
    with served.client() as sock:
        sock.send(b"two")
        assert sock.recv(10) == b"two"


def test_answers_leave_from_the_address_that_was_asked() -> None:
    """Answers keep the local address; the interface only for link-local ones.

    Multicast has no source (ip(7), RFC 3542).
    """
    v4 = IN_PKTINFO.pack(3, b"\x0a\0\0\1", b"\x0a\0\0\xff")
    assert answer_from(socket.IPPROTO_IP, IP_PKTINFO, v4)[0][2] == IN_PKTINFO.pack(0, b"\x0a\0\0\1", bytes(4))
    for address, interface in (("fd00::1", 0), ("fe80::1", 5)):
        packed = socket.inet_pton(socket.AF_INET6, address)
        answer = answer_from(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, IN6_PKTINFO.pack(packed, 5))
        assert answer[0][2] == IN6_PKTINFO.pack(packed, interface)
    multicast = IN6_PKTINFO.pack(socket.inet_pton(socket.AF_INET6, "ff02::1"), 5)
    assert answer_from(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, multicast) == []
    assert answer_from(0, 0, b"") == []
