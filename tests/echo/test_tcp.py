"""The TCP echo: every byte, in order, whatever the peer does."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

from smoker_common.listen import tcp_listener
from smoker_echo.tcp import READ, TcpEcho
from tests.conftest import eventually, serving

Serve = Callable[..., "Served"]


class Served:
    """A running echo and the calls of its observer."""

    def __init__(self, host: str = "127.0.0.1", **options: Any) -> None:
        self.ended: list[tuple[Any, ...]] = []
        self.server = TcpEcho(tcp_listener(host, 0), observer=lambda *seen: self.ended.append(seen), **options)
        self.server.start()
        self.port = self.server.server_port

    def connect(self, host: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection((host, self.port), timeout=10)

    def stop(self) -> None:
        self.server.close()
        self.server.drain(0)


serve = serving(Served)


def read_exactly(sock: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count and (part := sock.recv(65536)):
        data += part
    return bytes(data)


@pytest.mark.parametrize("size", [1, 4, READ - 1, READ, READ + 1, 300_000])
def test_every_byte_comes_back_in_order(serve: Serve, size: int) -> None:
    """Data of any size comes back unchanged."""
    data = os.urandom(size)
    with serve().connect() as sock:
        sending = gevent.spawn(sock.sendall, data)
        assert read_exactly(sock, size) == data
        sending.get(timeout=10)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1"])
def test_both_families_are_answered(serve: Serve, host: str) -> None:
    """A server on all addresses answers IPv4 and IPv6."""
    with serve(host="").connect(host) as sock:
        sock.sendall(b"PING")
        assert sock.recv(10) == b"PING"


def test_a_half_closed_client_gets_every_byte_then_fin(serve: Serve) -> None:
    """A client that reads only after it has closed its side gets all of its 8 MiB, then the end."""
    served = serve()
    data = os.urandom(8 * 1024 * 1024)
    with served.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)

        def send() -> None:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

        sending = gevent.spawn(send)
        assert read_exactly(sock, len(data)) == data
        sending.get(timeout=10)
        assert sock.recv(10) == b""
    eventually("the observer is told", lambda: served.ended)
    assert served.ended[0][1:] == (len(data), len(data), "")


def fill_buffers(sock: socket.socket, done: Callable[[], Any]) -> None:
    """Send all that both kernels accept, and read nothing, until `done`."""
    sock.setblocking(False)

    def full() -> bool:
        with contextlib.suppress(BlockingIOError):
            for _ in range(100):
                sock.send(b"x" * 65536)
        return bool(done())

    eventually("nothing more can be sent", full)


def test_a_slow_reader_holds_bounded_memory(serve: Serve) -> None:
    """The echo does not read from a client that never reads: it holds only one read for it."""
    served = serve()
    open_now = served.server.connections.each
    with served.connect() as sock:
        fill_buffers(sock, lambda: any(conversation._owed for conversation in open_now()))
        (conversation,) = open_now()
        received, owed = conversation.received, len(conversation._owed)
        assert 0 < owed <= READ
        looks = iter(range(20))
        fill_buffers(sock, lambda: next(looks) == 19)
        assert (conversation.received, len(conversation._owed)) == (received, owed)


def test_an_idle_connection_is_closed(serve: Serve) -> None:
    """The connection of a client that sends nothing is closed with FIN, and the observer gets the reason."""
    served = serve(idle_timeout=0.2)
    with served.connect() as sock:
        assert sock.recv(10) == b""
    eventually("the observer is told", lambda: served.ended)
    assert "sends nothing" in served.ended[0][3]


def test_a_peer_that_stops_reading_is_idle_too(serve: Serve) -> None:
    """A connection whose client stops reading is reset, so that the kernel keeps none of its bytes."""
    served = serve(idle_timeout=0.2)
    with served.connect() as sock, pytest.raises(ConnectionError):
        fill_buffers(sock, lambda: False)
    assert "reads nothing" in served.ended[0][3]


def test_a_slow_but_reading_client_is_not_idle(serve: Serve) -> None:
    """A client that reads slowly outlives several idle timeouts."""
    served = serve(idle_timeout=1.5)
    with served.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        sending = gevent.spawn(sock.sendall, b"x" * 20_000_000)
        eventually("the echo owes bytes", lambda: any(c._owed for c in served.server.connections.each()))
        for _ in range(100):
            gevent.sleep(0.05)
            assert sock.recv(8192)
            assert not served.ended, served.ended
        sending.kill()


def test_a_reset_has_a_cause(serve: Serve) -> None:
    """A client that resets ends only its own connection, and the observer gets the kernel's words."""
    served = serve()
    with served.connect() as other:
        sock = served.connect()
        sock.sendall(b"x")
        assert sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
        eventually("the observer is told", lambda: served.ended)
        assert served.ended[0][3] == "connection reset by peer"
        other.sendall(b"PING")
        assert other.recv(10) == b"PING"


def test_drain_waits_and_then_cuts(serve: Serve) -> None:
    """After close no connection is accepted. Open ones are served until the time is up, then cut and counted."""
    served = serve()
    with served.connect() as sock:
        sock.sendall(b"a")
        assert sock.recv(1) == b"a"
        served.server.close()
        draining = gevent.spawn(served.server.drain, 0.2)
        sock.sendall(b"b")
        assert sock.recv(1) == b"b"
        with pytest.raises(ConnectionRefusedError):
            served.connect()
        assert draining.get(timeout=10) == 1
        assert sock.recv(1) == b""
    assert served.server.unready()


def test_ten_thousand_idle_connections_cost_at_most_250_mib(start: Any) -> None:
    """With 10,000 idle connections a new one is served, within 250 MiB."""
    many = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard > many + 500, f"too few descriptors: {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, many + 5000), hard))
    echo = start("smoker-tcp-echo", TCP_PORT=0, IDLE_TIMEOUT=300)
    address = ("127.0.0.1", echo.ports["TCP_PORT"])
    idle: list[socket.socket] = []
    try:
        for number in range(many):
            source = (f"127.0.0.{1 + number % 50}", 0)  # spread, so that no address runs out of ports
            idle.append(socket.create_connection(address, timeout=20, source_address=source))
        with socket.create_connection(address, timeout=20) as fresh:
            fresh.sendall(b"PING")
            assert fresh.recv(10) == b"PING"
        for sock in idle[:: many // 10]:
            sock.sendall(b"PING")
            assert sock.recv(10) == b"PING"
        status = Path(f"/proc/{echo.popen.pid}/status").read_text()
        resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
        assert resident <= 250, f"{resident:.0f} MiB"
    finally:
        for sock in idle:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
