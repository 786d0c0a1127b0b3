"""The UDP echo: every datagram comes back, from the address that was asked.

It answers in place, in the event loop's callback: a greenlet a datagram costs four times as much, and a pool that is
full would look like loss. A batch is bounded so that one busy socket does not starve the rest of the process.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable, Collection
from typing import Any

from gevent.server import DatagramServer

LARGEST = 65_535  # bytes: more than any UDP payload (65,507 over IPv4, 65,527 over IPv6)
BATCH = 64  # datagrams answered before the rest of the process gets a turn
ECHO_PORT = 7  # RFC 862

IP_PKTINFO = 8  # linux/in.h, ip(7); the socket module has no name for it
IN_PKTINFO = struct.Struct("=I4s4s")  # interface, local address of the packet (ipi_spec_dst), destination in its header
IN6_PKTINFO = struct.Struct("=16sI")  # destination in its header, interface (RFC 3542)
_ANCILLARY = socket.CMSG_SPACE(IN6_PKTINFO.size)
_KNOWN_ADDRESSES = 1024  # of this host; more are computed again each time

Ancillary = list[tuple[int, int, bytes]]

#: Called for each datagram: client, bytes received, bytes sent, cause (empty when it was answered).
Observer = Callable[[tuple[Any, ...], int, int, str], None]


class UdpEcho(DatagramServer):
    """Echoes on one bound socket. A datagram from a port in `never` is counted in `refused` and not answered.

    Two echoes that hear of each other would talk for ever, and one forged datagram is enough to start them.
    """

    def __init__(
        self, sock: socket.socket, *, observer: Observer | None = None, never: Collection[int] | None = None
    ) -> None:
        super().__init__(sock, handle=self._never_called)
        self._plain: socket.socket = getattr(sock, "_sock", sock)  # gevent's own would try to wait in the event loop
        self.observer = observer
        self.answered = self.refused = 0
        self.never = frozenset({ECHO_PORT, sock.getsockname()[1]} if never is None else never)
        self._buffer = memoryview(bytearray(LARGEST))
        self._sources: dict[bytes, Ancillary] = {}
        _ask_for_destination(sock)

    @staticmethod
    def _never_called(*_: object) -> None:
        """gevent wants a handle; `_do_read` stands before it."""

    def _do_read(self) -> None:
        """Answer what has arrived: gevent calls this when the socket can be read."""
        receive, send, buffer = self._plain.recvmsg_into, self._plain.sendmsg, [self._buffer]
        for _ in range(BATCH):
            try:
                count, ancillary, _flags, client = receive(buffer, _ANCILLARY)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._tell(("?", 0), 0, 0, f"the datagram could not be read: {error.strerror}")
                return
            if client[1] in self.never:
                self.refused += 1
                self._tell(client, count, 0, "refused: it comes from an echo port")
                continue
            try:
                send([self._buffer[:count]], self._source(ancillary), 0, client)
            except OSError as error:
                self._tell(client, count, 0, f"the answer could not be sent: {(error.strerror or str(error)).lower()}")
                continue
            self.answered += 1
            if self.observer is not None:
                self.observer(client, count, count, "")

    def _tell(self, client: tuple[Any, ...], received: int, sent: int, cause: str) -> None:
        if self.observer is not None:
            self.observer(client, received, sent, cause)

    def _source(self, ancillary: Ancillary) -> Ancillary:
        """What makes the answer leave from the address the datagram was sent to."""
        if not ancillary:
            return ancillary
        level, kind, data = ancillary[0]
        known = self._sources.get(data)
        if known is None:
            known = _answer_from(level, kind, data)
            if len(self._sources) < _KNOWN_ADDRESSES:
                self._sources[data] = known
        return known

    def drain(self, seconds: float) -> int:  # noqa: ARG002  the other servers have something to wait for
        """Nothing is ever in flight."""
        return 0

    def unready(self) -> str:
        """Why it does not serve, or an empty string."""
        return "" if self.started else "not listening"

    def stuck(self) -> str:
        """Never: an event loop that answers turns."""
        return ""


def _ask_for_destination(sock: socket.socket) -> None:
    """Have each datagram arrive with the address it was sent to."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    elif sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


def _answer_from(level: int, kind: int, data: bytes) -> Ancillary:
    """The ancillary data of an answer. The interface stays the kernel's choice but for link-local addresses."""
    if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
        _, local, _ = IN_PKTINFO.unpack(data)
        return [(level, kind, IN_PKTINFO.pack(0, local, bytes(4)))]
    if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
        destination, interface = IN6_PKTINFO.unpack(data)
        if destination[0] == 0xFF:  # multicast: no source address
            return []
        link_local = destination[0] == 0xFE and destination[1] & 0xC0 == 0x80
        return [(level, kind, IN6_PKTINFO.pack(destination, interface if link_local else 0))]
    return []
