"""Relays that misbehave on purpose, in front of a real target on loopback.

    with TcpRelay(("127.0.0.1", port), truncate(2)) as relay:
        ...  # whoever connects to relay.port gets 2 bytes of the target's answer and then FIN

What the client sends goes to the target unchanged; the fault is done to what comes back. `relay.fault` may be changed
at any time and holds for what comes next.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import gevent
from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer

HOST = "127.0.0.1"
BLOCK = 65_535  # bytes: the largest datagram
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST (socket(7))

Address = tuple[str, int]
Kind = Literal["pass", "drop", "delay", "trickle", "truncate", "reset", "duplicate", "corrupt"]


@dataclass(frozen=True)
class Fault:
    """What a relay does to the answers; the functions below make it."""

    kind: Kind
    seconds: float = 0.0  # of delay and trickle
    count: int = 0  # bytes, of truncate and reset


PASS = Fault("pass")
DROP = Fault("drop")  # TCP: accept and stay silent; UDP: swallow each datagram. The target hears of neither.
DUPLICATE = Fault("duplicate")  # TCP: each block twice in one segment; UDP: each datagram twice
CORRUPT = Fault("corrupt")  # each bit flipped


def delay(seconds: float) -> Fault:
    """Delay each block or datagram by so many seconds."""
    return Fault("delay", seconds=seconds)


def trickle(seconds: float) -> Fault:
    """TCP only: send byte by byte, with a pause before each."""
    return Fault("trickle", seconds=seconds)


def truncate(count: int) -> Fault:
    """TCP: `count` bytes of the answer, then FIN. UDP: `count` bytes of each datagram."""
    return Fault("truncate", count=count)


def reset(count: int) -> Fault:
    """TCP only: `count` bytes of the answer, then RST. It waits for an answer, so the request has arrived."""
    return Fault("reset", count=count)


def _flipped(data: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in data)


class TcpRelay:
    """Accepts connections on its own port and relays each to `target`. A missing target appears as FIN."""

    def __init__(self, target: Address, fault: Fault = PASS, host: str = HOST) -> None:
        self.target, self.fault = target, fault
        self.connections = 0  # accepted so far
        self._pool = Pool()
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((host, 0))
        listener.listen()
        self.port: int = listener.getsockname()[1]
        self._server = StreamServer(listener, self._serve, spawn=self._pool)
        self._server.start()

    def __enter__(self) -> TcpRelay:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(timeout=0)

    @property
    def open(self) -> int:
        """Return the connections that are open now."""
        return len(self._pool)

    def _serve(self, client: socket.socket, _address: Address) -> None:
        self.connections += 1
        with client, contextlib.suppress(OSError):
            if self.fault == DROP:
                while client.recv(BLOCK):
                    pass
                return
            with socket.create_connection(self.target) as upstream:
                requests = gevent.spawn(_copy, client, upstream)
                try:
                    if self._answer(upstream, client):
                        requests.join()  # until the client has closed too
                finally:
                    requests.kill()

    def _answer(self, upstream: socket.socket, client: socket.socket) -> bool:
        """Relay the answer up to FIN. Return False if closing the client's connection should reset it."""
        sent = 0
        while data := upstream.recv(BLOCK):
            fault = self.fault
            if fault.kind in ("truncate", "reset"):
                client.sendall(data[: fault.count - sent])
                sent += len(data)
                if sent < fault.count:
                    continue
                if fault.kind == "reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    return False
                break
            if fault.kind == "trickle":
                for byte in data:
                    gevent.sleep(fault.seconds)
                    client.sendall(bytes([byte]))
                continue
            gevent.sleep(fault.seconds)
            client.sendall({"duplicate": data + data, "corrupt": _flipped(data)}.get(fault.kind, data))
        client.shutdown(socket.SHUT_WR)
        return True


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Copy a stream until its end, and then the end."""
    with contextlib.suppress(OSError):
        while data := source.recv(BLOCK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


class UdpRelay:
    """Takes datagrams on its own port and relays them to `target`. A missing target appears as silence."""

    def __init__(self, target: Address, fault: Fault = PASS, host: str = HOST) -> None:
        self.target, self.fault = target, fault
        self.datagrams = 0  # taken from clients so far
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((host, 0))
        self.port: int = self._sock.getsockname()[1]
        self._upstreams: dict[Address, socket.socket] = {}
        self._pool = Pool()
        self._pool.spawn(self._requests)

    def __enter__(self) -> UdpRelay:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.kill()
        for sock in (self._sock, *self._upstreams.values()):
            sock.close()

    def _requests(self) -> None:
        while True:
            data, client = self._sock.recvfrom(BLOCK)
            self.datagrams += 1
            if self.fault == DROP:
                continue
            with contextlib.suppress(ConnectionRefusedError):  # the target is gone
                self._upstream(client).send(data)

    def _upstream(self, client: Address) -> socket.socket:
        if client not in self._upstreams:
            upstream = self._upstreams[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            upstream.connect(self.target)
            self._pool.spawn(self._answers, upstream, client)
        return self._upstreams[client]

    def _answers(self, upstream: socket.socket, client: Address) -> None:
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                data, fault = upstream.recv(BLOCK), self.fault
                if fault.kind in ("trickle", "reset"):
                    raise ValueError(f"no datagram can {fault.kind}")
                if fault.kind == "truncate":
                    data = data[: fault.count]
                elif fault.kind == "corrupt":
                    data = _flipped(data)
                for _ in range(2 if fault.kind == "duplicate" else 1):
                    gevent.spawn_later(fault.seconds, self._send, data, client)

    def _send(self, data: bytes, client: Address) -> None:
        with contextlib.suppress(OSError):  # closed while the datagram was delayed
            self._sock.sendto(data, client)


@contextlib.contextmanager
def refusing(kind: socket.SocketKind = socket.SOCK_STREAM, host: str = HOST) -> Iterator[int]:
    """Yield a port that refuses, by RST or ICMP, and that no other process can take meanwhile."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        if kind == socket.SOCK_DGRAM:
            sock.connect((host, port))  # it hears nobody but itself: the kernel refuses what others send
        yield port
