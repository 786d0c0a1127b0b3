"""Track the open connections of a server: end those past their deadline, and let the rest finish at shutdown.

Each connection holds its deadline, and moving it is one assignment. A timer for each read would cost several times as
much. Instead, one sweep per PERIOD looks at all connections, so a connection ends at most one PERIOD late.
"""

from __future__ import annotations

import time
from typing import Generic, Protocol, TypeVar

import gevent
from gevent.event import Event
from loguru import logger

PERIOD = 1.0  # seconds between two sweeps


class Connection(Protocol):
    """A connection as `Connections` sees it."""

    deadline: float  #: `time.monotonic()` seconds

    def overdue(self) -> None:
        """End the connection or move its deadline. Called after the deadline has passed."""

    def cut(self) -> None:
        """Close the connection at once."""


C = TypeVar("C", bound=Connection)


class Connections(Generic[C]):
    """The set of a server's open connections."""

    def __init__(self) -> None:
        self._open: set[C] = set()
        self._none = Event()
        self._none.set()
        self._sweeper: gevent.Greenlet[[], None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: C) -> None:
        self._open.add(connection)
        self._none.clear()
        if self._sweeper is None:
            self._sweeper = gevent.spawn(self._sweep)

    def discard(self, connection: C) -> None:
        self._open.discard(connection)
        if not self._open:
            self._none.set()

    def each(self) -> list[C]:
        """Return the connections that are open now."""
        return list(self._open)

    def drain(self, seconds: float) -> int:
        """Wait at most `seconds` until all connections have ended, cut the rest, and return how many were cut."""
        self._none.wait(seconds)
        rest = self.each()
        for connection in rest:
            connection.cut()
        self._none.wait(PERIOD)
        if self._sweeper is not None:
            self._sweeper.kill()
        return len(rest)

    def _sweep(self) -> None:
        while True:
            gevent.sleep(PERIOD)
            now = time.monotonic()
            for connection in self.each():
                if connection.deadline < now:
                    try:
                        connection.overdue()
                    except Exception:
                        logger.exception("closing a connection failed")
                        self.discard(connection)
