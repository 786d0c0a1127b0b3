"""What the prober's tests probe, and how."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from prometheus_client import CollectorRegistry

from smoker_common.clock import Clock
from smoker_common.listen import tcp_listener, udp_sockets
from smoker_diagnosis.state import PathState, decode
from smoker_echo.http import HttpEcho
from smoker_echo.tcp import TcpEcho
from smoker_echo.udp import UdpEcho
from smoker_prober.config.service import Hosts
from smoker_prober.peers.direction import Arrivals
from smoker_prober.prober import Prober
from smoker_prober.probes import run
from smoker_prober.result import Result
from smoker_prober.settings import Settings, read
from smoker_prober.sinks.metrics import Metrics
from smoker_prober.store import Store
from smoker_prober.store.identity import Identity
from smoker_prober.target import Path, Target, service_path

HOST, NODE = "127.0.0.1", "node-1"
PLENTY = 30.0  # seconds: a deadline that no loaded machine reaches, so that whatever ends a probe is not the deadline
SHORT = 0.1  # seconds: a deadline that is meant to be reached
ENOUGH = 0.4  # seconds: one that is meant to be reached, but not before a loaded machine has answered
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST (socket(7))

Serve = Callable[[socket.socket], None]
Client = tuple[str, int]


def target(kind: str = "tcp", port: int = 8080, host: str = "smoker-server") -> Target:
    """Return the target of an echo service."""
    return Target(kind, host, port, service_path(host, port))


def peer_path(node: str = "node-2", plane: str = "pod", family: str = "ipv4", zone: str = "") -> Path:
    """Return a path to a peer."""
    return Path("peer", node, plane, family, zone)


class Made:
    """A prober with its parts."""

    def __init__(self, settings: Settings, fixed: Hosts | None = None, clock: Clock | None = None) -> None:
        self.registry, self.arrivals = CollectorRegistry(), Arrivals()
        self.store = Store(Identity.of(settings), clock=clock)
        metrics = Metrics(self.registry, interval=settings.plan.interval, probes=settings.plan.echoed)
        self.prober = Prober(settings, fixed or {}, store=self.store, metrics=metrics, arrivals=self.arrivals)

    def path(self, name: str) -> PathState:
        """Return the state of the first path to the target `name`, as the hub reads it."""
        return next(path for path in decode(self.store.document()[1]).paths if path.target == name)


def probe(kind: str, port: int, *, host: str = HOST, timeout: float = PLENTY) -> Result:
    """Probe once, as a round does it."""
    return run(target(kind, port, host), NODE, timeout)


class Stepped(Clock):
    """Clocks that a test moves: both run, and the wall clock can be set."""

    def __init__(self) -> None:
        self._now, self._wall = 5_000.0, 1_800_000_000.0

    def passes(self, seconds: float, step: float = 0.0) -> None:
        """Let `seconds` pass, and set the wall clock forward by another `step`."""
        self._now, self._wall = self._now + seconds, self._wall + seconds + step

    def now(self) -> float:
        return self._now

    def wall_time(self) -> float:
        return self._wall


def spin(seconds: float) -> None:
    """Use a CPU for so many seconds."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def variables_for(ports: Mapping[str, int], timeout: float = PLENTY) -> dict[str, str]:
    """Return an environment in which these ports, by probe, are probed."""
    wanted = {f"{kind.upper()}_PORT": str(port) for kind, port in ports.items()}
    return wanted | {"SERVER_HOST": HOST, "NODE_NAME": NODE, "TEST_TIMEOUT": str(timeout)}


def settings_of(variables: Mapping[str, str]) -> Settings:
    """Return the settings of an environment without mistakes."""
    settings, problems = read(variables)
    assert not problems
    return settings


@contextlib.contextmanager
def echo(kind: str, host: str = HOST, port: int = 0) -> Iterator[int]:
    """Run the real echo of `kind` on loopback; yield its port."""
    sock = udp_sockets(host, port)[0] if kind == "udp" else tcp_listener(host, port)
    number: int = sock.getsockname()[1]
    server = {"tcp": TcpEcho, "udp": UdpEcho, "http": HttpEcho}[kind](sock)
    server.start()
    try:
        yield number
    finally:
        server.close()
        server.drain(0)


@contextlib.contextmanager
def hearing(answer: Callable[[socket.socket, bytes, Client], None], port: int = 0) -> Iterator[int]:
    """Run a UDP socket on loopback that calls `answer(sock, data, client)` for each datagram; yield its port."""

    def serve() -> None:
        while True:
            answer(sock, *sock.recvfrom(65_535))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, port))
        server = gevent.spawn(serve)
        try:
            yield sock.getsockname()[1]
        finally:
            server.kill()


@contextlib.contextmanager
def listening(serve: Serve, host: str = HOST) -> Iterator[int]:
    """Run a TCP server that calls `serve` for each connection and then closes it; yield its port."""

    def handle(sock: socket.socket, _address: object) -> None:
        with sock, contextlib.suppress(OSError):  # the prober may go first
            serve(sock)

    listener = tcp_listener(host, 0)
    server = StreamServer(listener, handle, spawn=Pool())
    server.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.stop(timeout=0)


def answering(data: bytes) -> Serve:
    """Take the request, send `data` and FIN, and stay until the prober has closed, too."""

    def serve(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        until_closed(sock)

    return serve


def until_closed(sock: socket.socket) -> None:
    """Read until the other side has closed."""
    while sock.recv(65_536):
        pass
