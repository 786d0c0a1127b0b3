"""A TCP connection with what the kernel says of it: the beginning of the TCP and the HTTP probe."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator

from smoker_prober.kernel import tcp_info
from smoker_prober.measured import Method, Rtt
from smoker_prober.probes.base import Attempt


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
            info = tcp_info.read(sock)
            if info is not None and info.rtt is not None:
                attempt.rtt = Rtt(info.rtt, Method.TCP_INFO)
            elif info is None or not info.retransmits:  # the clock would take the wait for a lost SYN for latency
                attempt.rtt = Rtt(time.monotonic() - begun, Method.CLOCK)
        yield sock


def count_retransmits(attempt: Attempt, sock: socket.socket) -> None:
    """Note how many segments TCP has sent again on this connection. A socket that is closed tells nothing."""
    info = tcp_info.read(sock)
    if info is not None:
        attempt.retransmits = info.retransmits
