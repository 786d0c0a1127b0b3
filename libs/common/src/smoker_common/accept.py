"""Accept connections within limits: close those over a limit, and keep running when the process has no descriptor left.

A shortage of descriptors logs one line when it begins and one when it ends. Refused connections log at most one line a
second.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from _socket import socket as PlainSocket  # closing never blocks: gevent's socket would only add its weight
from collections import Counter
from typing import Any, TypeVar

import gevent
from gevent.server import StreamServer
from loguru import logger

from smoker_common.admission import CLIENT, Admission
from smoker_common.listen import endpoint
from smoker_common.work import BaseWork

SHORTAGE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
PAUSE = 0.1  # seconds without accepting while there is a shortage; the clients wait in the backlog
MAX_ACCEPT = 100  # connections accepted before those that are open get a turn
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST and frees all memory at once (socket(7))

Socket = TypeVar("Socket", bound=PlainSocket)


class Acceptor(StreamServer, BaseWork):
    """A gevent StreamServer. A subclass turns each accepted descriptor into a connection in `do_read`.

    A subclass calls `admit_by` before it starts, and `left` once for each connection that has ended.
    """

    max_accept = MAX_ACCEPT
    accepted = 0  # connections so far, without those that were refused
    admission: Admission
    refused: Counter[str]  # connections closed at once, by reason
    _short = False

    def accept(self) -> tuple[int, tuple[Any, ...]] | None:
        """Return the descriptor and address of the next client, or None if no client waits or the next one was refused.

        A refused connection needs no greenlet. It ends this turn, so that open connections are served in between.
        """
        try:
            accepted: tuple[int, tuple[Any, ...]] = self.socket._accept()  # type: ignore[attr-defined]  # noqa: SLF001
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in SHORTAGE:
                self._wait_out(error)
            return None  # any other error: the client closed before it was accepted (accept(2), "Error handling")
        if self._short:
            self._short = False
            logger.info("accepting connections again", address=_name(self.address))
        descriptor, address = accepted
        if reason := self.admission.enter(address[0]):
            self.refused[reason] += 1
            self._close_at_once(descriptor)
            self.admission.tell(endpoint(address), reason, self._tell_refused)
            return None
        self.accepted += 1
        return accepted

    def accept_as(self, kind: type[Socket]) -> tuple[Socket, tuple[Any, ...]] | None:
        """Return the next client as a nonblocking socket of this kind, and its address; None as `accept` does."""
        accepted = self.accept()
        if accepted is None:
            return None
        descriptor, address = accepted
        sock = kind(self.socket.family, self.socket.type, self.socket.proto, descriptor)
        sock.setblocking(False)
        return sock, address

    def admit_by(self, admission: Admission | None) -> None:
        """Set the limits on open connections. Without `admission`, the default limits apply."""
        self.admission, self.refused = admission or Admission(), Counter()

    def left(self, address: tuple[Any, ...]) -> None:
        """Record that a connection from `address` has ended."""
        self.admission.leave(address[0])

    def _close_at_once(self, descriptor: int) -> None:
        listener = self.socket
        try:
            refused = PlainSocket(listener.family, listener.type, listener.proto, descriptor)
        except OSError:
            os.close(descriptor)
            return
        with contextlib.suppress(OSError):
            refused.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        refused.close()

    def _tell_refused(self, client: str, reason: str, count: int) -> None:
        most = self.admission.most_of_client if reason == CLIENT else self.admission.most
        logger.warning(
            "too many connections; new ones are closed",
            address=_name(self.address),
            client=client,
            reason=reason,
            limit=most,
            refused=count,
        )

    def _wait_out(self, error: OSError) -> None:
        if not self._short:
            self._short = True
            logger.error("no connection can be accepted for now", address=_name(self.address), error=error.strerror)
        self.stop_accepting()
        gevent.spawn_later(PAUSE, self._resume)

    def _resume(self) -> None:
        if self.started:
            self.start_accepting()

    def unready(self) -> str:
        """Return why the server is not ready, or an empty string."""
        return "" if self.started else "not listening"


def _name(address: str | tuple[Any, ...]) -> str:
    return endpoint(address) if isinstance(address, tuple) else address
