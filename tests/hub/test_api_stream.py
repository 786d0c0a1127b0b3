"""The stream of events: what a client gets, what it gets after a break, and when it is dropped."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest

from smoker_common.listen import tcp_listener
from smoker_hub.hub import Hub
from smoker_hub.web import api
from smoker_hub.web.router import Problem
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import CELLS, KEPT, WAITING, Stream
from tests.conftest import eventually
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.stand_ins import HOST, ManualClock, Prober, hub_of, probers
from tests.hub.test_api import ask
from tests.hub.test_hub import become

DEAD = "node-2"
_clients: list[Client] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """End all clients of a test with it."""
    yield
    while _clients:
        _clients.pop().close()


class Client:
    """A reader of the stream over a socket of its own."""

    def __init__(self, port: int, last: str = "") -> None:
        self.sock = socket.create_connection((HOST, port), timeout=10)
        head = f"GET /api/v1/stream HTTP/1.1\r\nHost: a\r\nLast-Event-ID: {last}\r\n\r\n"
        self.sock.sendall(head.encode())
        self.file = self.sock.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        while self.file.readline() != b"\r\n":
            pass
        self.rest = b""
        _clients.append(self)

    def part(self) -> bytes:
        """Return the next chunk, empty at the end."""
        size = int(self.file.readline() or b"0", 16)
        data = self.file.read(size)
        self.file.readline()
        return data

    def event(self) -> tuple[str, str, Any]:
        """Return id, name and data of the next event."""
        while b"\n\n" not in self.rest:
            part = self.part()
            assert part, "the stream has ended"
            self.rest += part
        text, _, self.rest = self.rest.partition(b"\n\n")
        fields = dict(line.split(": ", 1) for line in text.decode().splitlines())
        if "data" not in fields:
            return self.event()
        return fields["id"], fields["event"], json.loads(fields["data"])

    def close(self) -> None:
        self.file.close()
        self.sock.close()


@contextlib.contextmanager
def streaming(found: list[Prober], **options: Any) -> Iterator[tuple[Hub, Stream, int]]:
    """A hub that streams, its stream and its port."""
    hub = hub_of(found, ManualClock())
    stream = Stream(hub, **options)
    hub.follow(stream.tell, stream.look)
    listener = tcp_listener(HOST, 0)
    server = api.Server(listener, Sources(hub=hub, stream=stream))
    server.start()
    try:
        yield hub, stream, listener.getsockname()[1]
    finally:
        server.close()
        server.drain(5.0)


def test_a_client_sees_a_fault_open_and_close() -> None:
    """A client first gets a snapshot, then with each look the summary, the changed cells and the finding."""
    with probers(Cluster(nodes(5)).states()) as found, streaming(found) as (hub, _, port):
        hub.look()
        client = Client(port)
        _, name, snapshot = client.event()
        assert (client.status, name, snapshot["findings"], snapshot["summary"]["state"]) == (
            200,
            "snapshot",
            [],
            "healthy",
        )
        become(found, Cluster(nodes(5)).fail(lambda link: link.touches(DEAD)))
        hub.look()
        _, name, delta = client.event()
        assert (name, delta["reload"]) == ("matrix", False)
        assert {(cell["from"], cell["to"]): cell["state"] for cell in delta["cells"]}["node-1", DEAD] == "f"
        assert len(delta["cells"]) == 8
        assert client.event()[1] == "summary"
        hub.look()
        _, name, opened = client.event()
        assert (name, opened["event"], opened["finding"]["finding"]["scope"]["nodes"]) == ("finding", "open", [DEAD])
        assert client.event()[2]["state"] == "faults"
        become(found, Cluster(nodes(5)))
        for _ in range(3):
            hub.look()
        events = [client.event() for _ in range(5)]
        assert [name for _, name, _ in events] == ["matrix", "summary", "summary", "finding", "summary"]
        assert events[3][2]["event"] == "close"
        client.close()


def test_a_client_that_comes_back_gets_what_it_missed() -> None:
    """Last-Event-ID selects the missed events. An unknown id, or one of another process, gets a snapshot."""
    with probers(Cluster(nodes(3)).states()) as found, streaming(found) as (hub, _, port):
        hub.look()
        client = Client(port)
        last = client.event()[0]
        client.close()
        hub.look()
        hub.look()
        again = Client(port, last)
        assert [again.event()[1] for _ in range(2)] == ["summary", "summary"]
        for unknown in ("", "0-1", "x", last.partition("-")[0] + "-999999", last + "٣"):
            assert Client(port, unknown).event()[1] == "snapshot"
        for _ in range(KEPT + 1):
            hub._follow[0]([])
        assert Client(port, last).event()[1] == "snapshot"
        again.close()


def test_many_changes_become_one_event() -> None:
    """If too many cells change, or paths come or go, a client fetches the matrix again."""
    names = nodes(30)
    with probers(Cluster(names, peers=29, host=False).states()) as found, streaming(found) as (hub, stream, _):
        hub.look()
        hub.look()
        become(found, Cluster(names, peers=29, host=False).fail(lambda link: True))
        hub.look()
        assert len(names) * (len(names) - 1) > CELLS
        deltas = [json.loads(event.split(b"data: ")[1]) for _, event in stream._kept if b"event: matrix" in event]
        assert [(delta["reload"], delta["cells"]) for delta in deltas] == [(True, []), (True, [])]


def test_a_quiet_stream_has_comments() -> None:
    """A stream without events has comments, so that a proxy does not close it."""
    with streaming([], quiet=0.01) as (_, _, port):
        client = Client(port)
        assert client.event()[1] == "snapshot"
        assert client.part() == b":\n\n"
        client.close()


def test_clients_are_bounded_and_a_silent_reader_is_dropped(records: list[str]) -> None:
    """One client too many gets a 503. One whose events pile up is dropped and makes room."""
    with streaming([], most=1) as (hub, stream, port):
        client = Client(port)
        assert client.event()[1] == "snapshot"
        assert Client(port).status == 503
        assert ask(hub, "/api/v1/stream", "HEAD")[2]["Allow"] == "GET"
        assert stream.clients == 1
        for _ in range(WAITING + 1):  # no turn for the client in between
            stream.look([])
        assert stream.clients == 0
        assert [line for line in records if "a client of the stream was disconnected" in line]
        assert Client(port).status == 200


def test_a_client_that_goes_away_leaves_nothing() -> None:
    """The place of a client that left is free once the next write fails."""
    with streaming([], quiet=0.01) as (_, stream, port):
        client = Client(port)
        client.event()
        assert stream.clients == 1
        client.close()
        eventually("its place is free", lambda: stream.clients == 0)


def test_streams_end_with_the_server() -> None:
    """A hub that stops does not wait for its readers."""
    hub = hub_of([], ManualClock())
    stream = Stream(hub)
    listener = tcp_listener(HOST, 0)
    server = api.Server(listener, Sources(hub=hub, stream=stream))
    server.start()
    client = Client(listener.getsockname()[1])
    client.event()
    server.close()
    assert server.drain(10.0) == 0
    assert client.part() == b""
    client.close()


def test_a_hub_that_stops_says_so_to_a_new_client() -> None:
    """A page asks again when its stream ends. Its answer is not that too many read the stream."""
    stream = Stream(hub_of([], ManualClock()))
    stream.close()
    with pytest.raises(Problem, match=r"^the hub stops$") as raised:
        stream.events("")
    assert raised.value.status == HTTPStatus.SERVICE_UNAVAILABLE
