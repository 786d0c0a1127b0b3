"""Answer datagrams in the event loop's callback: the base class of the UDP echo and the STAMP reflector."""

from __future__ import annotations

import socket
from abc import abstractmethod
from collections.abc import Callable, Collection
from typing import Any

from gevent.server import DatagramServer

from smoker_common.work import BaseWork
from smoker_echo.answer_rate import AnswerRate
from smoker_echo.counts import Counts

LARGEST = 65_535  # bytes: more than any UDP payload (65,507 over IPv4, 65,527 over IPv6)
BATCH = 64  # datagrams answered before the rest of the process gets a turn
ECHO_PORT = 7  # RFC 862
ECHO_PORTS = (8062, 8081, 18062, 18081)  # the chart's defaults: pod network, then host network
LOWEST_PORT = 1024  # source ports below it belong to servers (echo, chargen, DNS, NTP), not to clients

#: Called for each datagram: client, bytes received, bytes sent, cause (empty when it was answered).
Observer = Callable[[tuple[Any, ...], int, int, str], None]


class Answerer(DatagramServer, BaseWork):
    """Answers on one bound socket, but not every datagram: two servers that answer everything would never stop.

    It refuses a source port in `never` (the ports of echoes and reflectors), a source port below 1024, and datagrams
    over `rate`, the cap of answers per source address. `never` is not copied, so that ports can be added later.
    """

    def __init__(
        self,
        sock: socket.socket,
        observer: Observer | None,
        never: Collection[int] | None,
        rate: AnswerRate | None,
    ) -> None:
        super().__init__(sock, handle=self._never_called)
        self._plain: socket.socket = getattr(sock, "_sock", sock)  # gevent's own would try to wait in the event loop
        self._buffer = memoryview(bytearray(LARGEST))
        self.observer = observer
        self._counts = Counts()
        self.never = {ECHO_PORT, sock.getsockname()[1]} if never is None else never
        self.rate = AnswerRate() if rate is None else rate

    @staticmethod
    def _never_called(*_: object) -> None:
        """Satisfy gevent, which requires a handle. `_do_read` replaces it."""

    def _do_read(self) -> None:
        """Answer the datagrams that have arrived. No exception may escape: gevent would stop watching the socket."""
        try:
            self.rate.tick()
            self._answer()
        except Exception as defect:
            self._fail(("?", 0), 0, f"a defect: {defect!r}")

    @property
    def counts(self) -> Counts:
        """Return the counts so far."""
        return self._counts

    @abstractmethod
    def _answer(self) -> None:
        """Answer one batch of datagrams."""

    def _tell(self, client: tuple[Any, ...], received: int, cause: str, sent: int = 0) -> None:
        if self.observer is not None:
            self.observer(client, received, sent, cause)

    def _fail(self, client: tuple[Any, ...], received: int, cause: str) -> None:
        self._counts.failed += 1
        self._tell(client, received, cause)

    def _refuse(self, client: tuple[Any, ...], received: int, reason: str, words: str) -> None:
        self._counts.refused[reason] += 1
        self._tell(client, received, words)

    def _may_answer(self, client: tuple[Any, ...]) -> bool:
        """Return whether to answer `client`, and count the answer if so."""
        port = client[1]
        return port not in self.never and port >= LOWEST_PORT and self.rate.allows(client[0])

    def _refuse_source(self, client: tuple[Any, ...], received: int) -> None:
        """Count a refused datagram and report the reason."""
        if client[1] in self.never:
            self._refuse(client, received, "echo_port", "refused: it comes from the port of an echo or a reflector")
        elif client[1] < LOWEST_PORT:
            self._refuse(client, received, "low_port", f"refused: it comes from a port below {LOWEST_PORT}")
        else:
            words = f"refused: its address had {self.rate.rate} answers within a second"
            self._refuse(client, received, "rate", words)

    def unready(self) -> str:
        """Return why the server is not ready, or an empty string."""
        return "" if self.started else "not listening"
