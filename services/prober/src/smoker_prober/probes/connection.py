"""A TCP connection with what the kernel says of it: the beginning of the TCP and the HTTP probe."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import time
from collections.abc import Iterator

from smoker_prober.kernel import tcp_info
from smoker_prober.probes.base import Attempt
from smoker_prober.result import Method, Rtt

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST (socket(7))


@contextlib.contextmanager
def connect(attempt: Attempt) -> Iterator[socket.socket]:
    """A connected socket that does not block. Sets the attempt's RTT: the handshake's, as the kernel measured it.

    None where a SYN was lost and the kernel has no sample (without TCP timestamps): that is loss, not latency.
    """
    address = attempt.resolve()
    with socket.socket(address.family, socket.SOCK_STREAM) as sock, contextlib.ExitStack() as last:
        last.callback(count_retransmits, attempt, sock)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with attempt.phase("connect"):
            begun = time.monotonic()
            error = sock.connect_ex(address.sockaddr)
            if error in (errno.EINPROGRESS, errno.EWOULDBLOCK):
                attempt.deadline.writable(sock)
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
            _refuse_itself(sock)
            info = tcp_info.read(sock)
            if info is not None and info.rtt is not None:
                attempt.rtt = Rtt(info.rtt, Method.TCP_INFO)
            elif info is None or not info.retransmits:  # the clock would take the wait for a lost SYN for latency
                attempt.rtt = Rtt(time.monotonic() - begun, Method.CLOCK)
        yield sock


def _refuse_itself(sock: socket.socket) -> None:
    """Raise `ConnectionRefusedError` where both ends are this socket: nobody listens at the target.

    A SYN to a closed port of this host comes back to its sender where the source port happens to be the same: a
    simultaneous open (RFC 9293 section 3.5), from one end.
    """
    try:
        itself = sock.getsockname() == sock.getpeername()
    except OSError:  # a reset came already: the next call says so
        return
    if itself:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)  # TIME_WAIT would hold the target's port
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def count_retransmits(attempt: Attempt, sock: socket.socket) -> None:
    """Note how many segments TCP has sent again on this connection. A socket that is closed tells nothing."""
    info = tcp_info.read(sock)
    if info is not None:
        attempt.retransmits = info.retransmits
