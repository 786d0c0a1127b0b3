"""The stream of server-sent events, for pages and `kubectl smoker watch`.

a look ─▶ summary, changed cells; a finding that opened, became worse or closed ─▶ one event ─▶ the queue of each client

The numbers of clients, of events that wait for a client, and of events that are kept for reconnecting clients are
bounded. A client that stops reading is disconnected: its queue overflows, or a write takes too long.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import msgspec
from gevent.queue import Empty, Queue
from loguru import logger

from smoker_diagnosis.state import PEER
from smoker_hub import incidents, judge
from smoker_hub.changes import PathsChange
from smoker_hub.hub import Hub
from smoker_hub.web import now
from smoker_hub.web.router import Flow, Problem, Values
from smoker_hub.web.sources import Sources
from smoker_hub.web.views import CellChange, MatrixDelta, Notification, Snapshot

KIND = "text/event-stream; charset=utf-8"
MOST = 100  # clients
WAITING = 64  # events that wait for one client
KEPT = 256  # events that a client can catch up with
CELLS = 500  # cells of one event; with more changes the client fetches the matrix again
QUIET = 15.0  # seconds without an event after which a comment is sent

Event = tuple[int, bytes]


def answer(sources: Sources, values: Values) -> Flow:
    """Return the stream from the event after `Last-Event-ID` on. Raises `Problem`."""
    return Flow(KIND, sources.stream.events(values["Last-Event-ID"]))


class Stream:
    """Sends the changes of `hub` to the clients."""

    def __init__(self, hub: Hub, *, quiet: float = QUIET, most: int = MOST) -> None:
        self._hub, self._quiet, self._most = hub, quiet, most
        self._clients: set[Queue[bytes | None]] = set()
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._process, self._number = os.urandom(4).hex(), 0
        self._closed = False

    @property
    def clients(self) -> int:
        """The number of clients."""
        return len(self._clients)

    def tell(self, change: incidents.Change) -> None:
        """Send a finding that opened, became worse or closed."""
        self._send("finding", Notification(change.kind, now.view(self._hub, change.incident)))

    def look(self, changes: Sequence[PathsChange]) -> None:
        """Send the changes of the last look."""
        if changes:
            cells = _cells(changes, self._hub)
            self._send("matrix", MatrixDelta(now.looked(self._hub), cells or [], cells is None))
        self._send("summary", now.summary(self._hub))

    def events(self, last: str) -> Iterator[bytes]:
        """Return the events for a client after the event `last`.

        Raises `Problem` if there are too many clients, or if the hub stops: a page asks again at once when its stream
        ends.
        """
        if self._closed:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "the hub stops")
        if len(self._clients) >= self._most:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{self._most} clients read the stream already")
        return self._run(last)

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for queue in list(self._clients):
            self._drop(queue)

    def _run(self, last: str) -> Iterator[bytes]:
        queue: Queue[bytes | None] = Queue(WAITING)
        first = self._missed(last)
        self._clients.add(queue)
        try:
            yield first
            while queue in self._clients:
                try:
                    event = queue.get(timeout=self._quiet)
                except Empty:
                    event = b":\n\n"
                if event is None:
                    return
                yield event
        finally:
            self._clients.discard(queue)

    def _missed(self, last: str) -> bytes:
        """Return the events since `last`, or a snapshot if they are no longer kept."""
        process, _, number = last.partition("-")
        if process == self._process and number.isascii() and number.isdigit():
            missed = int(number)
            if missed == self._number or (self._kept and self._kept[0][0] - 1 <= missed < self._number):
                return b"retry: 3000\n\n" + b"".join(event for each, event in self._kept if each > missed)
        hub = self._hub
        views = [now.view(hub, each) for each in hub.incidents.open]
        return b"retry: 3000\n" + self._event("snapshot", Snapshot(now.looked(hub), now.summary(hub), views))

    def _send(self, name: str, record: msgspec.Struct) -> None:
        self._number += 1
        event = self._event(name, record)
        self._kept.append((self._number, event))
        for queue in list(self._clients):
            if queue.full():
                logger.info("a client of the stream was disconnected because it does not read", waiting=WAITING)
                self._drop(queue)
            else:
                queue.put_nowait(event)

    def _event(self, name: str, record: msgspec.Struct) -> bytes:
        data = msgspec.json.encode(record)  # JSON has no line ends
        return b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (self._process.encode(), self._number, name.encode(), data)

    def _drop(self, queue: Queue[bytes | None]) -> None:
        self._clients.discard(queue)
        if not queue.full():
            queue.put_nowait(None)


def _cells(changes: Sequence[PathsChange], hub: Hub) -> list[CellChange] | None:
    """Return the current state of the cells that the changes affect; None if there are too many."""
    touched: dict[str, set[str]] = {}
    for change in changes:
        if change.state is None or change.layout:  # cells may have gone
            return None
        paths = (change.state.paths[place] for place in change.paths)
        touched.setdefault(change.key[0], set()).update(path.target for path in paths if path.role == PEER)
    if sum(map(len, touched.values())) > CELLS:
        return None
    letters: dict[tuple[str, str], set[judge.Letter]] = {}
    for state in hub.collected.states:
        late = hub.collected.waited.get((state.node, state.network), 0.0)
        targets = touched.get(state.node, ())
        for path in state.paths if targets else ():
            if path.role == PEER and path.target in targets:
                letters.setdefault((state.node, path.target), set()).add(judge.letter(path, state, late))
    return [CellChange(*pair, judge.merged(each)) for pair, each in letters.items()]
