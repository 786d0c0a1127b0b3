"""Searches the hops of a path: one packet at a time, each with a TTL one higher, until the target answers.

First a packet leaves that may cross all routers. If it is answered, the target is reached, and silent hops before it do
not end the search. Otherwise the search ends after `GAP` silent hops in a row, at an ICMP error that says that the
packet may not go on, or with the deadline.

Each packet carries its number. An ICMP error quotes it, unless its sender quotes only 8 bytes (RFC 792): then the error
belongs to the packet that was sent last. All packets leave from one port, so that routers which balance flows send them
along one path.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Collection
from typing import NamedTuple

from smoker_outcome.failure import DeadlineExceeded, Reported
from smoker_prober.kernel import error_queue, timestamping, ttl
from smoker_prober.kernel.error_queue import IcmpError
from smoker_prober.network.resolve import Address
from smoker_prober.probes.datagram import connected, wait
from smoker_prober.probes.trace import MOST, Hop
from smoker_prober.result import Method, Rtt

GAP = 5  # silent hops in a row after which nothing beyond them is expected to answer
TRIES = 2  # packets for each hop
MARK = b"PING"  # before the number of the packet; echoes return any datagram
FAR = 64  # TTL of the packet that may cross all routers; its number is 0
READS = 16  # datagrams that are read before the next look at the clock
QUOTE = 64  # bytes of an answer that matter
_CLOSED = {False: (3, 3), True: (1, 4)}  # "port unreachable", by whether it is ICMPv6


class _Departure(NamedTuple):
    """When a packet left: in ns of the monotonic clock, and since the epoch."""

    clock: int
    wall: int


class Search:
    """Searches the hops to `address`, for `seconds` at most, from a port that is none of `never`."""

    def __init__(self, address: Address, seconds: float, *, never: Collection[int] = ()) -> None:
        self._address, self._never = address, never
        self._patience = seconds / (GAP * TRIES + 1)
        self._until = time.monotonic() + seconds
        self._peer = str(address.sockaddr[0])
        self._hops: dict[int, Hop] = {}  # those that answered
        self._tried = 0  # hops to which a packet was sent
        self._left: dict[int, _Departure] = {}  # by number of the packet
        self._end: int | None = None  # number of the first packet that the target answered, but for number 0
        self._far = False  # whether it answered number 0
        self._error: IcmpError | None = None  # that a packet may not go on
        self._stopped = False  # whether that is known of a hop

    @property
    def reached(self) -> bool:
        """Whether the target answered."""
        return self._far or self._end is not None

    @property
    def hops(self) -> tuple[Hop, ...]:
        """Return the hops so far, without silent ones after the last that answered."""
        last = max(self._hops, default=0) if self._end is None else self._end
        return tuple(self._hops.get(number, Hop()) for number in range(1, last + 1))

    @property
    def rtt(self) -> Rtt | None:
        """Return the round-trip time of the target; None if it did not answer."""
        seconds = self._hops[self._end].rtt if self._end is not None else None
        return None if seconds is None else Rtt(seconds, Method.CLOCK)

    def run(self) -> None:
        """Search. Raises `DeadlineExceeded` if the target is not reached, `Reported` if ICMP forbids it, `OSError`."""
        with connected(self._address, timestamping.enable, ttl.enable, never=self._never) as sock:
            self._send(sock, 0)
            silent = 0
            while not self._over(silent):
                self._tried += 1
                silent = 0 if self._answers(sock, self._tried) else silent + 1
        if self.reached:
            return
        if self._error is not None:
            raise Reported(self._error.errno, self._error.text(self._peer))
        raise DeadlineExceeded(self._nothing())

    def _over(self, silent: int) -> bool:
        """Return whether the search ends, after so many silent hops in a row."""
        if self._end is not None or self._stopped or self._tried == MOST or time.monotonic() >= self._until:
            return True
        return silent >= GAP and not self._far

    def _nothing(self) -> str:
        """Return that the target does not answer, and what did last."""
        last = max((number for number, hop in self._hops.items() if hop.address), default=0)
        if not last:
            return "no hop answers with its address"
        return f"no answer beyond hop {last}, {self._hops[last].address}"

    def _answers(self, sock: socket.socket, number: int) -> bool:
        """Return whether hop `number` answers one of some packets."""
        for _ in range(TRIES):
            self._send(sock, number)
            until = min(time.monotonic() + self._patience, self._until)
            rest = self._patience
            while not self._known(number) and rest > 0:
                rest = until - time.monotonic()
                wait(sock, until)
                self._take(sock, number)
            if self._known(number):
                return True
        return False

    def _known(self, number: int) -> bool:
        return number in self._hops or self._end is not None or self._stopped

    def _send(self, sock: socket.socket, number: int) -> None:
        """Send a packet that may cross `number` - 1 routers. Raises `OSError`."""
        ttl.limit(sock, number or FAR)
        for last in (False, True):  # an ICMP error for an earlier packet comes first
            self.depart(number)
            try:
                sock.send(MARK + bytes([number]))
            except OSError:
                if last:
                    raise
                self._take(sock, number)
            else:
                return

    def depart(self, *numbers: int) -> None:
        """Note that the packets of these numbers leave now."""
        for number in numbers:
            self._left[number] = _Departure(time.monotonic_ns(), time.time_ns())

    def _take(self, sock: socket.socket, current: int) -> None:
        """Take what has arrived: ICMP errors, and datagrams of the target."""
        for error in error_queue.drain(sock, QUOTE).errors:
            self.heard(error, current)
        for _ in range(READS):
            try:
                data, ancillary, _flags, _address = sock.recvmsg(QUOTE, timestamping.CMSG_SPACE + ttl.CMSG_SPACE)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error that came just now
                for error in error_queue.drain(sock, QUOTE).errors:
                    self.heard(error, current)
                return
            self._arrived(numbered(data, current), self._peer, timestamping.stamp(ancillary))

    def heard(self, error: IcmpError, current: int) -> None:
        """Note an ICMP error. `current` is the number of the packet sent last."""
        number = numbered(error.quoted, current)
        if number not in self._left:  # about no packet of this search
            return
        if (error.type, error.code) == _CLOSED[error.six] and error.offender in (self._peer, ""):
            self._arrived(number, error.offender or self._peer, error.at)
        elif error.expired:
            if number and error.offender:
                # The NAT of a Service shows its own address in place of the router's.
                address = "" if error.offender == self._peer else error.offender
                self._hops.setdefault(number, Hop(address, self._took(number, error.at)))
        elif error.errno != errno.EMSGSIZE:
            if number and error.offender:
                self._hops.setdefault(number, Hop(error.offender, self._took(number, error.at)))
            self._error, self._stopped = error, self._stopped or number > 0

    def _arrived(self, number: int, address: str, at: int | None) -> None:
        """Note that the target answered the packet `number`."""
        if number not in self._left:
            return
        if number == 0:
            self._far = True
            return
        if self._end is None or number < self._end:
            self._end = number
        self._hops.setdefault(number, Hop(address, self._took(number, at)))

    def _took(self, number: int, at: int | None) -> float | None:
        """Return the seconds from the departure of a packet until its answer, by the kernel's time where it has one."""
        departure = self._left[number]
        elapsed = time.monotonic_ns() - departure.clock
        took = elapsed if at is None else at - departure.wall
        return (took if 0 <= took <= elapsed else elapsed) / 1e9


def numbered(payload: bytes, current: int) -> int:
    """Return the number in the payload of a packet; `current` for one whose quotation ends before it."""
    size = len(MARK)
    if len(payload) > size and payload.startswith(MARK):
        return payload[size]
    return current if len(payload) <= size else -1
