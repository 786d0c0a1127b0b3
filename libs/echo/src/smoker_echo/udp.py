"""The UDP echo: every datagram comes back, from the address that was asked.

A socket bound to one address answers from it by itself. One bound to all learns from each datagram which address was
asked (IP_PKTINFO) and answers from that; the cost is a third more CPU, so for each address that is asked it opens a
socket of its own beside itself, which the kernel prefers from then on (the more specific binding wins).

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
ANY = ("0.0.0.0", "::")
MOST_OWN = 64  # addresses of this host that get an echo of their own; the others are answered all the same

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
        self._answered = self._refused = 0
        self.never = frozenset({ECHO_PORT, sock.getsockname()[1]} if never is None else never)
        self.own: dict[str, UdpEcho] = {}  # the echoes of addresses that were asked, by address
        self._buffer = memoryview(bytearray(LARGEST))
        self._answer = self._answer_one_address
        if sock.getsockname()[0] in ANY:
            self._answer = self._answer_any_address
            _ask_for_destination(sock)

    @property
    def answered(self) -> int:
        """Datagrams answered so far."""
        return self._answered + sum(echo.answered for echo in self.own.values())

    @property
    def refused(self) -> int:
        """Datagrams that came from an echo port."""
        return self._refused + sum(echo.refused for echo in self.own.values())

    @staticmethod
    def _never_called(*_: object) -> None:
        """gevent wants a handle; `_do_read`, which it calls when the socket can be read, stands before it."""

    def _do_read(self) -> None:
        """Answer what has arrived. gevent stops watching a socket whose callback raises: nothing may leave it."""
        try:
            self._answer()
        except Exception as defect:
            self._tell(("?", 0), 0, f"a defect: {defect!r}")

    def _answer_one_address(self) -> None:
        buffer, never, observer = self._buffer, self.never, self.observer
        receive, send = self._plain.recvfrom_into, self._plain.sendto
        for _ in range(BATCH):
            try:
                count, client = receive(buffer)
            except OSError as error:
                self._unread(error)
                return
            if client[1] in never:
                self._refuse(client, count)
                continue
            try:
                send(buffer[:count], client)
            except OSError as error:
                self._unsent(client, count, error)
                continue
            self._answered += 1
            if observer is not None:
                observer(client, count, count, "")

    def _answer_any_address(self) -> None:
        for _ in range(BATCH):
            try:
                count, ancillary, _flags, client = self._plain.recvmsg_into([self._buffer], _ANCILLARY)
            except OSError as error:
                self._unread(error)
                return
            if client[1] in self.never:
                self._refuse(client, count)
                continue
            asked = ancillary[0] if ancillary else (0, 0, b"")
            try:
                self._plain.sendmsg([self._buffer[:count]], _answer_from(*asked), 0, client)
            except OSError as error:
                self._unsent(client, count, error)
                continue
            self._answered += 1
            if self.observer is not None:
                self.observer(client, count, count, "")
            self._learn(_own_address(*asked))

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
        self.own[address] = echo = UdpEcho(sock, observer=self.observer, never=self.never)
        echo.start()

    def _unread(self, error: OSError) -> None:
        if not isinstance(error, BlockingIOError | InterruptedError):
            self._tell(("?", 0), 0, f"the datagram could not be read: {_words(error)}")

    def _refuse(self, client: tuple[Any, ...], received: int) -> None:
        self._refused += 1
        self._tell(client, received, "refused: it comes from an echo port")

    def _unsent(self, client: tuple[Any, ...], received: int, error: OSError) -> None:
        self._tell(client, received, f"the answer could not be sent: {_words(error)}")

    def _tell(self, client: tuple[Any, ...], received: int, cause: str) -> None:
        if self.observer is not None:
            self.observer(client, received, 0, cause)

    def close(self) -> None:
        """Answer nothing more."""
        for echo in getattr(self, "own", {}).values():
            echo.close()
        super().close()

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


def _own_address(level: int, kind: int, data: bytes) -> str:
    """The unicast address that was asked, if a socket can be bound to it alone: not link-local, which needs a scope."""
    if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
        _, local, destination = IN_PKTINFO.unpack(data)
        return socket.inet_ntop(socket.AF_INET, local) if local == destination else ""
    if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
        destination, _ = IN6_PKTINFO.unpack(data)
        return socket.inet_ntop(socket.AF_INET6, destination) if destination[0] not in (0xFE, 0xFF) else ""
    return ""


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
