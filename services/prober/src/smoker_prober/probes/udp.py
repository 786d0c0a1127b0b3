"""The UDP probe: send PING, wait for the same bytes."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass

from smoker_outcome.failure import Reported
from smoker_prober.kernel import error_queue, timestamping, ttl
from smoker_prober.probes.base import Attempt, Probe
from smoker_prober.probes.datagram import connected
from smoker_prober.result import Details as AnyDetails
from smoker_prober.result import Method, Rtt

PAYLOAD = b"PING"
LARGEST = 65_535  # bytes
SPACE = timestamping.CMSG_SPACE + ttl.CMSG_SPACE  # bytes of control messages


@dataclass(frozen=True)
class Details(AnyDetails):
    """What only a UDP probe finds."""

    ttl: int | None = None  # with which the answer arrived; of IPv6 the hop limit


def run(attempt: Attempt) -> None:
    """Send PING and wait for the same bytes."""
    address = attempt.resolve()
    with contextlib.ExitStack() as sockets:
        with attempt.phase("send"):
            sock = sockets.enter_context(connected(address, timestamping.enable, ttl.enable, never=attempt.never))
            clock, begun = time.monotonic_ns(), time.time_ns()
            sock.send(PAYLOAD)
        sent: int | None = None
        with attempt.phase("wait"), attempt.deadline.reading():
            while True:
                attempt.deadline.check()
                attempt.deadline.readable(sock)
                queue = error_queue.drain(sock)
                sent = queue.sent.get(0, sent)
                if queue.errors:
                    sender = queue.errors[0].offender
                    attempt.offender = sender if sender != address.sockaddr[0] else ""
                    raise Reported(queue.errors[0].errno, queue.errors[0].text(address.sockaddr[0]))
                try:
                    answer, ancillary, _flags, _address = sock.recvmsg(LARGEST, SPACE)
                except BlockingIOError:  # the error queue woke this greenlet
                    continue
                attempt.received += len(answer)
                if answer == PAYLOAD:
                    break
                attempt.stray = f"got {answer[:32]!r} for {PAYLOAD!r}"
        attempt.details = Details(ttl.received(ancillary))
        attempt.rtt = _rtt(begun, sent, timestamping.stamp(ancillary), time.monotonic_ns() - clock, sock)


def _rtt(begun: int, sent: int | None, arrived: int | None, elapsed: int, sock: socket.socket) -> Rtt | None:
    """Return the RTT by the available timestamps, in ns since the epoch.

    `elapsed` is an upper bound, in ns by the monotonic clock. The kernel stamps with the wall clock: there is no RTT if
    that was stepped meanwhile.
    """
    if arrived is None:
        took, method = elapsed, Method.CLOCK
    else:
        sent = error_queue.drain(sock).sent.get(0) if sent is None else sent
        took, method = (arrived - begun, Method.CLOCK) if sent is None else (arrived - sent, Method.KERNEL)
    return Rtt(took / 1e9, method) if 0 <= took <= elapsed else None


probe = Probe(run, "udp", "send PING to an echo and wait for the same bytes")
