"""A TCP connection with the kernel's measurements of it: the first part of the TCP, HTTP and connect probes."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import time
from collections.abc import Iterator

from smoker_prober.kernel import tcp_info
from smoker_prober.network.deadline import Deadline
from smoker_prober.network.resolve import Address
from smoker_prober.probes.base import Attempt
from smoker_prober.result import Method, Rtt

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST (socket(7))


@contextlib.contextmanager
def connect(attempt: Attempt) -> Iterator[socket.socket]:
    """Connect a nonblocking socket, and set the attempt's RTT: that of the handshake, as the kernel measured it.

    The RTT stays None where a SYN was lost and the kernel has no sample (without TCP timestamps): loss is no latency.
    """
    address = attempt.resolve()
    with socket.socket(address.family, socket.SOCK_STREAM) as sock, contextlib.ExitStack() as last:
        last.callback(count_retransmits, attempt, sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with attempt.phase("connect"):
            begun = time.monotonic()
            connect_to(sock, address, attempt.deadline)
            _refuse_itself(sock)
            info = tcp_info.read(sock)
            if info is not None and info.rtt is not None:
                attempt.rtt = Rtt(info.rtt, Method.TCP_INFO)
            elif info is None or not info.retransmits:  # otherwise the wait for a lost SYN would count as latency
                attempt.rtt = Rtt(time.monotonic() - begun, Method.CLOCK)
        yield sock


def connect_to(sock: socket.socket, address: Address, deadline: Deadline) -> None:
    """Connect `sock`, which becomes nonblocking. Raises `OSError`, `DeadlineExceeded`."""
    sock.setblocking(False)
    error = sock.connect_ex(address.sockaddr)
    if error in (errno.EINPROGRESS, errno.EWOULDBLOCK):
        deadline.writable(sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))


def _refuse_itself(sock: socket.socket) -> None:
    """Raise `ConnectionRefusedError` if this socket is connected to itself: nothing listens at the target.

    A SYN to a closed port of this host comes back to its sender if the source port happens to be the same: a
    simultaneous open (RFC 9293 section 3.5) with one end.
    """
    try:
        itself = sock.getsockname() == sock.getpeername()
    except OSError:  # a reset has arrived: the next call reports it
        return
    if itself:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)  # TIME_WAIT would hold the target's port
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def count_retransmits(attempt: Attempt, sock: socket.socket) -> None:
    """Record how many segments TCP has sent again on this connection. A closed socket has no such count."""
    info = tcp_info.read(sock)
    if info is not None:
        attempt.retransmits = info.retransmits
