"""The socket of probes that send datagrams, and what comes back to it.

It is connected, so the kernel drops datagrams of other senders and passes ICMP errors on (udp(7), ip(7)).
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from gevent.socket import wait_read

from smoker_echo.datagram import LOWEST_PORT
from smoker_outcome.failure import Reported
from smoker_prober.kernel import error_queue, timestamping, ttl
from smoker_prober.network.resolve import Address
from smoker_prober.probes.base import Attempt
from smoker_prober.result import Method, Rtt

TRIES = 64  # ports to ask the kernel for: the ephemeral range may be 1 to 65535, or a few ports
LARGEST = 65_535  # bytes
SPACE = timestamping.CMSG_SPACE + ttl.CMSG_SPACE  # bytes of control messages


def connected(address: Address, *enable: Callable[[socket.socket], bool], never: Collection[int] = ()) -> socket.socket:
    """Return a nonblocking socket that reports ICMP errors where the kernel can. Nothing is sent.

    An echo answers its source port: it is not below 1024, not the target's own, and none of `never`.
    Raises `OSError`, also if the kernel gives no such port.
    """
    with contextlib.ExitStack() as unfit:  # these keep their ports, so that the kernel gives others
        for _ in range(TRIES):
            sock = _connected(address, enable)
            source = sock.getsockname()[1]
            if source >= LOWEST_PORT and source != address.sockaddr[1] and source not in never:
                return sock
            unfit.enter_context(sock)
    raise OSError(
        errno.EADDRNOTAVAIL,
        f"no free source port that an echo answers in {TRIES} tries (net.ipv4.ip_local_port_range)",
    )


def _connected(address: Address, enable: tuple[Callable[[socket.socket], bool], ...]) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        error_queue.enable(sock)
        for each in enable:
            each(sock)
        sock.connect(address.sockaddr)
    except OSError:
        sock.close()
        raise
    return sock


class _TimeIsUp(Exception):
    """Ends a wait."""


def send(sock: socket.socket, payload: bytes) -> bool:
    """Send a datagram. Return whether it has left: an ICMP error for an earlier one comes first, and is taken."""
    for _ in range(2):
        try:
            sock.send(payload)
        except OSError:
            error_queue.drain(sock)
        else:
            return True
    return False


def wait(sock: socket.socket, until: float) -> bool:
    """Wait until something has arrived, or until the instant `until`. Return whether it was in time.

    What has arrived counts in both cases, however late this process was woken.
    """
    try:
        wait_read(sock.fileno(), max(until - time.monotonic(), 0.0), _TimeIsUp())
    except _TimeIsUp:
        return False
    return True


def arrived(sock: socket.socket, size: int) -> Iterator[bytes]:
    """Yield the datagrams that have arrived, at most `size` bytes of each.

    Errors are taken as well: they would otherwise end every wait at once.
    """
    error_queue.drain(sock)
    while True:
        try:
            data = sock.recv(size)
        except OSError:  # nothing more, or an ICMP error: what is behind it ends the next wait
            return
        yield data


class Arrival(NamedTuple):
    """A datagram that has arrived: its payload, its control messages, and when it was read, in ns (monotonic clock)."""

    data: bytes
    ancillary: list[tuple[int, int, bytes]]
    taken: int


class _Departure(NamedTuple):
    """When a datagram was given to the kernel, in ns of the monotonic clock, and since the epoch."""

    clock: int
    wall: int


class Exchange:
    """Datagrams to one address and from it, with the kernel's timestamps. `sock` was connected with `ENABLE`."""

    ENABLE = (timestamping.enable,)

    def __init__(self, attempt: Attempt, address: Address, sock: socket.socket) -> None:
        self._attempt, self._sock = attempt, sock
        self._peer = str(address.sockaddr[0])
        self._departures: list[_Departure] = []  # in the order of the kernel's numbers
        self._sent: dict[int, int] = {}  # by number, ns since the epoch, as the kernel measured it

    def send(self, payload: bytes) -> None:
        """Send one datagram. Raises `OSError`."""
        self._departures.append(_Departure(time.monotonic_ns(), time.time_ns()))
        self._sock.send(payload)

    def receive(self) -> Arrival:
        """Return the next datagram. Raises `DeadlineExceeded`, and `Reported` for an ICMP error."""
        while True:
            self._attempt.deadline.check()
            self._attempt.deadline.readable(self._sock)
            queue = error_queue.drain(self._sock)
            self._sent |= queue.sent
            if queue.errors:
                sender = queue.errors[0].offender
                self._attempt.offender = sender if sender != self._peer else ""
                raise Reported(queue.errors[0].errno, queue.errors[0].text(self._peer))
            try:
                data, ancillary, _flags, _address = self._sock.recvmsg(LARGEST, SPACE)
            except BlockingIOError:  # the error queue woke this greenlet
                continue
            return Arrival(data, ancillary, time.monotonic_ns())

    def rtt(self, number: int, arrival: Arrival) -> Rtt | None:
        """Return the RTT from the datagram `number` (from 0) to `arrival`, by the available timestamps.

        The kernel stamps with the wall clock: there is no RTT if that was stepped meanwhile.
        """
        departure, arrived = self._departures[number], timestamping.stamp(arrival.ancillary)
        elapsed = arrival.taken - departure.clock
        if arrived is None:
            took, method = elapsed, Method.CLOCK
        else:
            if number not in self._sent:  # the timestamp of a departure can come after the answer
                self._sent |= error_queue.drain(self._sock).sent
            sent = self._sent.get(number)
            took, method = (arrived - departure.wall, Method.CLOCK) if sent is None else (arrived - sent, Method.KERNEL)
        return Rtt(took / 1e9, method) if 0 <= took <= elapsed else None
