"""What the tests of notifications share: receivers on loopback, findings, and deliveries without pauses."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.server import StreamServer

from smoker_common.listen import tcp_listener
from smoker_hub.hub import Hub
from smoker_hub.notify.delivery import Delivery
from smoker_hub.notify.options import receivers
from smoker_hub.notify.receiver import Happening, Notice
from smoker_hub.web import now
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.stand_ins import HOST, ManualClock, Prober, hub_of

PAGE = "https://smoker.example/?view=finding&id="


@dataclass
class Request:
    """A received request: path, header fields in lower case, body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A listener that answers with `statuses` in turn, the last one again and again; 0: it never answers."""

    statuses: tuple[int, ...]
    fields: str = ""  # further header fields of its answers
    said: bytes = b""
    got: list[Request] = field(default_factory=list)
    url: str = ""
    tls: ssl.SSLContext | None = None
    clients: list[Any] = field(default_factory=list)  # the certificates that were shown

    def serve(self, sock: socket.socket, _address: object) -> None:
        with contextlib.suppress(OSError), self._secured(sock) as safe, safe.makefile("rb") as stream:
            path = stream.readline().split()[1].decode()
            headers = {}
            while line := stream.readline().strip():
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            self.got.append(Request(path, headers, stream.read(int(headers["content-length"]))))
            status = self.statuses[min(len(self.got), len(self.statuses)) - 1]
            while not status:
                gevent.sleep(60)
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(self.said)}\r\n{self.fields}Connection: close\r\n\r\n"
            safe.sendall(head.encode() + self.said)

    @contextlib.contextmanager
    def _secured(self, sock: socket.socket) -> Iterator[socket.socket]:
        with sock:
            if self.tls is None:
                yield sock
                return
            with self.tls.wrap_socket(sock, server_side=True) as safe:
                self.clients.append(safe.getpeercert())
                yield safe


@contextlib.contextmanager
def receiver(
    *statuses: int, fields: str = "", said: bytes = b"", tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """Yield a receiver that listens, for https with `tls`."""
    listener = tcp_listener(HOST, 0)
    scheme = "https" if tls else "http"
    url = f"{scheme}://{HOST}:{listener.getsockname()[1]}/hook"
    one = Receiver(statuses or (200,), fields, said, url=url, tls=tls)
    server = StreamServer(listener, one.serve)
    server.start()
    try:
        yield one
    finally:
        server.stop(timeout=0)


@contextlib.contextmanager
def delivery(
    url: str, type: str = "webhook", pause: Callable[[float], object] = lambda _: None, **options: Any
) -> Iterator[Delivery]:
    """Yield a delivery that has started and makes no pauses."""
    seconds = options.pop("seconds", 10.0)
    (found,) = receivers(json.dumps([{"type": type, "url": url, **options}]))
    one = Delivery(found, pause=pause, seconds=seconds)
    one.start()
    try:
        yield one
    finally:
        one.drain(0.0)


def faulty(*names: str, clock: ManualClock | None = None) -> tuple[list[Prober], Hub]:
    """Return the probers of a mesh in which `names` are dead, and a hub that has not looked yet."""
    found = [Prober(state) for state in states(*names)]
    return found, hub_of(found, clock or ManualClock())


def states(*names: str) -> Any:
    """Return the states of a mesh of twelve nodes in which `names` are dead."""
    everybody = sorted({*nodes(12), *names})
    return Cluster(everybody).fail(lambda link: any(link.touches(name) for name in names)).states()


def become(found: list[Prober], *names: str) -> None:
    """Make the probers serve the states of a mesh in which `names` are dead."""
    by_key = {(state.node, state.network): state for state in states(*names)}
    for prober in found:
        prober.state = by_key[prober.state.node, prober.state.network]


@contextlib.contextmanager
def looking(*names: str, clock: ManualClock | None = None) -> Iterator[tuple[Hub, list[Prober]]]:
    """Yield a hub that has looked often enough for the deaths of `names` to be open, and its probers."""
    found, hub = faulty(*names, clock=clock)
    try:
        hub.look()
        hub.look()
        yield hub, found
    finally:
        for prober in found:
            prober.server.stop(timeout=0)


def notice(hub: Hub, event: Happening = "open", page: str = "") -> Notice:
    """Return the notification about the hub's first open finding, or about the one that closed last."""
    incident = hub.incidents.open[0] if event == "open" else next(hub.incidents.recent())
    return Notice(event, now.view(hub, incident), page and page + incident.id)
