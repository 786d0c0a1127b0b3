"""The server of transfers: it serves one at a time, to peers alone, and bounds bytes and seconds itself."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.socket import socket as GeventSocket
from gevent.socket import wait_read, wait_write
from loguru import logger

from smoker_common.accept import Acceptor
from smoker_common.admission import Admission
from smoker_outcome.failure import DeadlineExceeded
from smoker_prober.bandwidth import transfer, wire

ASKS = 1.0  # seconds for a request
SLACK = 2.0  # seconds beyond those of the transfer: its first and last bytes cross a slow link, too
LASTS = ASKS + wire.MOST_SECONDS + SLACK  # seconds of a connection at most
MOST = 8  # connections: one is served, and the others get an answer that says why not


class Limit:
    """A limit of the time by the clock, for waiting on sockets. Its methods raise `DeadlineExceeded`."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until = seconds, time.monotonic() + seconds

    def readable(self, sock: socket.socket) -> None:
        """Wait until `sock` can be read."""
        wait_read(sock.fileno(), self._left(), DeadlineExceeded())

    def writable(self, sock: socket.socket) -> None:
        """Wait until `sock` can be written."""
        wait_write(sock.fileno(), self._left(), DeadlineExceeded())

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(f"no answer within {self._seconds:g} s")
        return left


class BandwidthResponder(Acceptor):
    """Serves transfers on `listener` to the clients whose address is `permitted`, one client at a time."""

    def __init__(self, listener: socket.socket, permitted: Callable[[str], bool]) -> None:
        super().__init__(listener, handle=self._serve)
        self.admit_by(Admission(MOST, MOST))
        self._permitted = permitted
        self._serves = False
        self.served = 0  # transfers so far

    def do_read(self) -> tuple[GeventSocket, tuple[Any, ...]] | None:  # type: ignore[override]
        return self.accept_as(GeventSocket)

    def _serve(self, sock: GeventSocket, client: tuple[Any, ...]) -> None:
        """Answer one client, whatever it does, within `LASTS` seconds."""
        try:
            with gevent.Timeout(LASTS, DeadlineExceeded(f"no end within {LASTS:g} s")):
                self._answer(sock, plain(client[0]))
        except (OSError, wire.WireError) as broken:  # a timeout is an OSError
            logger.debug("a transfer for a peer broke off", client=client[0], cause=str(broken))
        finally:
            self.left(client)
            with contextlib.suppress(OSError):
                sock.close()

    def _answer(self, sock: GeventSocket, client: str) -> None:
        asks = Limit(ASKS)
        if not self._permitted(client):
            wanted, word = None, wire.STRANGER
            logger.warning("refused a transfer to an address that is no peer", client=client)
        else:
            wanted = wire.request_of(transfer.read_block(sock, asks))
            word = wire.BUSY if self._serves else wire.OK
        if wanted is None or word != wire.OK:
            transfer.write_block(sock, wire.block(word), asks)
            sock.shutdown(socket.SHUT_WR)
            transfer.receive(sock, wire.BLOCK, ASKS, asks)  # the request, so that closing sends no reset
            return
        self._serves = True
        try:
            transfer.write_block(sock, wire.block(word), asks)
            self._transfer(sock, wanted)
            self.served += 1
        finally:
            self._serves = False

    def _transfer(self, sock: GeventSocket, wanted: wire.Request) -> None:
        waits = Limit(wanted.seconds + SLACK)
        if wanted.direction == wire.UP:
            got = transfer.receive(sock, wanted.bytes, wanted.seconds + SLACK, waits)
            transfer.write_block(sock, wire.done(got.size, got.seconds), waits)
        else:
            found = transfer.send(sock, wanted.bytes, wanted.seconds, waits)
            transfer.write_block(sock, wire.sent(found.rate, found.retransmits), waits)
            sock.shutdown(socket.SHUT_WR)
            waits.readable(sock)  # until the client has read all, and closes

    def drain(self, seconds: float) -> int:
        """Wait at most `seconds` for a transfer in flight, and cut it then."""
        serves = self._serves
        self.stop(seconds)
        return int(serves and self._serves)


def plain(address: str) -> str:
    """Return `address` without what a socket adds: the interface, or the mapping of IPv4 into IPv6."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
