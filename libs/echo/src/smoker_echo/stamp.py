"""A STAMP Session-Reflector: stateful, unauthenticated mode (RFC 8762 section 4.3).

A session is all packets from one address and port with one session identifier (RFC 8972 section 3; most senders use
none). The reflector numbers its answers itself. A lost answer leaves a gap in these numbers and a lost request does
not, so the sender can tell them apart. A sender that restarts from the same port starts a new session. The receive
timestamp is the kernel's if available: then a reflector short of CPU does not distort the sender's measurement.
"""

from __future__ import annotations

import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from smoker_echo.answer_rate import AnswerRate
from smoker_echo.datagram import BATCH, Answerer, Observer
from smoker_echo.pktinfo import SPACE, Ancillary, answer_from, ask_for_destination
from smoker_echo.stamp_packet import Malformed, ReflectorPacket, reflect, sender_stamp, sent_now, unpack_sender

SESSIONS = 10_000  # at most; the one that was silent for longest is removed first
REFWAIT = 900.0  # seconds of silence after which a session begins anew (RFC 8762 section 4)
OVERTAKEN = 10.0  # seconds: a packet that is this much later than the last one was not overtaken by it

SO_TIMESTAMPNS = 35  # asm-generic/socket.h; also the type of the control message, a struct timespec
IP_RECVTTL, IP_TTL = 12, 2  # linux/in.h
_TIMESPEC = struct.Struct("=qq")
_INT = struct.Struct("=i")
_SPACE = SPACE + socket.CMSG_SPACE(_TIMESPEC.size) + socket.CMSG_SPACE(_INT.size)


@dataclass(slots=True)
class _Session:
    """The state of one session."""

    heard: float  # seconds, monotonic clock: when the last packet came
    sequence: int  # the sender's, of the packet that it sent last
    stamp: int  # the sender's 64 bits of time, of that packet
    number: int = 0  # of the next answer

    def record(self, sequence: int, stamp: int, now: float) -> None:
        """Record a packet. Restart the session if the sender has restarted.

        A sender has restarted if its sequence number did not increase although the packet was sent later. A reordered
        packet was sent earlier; a duplicate was sent at the same time as its original. A silence of over OVERTAKEN
        seconds counts too, in case the sender's clock was set back. If all packets have the same time, sequence number
        0 marks the restart.
        """
        onward, later = _ahead(sequence, self.sequence, 32), _ahead(stamp, self.stamp, 64)
        timeless = stamp == self.stamp and sequence != self.sequence
        if not onward and (later or now - self.heard > OVERTAKEN or (timeless and sequence == 0)):
            self.sequence, self.stamp, self.number = sequence, stamp, 0
        elif onward and (later or timeless):
            self.sequence, self.stamp = sequence, stamp
        self.heard = now


def _ahead(one: int, other: int, bits: int) -> bool:
    """Return whether `one` comes after `other`, of numbers that wrap (RFC 1982)."""
    return 0 < (one - other) % (1 << bits) < 1 << (bits - 1)


class StampReflector(Answerer):
    """Reflects on one bound socket. It counts a packet that is too short as malformed and does not answer it."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        observer: Observer | None = None,
        never: Collection[int] | None = None,
        rate: AnswerRate | None = None,
    ) -> None:
        super().__init__(sock, observer, never, rate)
        self._sessions: OrderedDict[tuple[Any, ...], _Session] = OrderedDict()  # the latest one at the end
        ask_for_destination(sock)
        self._ask_for_time_and_ttl(sock)

    @staticmethod
    def _ask_for_time_and_ttl(sock: socket.socket) -> None:
        wanted = [(socket.SOL_SOCKET, SO_TIMESTAMPNS)]
        if sock.family == socket.AF_INET6:
            wanted.append((socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT))
        else:
            wanted.append((socket.IPPROTO_IP, IP_RECVTTL))
        for level, option in wanted:
            try:
                sock.setsockopt(level, option, 1)
            except OSError:  # not supported by this kernel: use the clock, and a TTL of 0
                continue

    def _answer(self) -> None:
        for _ in range(BATCH):
            try:
                count, ancillary, _flags, client = self._plain.recvmsg_into([self._buffer], _SPACE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._fail(("?", 0), 0, f"the datagram could not be read: {error.strerror}")
                return
            self._counts.received += count
            if not self._may_answer(client):
                self._refuse_source(client, count)
                continue
            try:
                sent = self._reflect(self._buffer[:count], ancillary, client)
            except Malformed as error:
                self._refuse(client, count, "malformed", str(error))
            except OSError as error:
                self._fail(client, count, f"the answer could not be sent: {error.strerror}")
            else:
                self._counts.requests += 1
                self._counts.sent += sent
                self._tell(client, count, "", sent)

    def _reflect(self, data: memoryview, ancillary: Ancillary, client: tuple[Any, ...]) -> int:
        received, ttl = time.time_ns(), 0
        source: Ancillary = []
        packet = unpack_sender(data)
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack_from(value)
                received = seconds * 10**9 + nanoseconds
            elif (level, kind) in ((socket.IPPROTO_IP, IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)):
                ttl = _INT.unpack_from(value)[0]
            else:
                source = source or answer_from(level, kind, value)
        answer = ReflectorPacket(
            sequence=self._next_number((*client, packet.ssid), packet.sequence, sender_stamp(data)),
            sent=0,
            received=received,
            sender_sequence=packet.sequence,
            sender_sent=packet.sent,
            sender_ttl=ttl,
            sender_error_estimate=packet.error_estimate,
            ssid=packet.ssid,
        )
        raw = bytearray(reflect(data, answer))
        sent_now(raw, time.time_ns())  # as late as possible: the time until then is not network time
        return self._plain.sendmsg([raw], source, 0, client)

    def _next_number(self, key: tuple[Any, ...], sequence: int, stamp: int) -> int:
        now = time.monotonic()
        session = self._sessions.pop(key, None)
        if session is None or now - session.heard > REFWAIT:
            session = _Session(now, sequence, stamp)
        else:
            session.record(sequence, stamp, now)
        self._sessions[key] = session
        oldest = next(iter(self._sessions))
        if len(self._sessions) > SESSIONS or now - self._sessions[oldest].heard > REFWAIT:
            del self._sessions[oldest]  # each packet adds at most one session, so removing one is enough
        session.number += 1
        return session.number - 1
