"""The UDP probe: send PING, take the answer that is ours.

The socket is connected: the kernel then drops what others send and hands over ICMP errors (udp(7), ip(7)).
"""

from __future__ import annotations

import contextlib
import socket
import time

from smoker_prober.failure import Reported
from smoker_prober.kernel import error_queue, timestamping
from smoker_prober.measured import Method, Rtt
from smoker_prober.probes.base import Attempt
from smoker_prober.resolve import Address

PAYLOAD = b"PING"
LARGEST = 65_535  # bytes


def _connected(address: Address) -> socket.socket:
    """A socket with stamps, connected (which sends nothing), whose own port is not the target's.

    An echo does not answer what comes from an echo's port.
    """
    sock = socket.socket(address.family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        timestamping.enable(sock)
        error_queue.enable(sock)
        sock.connect(address.sockaddr)
    except OSError:
        sock.close()
        raise
    if sock.getsockname()[1] != address.sockaddr[1]:
        return sock
    with sock:  # keeps that port from being given out again meanwhile
        return _connected(address)


def probe(attempt: Attempt) -> None:
    address = attempt.resolve()
    with contextlib.ExitStack() as sockets:
        with attempt.phase("send"):
            sock = sockets.enter_context(_connected(address))
            begun = time.time_ns()
            sock.send(PAYLOAD)
        sent: int | None = None
        with attempt.phase("wait"):
            while True:
                attempt.deadline.readable(sock)
                queue = error_queue.drain(sock)
                sent = queue.sent.get(0, sent)
                if queue.errors:
                    raise Reported(queue.errors[0].errno, str(queue.errors[0]))
                try:
                    answer, ancillary, _flags, _address = sock.recvmsg(LARGEST, timestamping.CMSG_SPACE)
                except BlockingIOError:  # it was the error queue that woke us
                    continue
                attempt.received += len(answer)
                if answer == PAYLOAD:
                    break
                attempt.stray = f"got {answer[:32]!r} for {PAYLOAD!r}"
        arrived = timestamping.stamp(ancillary)
        if arrived is None:
            attempt.rtt = Rtt(max(time.time_ns() - begun, 0) / 1e9, Method.CLOCK)
        elif sent is None:
            sent = error_queue.drain(sock).sent.get(0)
        if arrived is not None:
            method = Method.KERNEL if sent is not None else Method.CLOCK
            attempt.rtt = Rtt(max(arrived - (begun if sent is None else sent), 0) / 1e9, method)
