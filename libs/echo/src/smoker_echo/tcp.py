"""The TCP echo: it returns every byte, in order.

Callbacks of the event loop serve the connections, not greenlets. An echo has no state except unsent bytes, and a
connection needs a tenth of the memory and a third less CPU this way. A connection either reads or, while it has unsent
bytes, writes. So it never holds more than the bytes of one read.
"""

from __future__ import annotations

import contextlib
import socket
import time
from _socket import socket as PlainSocket  # callbacks never block, so gevent's socket would only cost memory
from collections.abc import Callable
from typing import Any

from smoker_common.accept import RESET, Acceptor
from smoker_common.admission import Admission
from smoker_common.connections import Connections
from smoker_echo.counts import Counts

IDLE_TIMEOUT = 30.0  # seconds
READ = 16 * 1024  # bytes; docs/design/0003-tcp-read-size.md has the figures
_READ_EVENT, _WRITE_EVENT = 1, 2

#: Called when a connection has ended: client, bytes received, bytes sent, cause (empty when the client closed).
Observer = Callable[[tuple[Any, ...], int, int, str], None]


class Conversation:
    """One connection. `Connections` tracks it."""

    __slots__ = ("_owed", "_server", "_sock", "_watcher", "client", "deadline", "received", "sent")

    def __init__(self, server: TcpEcho, sock: PlainSocket, client: tuple[Any, ...]) -> None:
        self._server, self._sock, self.client = server, sock, client
        self._owed = b""  # bytes read and not yet passed to the kernel
        self.received = self.sent = 0
        self.deadline = time.monotonic() + server.idle_timeout
        self._watcher = server.loop.io(sock.fileno(), _READ_EVENT)
        self._watcher.start(self._readable)

    def _readable(self) -> None:
        server, sock = self._server, self._sock
        buffer = server.buffer
        try:
            count = sock.recv_into(buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(_cause(error))
            return
        if not count:
            self._end("")
            return
        self.received += count
        self.deadline = time.monotonic() + server.idle_timeout
        data = buffer[:count]
        try:
            sent = sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._end(_cause(error))
            return
        self.sent += sent
        if sent < count:
            self._owed = bytes(data[sent:])
            self._watch(_WRITE_EVENT, self._writable)

    def _writable(self) -> None:
        try:
            sent = self._sock.send(self._owed)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(_cause(error))
            return
        self.sent += sent
        self._owed = self._owed[sent:]
        self.deadline = time.monotonic() + self._server.idle_timeout
        if not self._owed:
            self._watch(_READ_EVENT, self._readable)

    def _watch(self, event: int, callback: Callable[[], None]) -> None:
        self._watcher.stop()
        self._watcher.close()
        self._watcher = self._server.loop.io(self._sock.fileno(), event)
        self._watcher.start(callback)

    def overdue(self) -> None:
        """End an idle connection. A slow reader is not idle: TCP_NOTSENT_LOWAT reports its progress early."""
        reads = "reads nothing" if self._owed else "sends nothing"
        self._end(f"idle: the client {reads} for {self._server.idle_timeout:g} s", reset=bool(self._owed))

    def cut(self) -> None:
        self._end("stopping", reset=bool(self._owed))

    def _end(self, cause: str, *, reset: bool = False) -> None:
        self._watcher.stop()
        self._watcher.close()
        if reset:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._sock.close()  # the kernel still delivers its bytes, then FIN
        self._server.ended(self, cause)


class TcpEcho(Acceptor):
    """Echoes on `listener`. `observer` is called after each connection has ended."""

    def __init__(
        self,
        listener: socket.socket,
        *,
        observer: Observer | None = None,
        idle_timeout: float = IDLE_TIMEOUT,
        read: int = READ,
        admission: Admission | None = None,
    ) -> None:
        super().__init__(listener, handle=self._never, spawn=None)
        self.observer, self.idle_timeout = observer, idle_timeout
        self.admit_by(admission)
        self.buffer = memoryview(bytearray(read))  # shared: it is free again before the next callback
        self.connections: Connections[Conversation] = Connections()
        self._ended = Counts()  # of the connections that have ended

    @staticmethod
    def _never(*_: object) -> None:
        """Satisfy gevent, which requires a handle. `do_handle` replaces it."""

    def do_read(self) -> tuple[PlainSocket, tuple[Any, ...]] | None:  # type: ignore[override]
        return self.accept_as(PlainSocket)

    def do_handle(self, sock: PlainSocket, client: tuple[Any, ...]) -> None:
        self.connections.add(Conversation(self, sock, client))

    def ended(self, conversation: Conversation, cause: str) -> None:
        """Record the end of a connection. Each conversation calls this once."""
        self.connections.discard(conversation)
        self.left(conversation.client)
        self._ended.failed += bool(cause)
        self._ended.received += conversation.received
        self._ended.sent += conversation.sent
        if self.observer is not None:
            self.observer(conversation.client, conversation.received, conversation.sent, cause)

    @property
    def counts(self) -> Counts:
        """Return the counts so far, with the bytes of open connections."""
        still = self.connections.each()
        received, sent = sum(each.received for each in still), sum(each.sent for each in still)
        return self._ended + Counts(self.accepted, len(still), received=received, sent=sent, refused=self.refused)

    def drain(self, seconds: float) -> int:
        """Wait at most `seconds` for the open connections, cut the rest, and return how many were cut."""
        return self.connections.drain(seconds)


def _cause(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
