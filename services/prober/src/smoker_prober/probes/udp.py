"""The UDP probe: send PING, take the answer that is ours.

The socket is connected: the kernel then drops what others send and hands over ICMP errors (udp(7), ip(7)).
"""

from __future__ import annotations

import contextlib
import socket

from smoker_prober.probes.base import Attempt
from smoker_prober.resolve import Address

PAYLOAD = b"PING"
LARGEST = 65_535  # bytes


def _connected(address: Address) -> socket.socket:
    """A connected socket whose own port is not the target's: an echo does not answer what comes from an echo's port."""
    sock = socket.socket(address.family, socket.SOCK_DGRAM)
    try:
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
            sock.send(PAYLOAD)
        with attempt.phase("wait"):
            while True:
                attempt.deadline.check()
                answer = sock.recv(LARGEST)
                attempt.received += len(answer)
                if answer == PAYLOAD:
                    return
                attempt.stray = f"got {answer[:32]!r} for {PAYLOAD!r}"
