"""The UDP echo: every datagram comes back, from the address that was asked.

A socket bound to one address answers from it by itself. One bound to all learns from each datagram which address was
asked (IP_PKTINFO) and answers from that; the cost is a third more CPU, so for each address that is asked it opens a
socket of its own beside itself, which the kernel prefers from then on (the more specific binding wins).

It answers in place, in the event loop's callback: a greenlet a datagram costs four times as much, and a pool that is
full would look like loss. A batch is bounded so that one busy socket does not starve the rest of the process.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from typing import Any

from smoker_echo.answer_rate import AnswerRate
from smoker_echo.counts import Counts
from smoker_echo.datagram import BATCH, LOWEST_PORT, Answerer, Observer
from smoker_echo.pktinfo import SPACE, answer_from, ask_for_destination, own_address

ANY = ("0.0.0.0", "::")
MOST_OWN = 64  # addresses of this host that get an echo of their own; the others are answered all the same


class UdpEcho(Answerer):
    """Echoes on one bound socket. The echoes that it opens for single addresses share its `never` and its `rate`."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        observer: Observer | None = None,
        never: Collection[int] | None = None,
        rate: AnswerRate | None = None,
    ) -> None:
        super().__init__(sock, observer, never, rate)
        self.own: dict[str, UdpEcho] = {}  # the echoes of addresses that were asked, by address
        self._any = sock.getsockname()[0] in ANY
        if self._any:
            ask_for_destination(sock)

    @property
    def counts(self) -> Counts:
        """What was counted so far, by the echoes of single addresses too."""
        return sum((echo.counts for echo in self.own.values()), self._counts)

    def _answer(self) -> None:
        if self._any:
            self._answer_any_address()
        else:
            self._answer_one_address()

    def _answer_one_address(self) -> None:
        buffer, never, allows = self._buffer, self.never, self.rate.allows
        observer, counts = self.observer, self._counts
        receive, send = self._plain.recvfrom_into, self._plain.sendto
        for _ in range(BATCH):
            try:
                count, client = receive(buffer)
            except OSError as error:
                self._unread(error)
                return
            counts.received += count
            # As `_may_answer`, without its call: this is the busiest path.
            if client[1] in never or client[1] < LOWEST_PORT or not allows(client[0]):
                self._refuse_source(client, count)
                continue
            try:
                send(buffer[:count], client)
            except OSError as error:
                self._unsent(client, count, error)
                continue
            counts.requests += 1
            counts.sent += count
            if observer is not None:
                observer(client, count, count, "")

    def _answer_any_address(self) -> None:
        for _ in range(BATCH):
            try:
                count, ancillary, _flags, client = self._plain.recvmsg_into([self._buffer], SPACE)
            except OSError as error:
                self._unread(error)
                return
            self._counts.received += count
            if not self._may_answer(client):
                self._refuse_source(client, count)
                continue
            asked = ancillary[0] if ancillary else (0, 0, b"")
            try:
                self._plain.sendmsg([self._buffer[:count]], answer_from(*asked), 0, client)
            except OSError as error:
                self._unsent(client, count, error)
                continue
            self._counts.requests += 1
            self._counts.sent += count
            if self.observer is not None:
                self.observer(client, count, count, "")
            self._learn(own_address(*asked))

    def _learn(self, address: str) -> None:
        """Open an echo of its own for `address`, if it is one and has none yet."""
        if not address or address in self.own or len(self.own) >= MOST_OWN:
            return
        sock = None
        try:
            sock = socket.socket(self._plain.family, socket.SOCK_DGRAM)
            # Set on both sockets now, after the first one has the port: nobody else can share it (socket(7), ip(7)).
            for each in (self._plain, sock):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, self.server_port))
            sock.setblocking(False)
        except OSError:  # no descriptor left, the address has gone: this socket goes on answering for it
            if sock is not None:
                sock.close()
            return
        finally:
            self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        self.own[address] = echo = UdpEcho(sock, observer=self.observer, never=self.never, rate=self.rate)
        echo.start()

    def _unread(self, error: OSError) -> None:
        if not isinstance(error, BlockingIOError | InterruptedError):
            self._fail(("?", 0), 0, f"the datagram could not be read: {_words(error)}")

    def _unsent(self, client: tuple[Any, ...], received: int, error: OSError) -> None:
        self._fail(client, received, f"the answer could not be sent: {_words(error)}")

    def close(self) -> None:
        """Answer nothing more."""
        for echo in getattr(self, "own", {}).values():
            echo.close()
        super().close()


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
