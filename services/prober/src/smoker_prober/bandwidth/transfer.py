"""The two ends of a transfer: bytes that leave without a queue, and bytes that are counted and thrown away."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from itertools import chain, repeat
from typing import NamedTuple, Protocol

import gevent

from smoker_prober.bandwidth.pace import SEGMENTS, START, Pace
from smoker_prober.bandwidth.wire import BLOCK
from smoker_prober.kernel import tcp_flow

PIECE = 128 * 1024  # bytes of a send or a read at most; after each of them other greenlets run
UNSENT = 128 * 1024  # bytes that wait in the socket: what is left there when the time is over must leave, too
LOOK = 0.005  # seconds between two looks at TCP_INFO
#: The kernel does not pace the first ten segments of a connection (tcp_update_skb_after_send in net/ipv4/tcp_output.c).
UNPACED = 10 // SEGMENTS  # first pieces, which leave one in `LOOK` seconds
#: Linux' pfifo_fast and its kin send these after everything else (tc-prio(8)).
BULK = 2
_ZEROS = memoryview(bytes(PIECE))


class Waits(Protocol):
    """A limit of the time for waiting, whose methods raise once it is over."""

    def readable(self, sock: socket.socket) -> None:
        """Wait until `sock` can be read."""

    def writable(self, sock: socket.socket) -> None:
        """Wait until `sock` can be written."""


class Sent(NamedTuple):
    """What the sender found: bytes per second by the kernel (None: not known), and segments sent again."""

    rate: float | None
    retransmits: int


class Received(NamedTuple):
    """What the receiver counted: bytes, and seconds from the first read to the last one."""

    size: int
    seconds: float
    last: bytes  # the last block of what came

    @property
    def rate(self) -> float | None:
        """Return the bytes per second by the clock; None where all came at once."""
        return self.size / self.seconds if self.seconds > 0 else None


def send(sock: socket.socket, most: int, seconds: float, waits: Waits) -> Sent:
    """Send zeros over a nonblocking socket: `most` bytes, for `seconds` at most. Raises as `waits`, or `OSError`."""
    prepare(sock)
    pace, left, until = Pace(), most, time.monotonic() + seconds
    _look(sock, pace)
    pause = chain(repeat(LOOK, UNPACED), repeat(0.0))
    with _looking(sock, pace):
        while left > 0 and time.monotonic() < until:
            try:
                left -= sock.send(_ZEROS[: min(left, pace.piece)], socket.MSG_EOR)
                gevent.sleep(next(pause))
            except BlockingIOError:
                waits.writable(sock)
    _look(sock, pace)
    flow = tcp_flow.read(sock)
    return Sent(pace.rate, 0 if flow is None else flow.retransmits)


def prepare(sock: socket.socket) -> None:
    """Begin slowly, keep little in the socket, and let everybody else's packets leave this machine first."""
    tcp_flow.pace(sock, START)
    sock.setsockopt(socket.IPPROTO_TCP, tcp_flow.NOTSENT_LOWAT, UNSENT)
    with contextlib.suppress(OSError):  # an order of packets that this machine does not keep
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, BULK)


@contextlib.contextmanager
def _looking(sock: socket.socket, pace: Pace) -> Iterator[None]:
    """Look at the connection every `LOOK` seconds inside, also while the sender waits."""

    def looks() -> None:
        while True:
            gevent.sleep(LOOK)
            _look(sock, pace)

    looker = gevent.spawn(looks)
    try:
        yield
    finally:
        looker.kill()


def _look(sock: socket.socket, pace: Pace) -> None:
    flow = tcp_flow.read(sock)
    if flow is not None:
        pace.look(flow, time.monotonic())
        tcp_flow.pace(sock, pace.bytes_per_second)


def receive(sock: socket.socket, most: int, seconds: float, waits: Waits) -> Received:
    """Read from a nonblocking socket to its end and throw the bytes away. Raises as `waits`, or `OSError`.

    It stops after `most` bytes and after `seconds`, whatever the other end does.
    """
    buffer, size, last = memoryview(bytearray(PIECE)), 0, b""
    first = ended = 0.0
    until = time.monotonic() + seconds
    while size < most and time.monotonic() < until:
        try:
            count = sock.recv_into(buffer, min(most - size, PIECE))
        except BlockingIOError:
            waits.readable(sock)
            continue
        if not count:
            break
        ended = time.monotonic()
        first = first or ended
        size += count
        last = (last + bytes(buffer[max(count - BLOCK, 0) : count]))[-BLOCK:]
        gevent.sleep(0)
    return Received(size, ended - first, last)


def read_block(sock: socket.socket, waits: Waits) -> bytes:
    """Return the next block, or what came of it before the end. Raises as `waits`, or `OSError`."""
    data = b""
    while len(data) < BLOCK:
        try:
            piece = sock.recv(BLOCK - len(data))
        except BlockingIOError:
            waits.readable(sock)
            continue
        if not piece:
            break
        data += piece
    return data


def write_block(sock: socket.socket, data: bytes, waits: Waits) -> None:
    """Send a block. Raises as `waits`, or `OSError`."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[sock.send(rest) :]
        except BlockingIOError:
            waits.writable(sock)
