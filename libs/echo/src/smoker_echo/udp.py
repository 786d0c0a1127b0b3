"""The UDP echo: it returns every datagram, from the address that received it.

A socket bound to one address answers from it without help. A socket bound to all addresses reads each datagram's
destination (IP_PKTINFO) and answers from there, which costs a third more CPU. So it opens another socket for each
destination it sees. From then on the kernel prefers that socket, because its binding is more specific.

The echo answers in the event loop's callback: a greenlet per datagram costs four times as much, and a full pool would
look like loss. The size of a batch is bounded, so that one busy socket does not starve the rest of the process.
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
MOST_OWN = 64  # addresses of this host that get their own socket; the first socket answers for the others


class UdpEcho(Answerer):
    """Echoes on one bound socket. The echoes that it opens for single addresses share its `never` and `rate`."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        observer: Observer | None = None,
        never: Collection[int] | None = None,
        rate: AnswerRate | None = None,
    ) -> None:
        super().__init__(sock, observer, never, rate)
        self.own: dict[str, UdpEcho] = {}  # the echoes for single addresses, by address
        self._any = sock.getsockname()[0] in ANY
        if self._any:
            ask_for_destination(sock)

    @property
    def counts(self) -> Counts:
        """Return the counts so far, with those of the echoes for single addresses."""
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
            # The same as `_may_answer`, inlined: this code runs most often.
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
        """Open an echo for `address`, unless it is empty or already has one."""
        if not address or address in self.own or len(self.own) >= MOST_OWN:
            return
        sock = None
        try:
            sock = socket.socket(self._plain.family, socket.SOCK_DGRAM)
            # Set only now: the first socket has the port, so no other process can share it (socket(7), ip(7)).
            for each in (self._plain, sock):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, self.server_port))
            sock.setblocking(False)
        except OSError:  # no descriptor left, or the address is gone: this socket keeps answering for it
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
        """Stop answering."""
        for echo in getattr(self, "own", {}).values():
            echo.close()
        super().close()


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
