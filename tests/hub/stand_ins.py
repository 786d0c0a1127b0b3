"""What the hub's tests share: a manual clock, given places, and probers with given answers."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import gevent
import msgspec
from gevent.server import StreamServer

from smoker_common.clock import Clock
from smoker_common.listen import tcp_listener
from smoker_diagnosis.state import State, encode
from smoker_hub.collect import Address, Collector
from smoker_hub.diagnose import Diagnosis
from smoker_hub.hub import Hub
from smoker_hub.incidents import Change
from smoker_hub.nodes import Inventory

HOST = "127.0.0.1"
CLOSE = "Connection: close\r\n"
WALL = 1_700_000_000.0


class ManualClock(Clock):
    """Clocks that a test moves."""

    def __init__(self) -> None:
        self.instant = 1000.0

    def now(self) -> float:
        return self.instant

    def wall_time(self) -> float:
        return WALL + self.instant


class FixedAddresses:
    """Places that a test gives."""

    def __init__(self, *addresses: Address) -> None:
        self.addresses, self.has_listed = list(addresses), True

    @property
    def known(self) -> bool:
        return self.has_listed

    def __call__(self) -> list[Address]:
        return self.addresses

    def start(self) -> None:
        """Do nothing: the places are fixed."""

    def close(self) -> None:
        """Do nothing: the places are fixed."""


class Prober:
    """A prober on loopback: its state, or raw bytes instead, and the requests that it got."""

    def __init__(self, state: State) -> None:
        self.state, self.raw, self.silent = state, b"", False
        self.pages: dict[bytes, bytes] = {}  # by path, what it serves beside its state
        self.page: Callable[[bytes], bytes | None] = self.pages.get
        self.requests: list[bytes] = []
        self.listener = tcp_listener(HOST, 0)
        self.server = StreamServer(self.listener, self._serve)
        self.server.start()

    @property
    def address(self) -> Address:
        return Address(self.state.node, self.state.network, HOST, self.listener.getsockname()[1])

    def _serve(self, sock: socket.socket, _address: object) -> None:
        with sock, contextlib.suppress(OSError):
            self.requests.append(sock.recv(65_536))
            if self.silent:
                gevent.sleep(60)
            if self.raw:
                sock.sendall(self.raw)
                return
            body = self.page(self.requests[-1].split(b" ")[1]) or encode(self.state)
            tag = f'"{hash(body):x}"'
            if f"If-None-Match: {tag}".encode() in self.requests[-1]:
                sock.sendall(f"HTTP/1.1 304 Not Modified\r\n{CLOSE}ETag: {tag}\r\n\r\n".encode())
                return
            head = f"HTTP/1.1 200 OK\r\n{CLOSE}ETag: {tag}\r\nContent-Length: {len(body)}\r\n\r\n"
            sock.sendall(head.encode() + body)


def go_on(found: list[Prober], seconds: float) -> None:
    """Have each prober probe again this much later, with the same results."""
    for prober in found:
        state = prober.state
        paths = [msgspec.structs.replace(path, at=path.at + seconds) for path in state.paths]
        prober.state = msgspec.structs.replace(state, at=state.at + seconds, paths=paths)


@contextlib.contextmanager
def probers(states: list[State]) -> Iterator[list[Prober]]:
    """A prober for each state."""
    found = [Prober(state) for state in states]
    try:
        yield found
    finally:
        for prober in found:
            prober.server.stop(timeout=0)


def hub_of(
    found: list[Prober],
    clock: ManualClock,
    *tells: Callable[[Change], None],
    timeout: float = 5.0,
    cluster: str = "blue",
    nodes: Inventory | None = None,
) -> Hub:
    """Return a hub that asks these probers. `nodes`: those of the cluster."""
    places = FixedAddresses(*(prober.address for prober in found))
    collector = Collector(places, timeout=timeout, clock=clock.now)
    diagnosis = Diagnosis(nodes, clock)
    return Hub(places, collector, interval=5.0, cluster=cluster, tells=tells, diagnosis=diagnosis, clock=clock)
