"""The socket of what probes by datagrams.

It is connected: the kernel then drops what others send and hands over ICMP errors (udp(7), ip(7)).
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from smoker_prober.kernel import error_queue
from smoker_prober.resolve import Address


def connected(address: Address, *enable: Callable[[socket.socket], bool]) -> socket.socket:
    """A socket that does not block, with ICMP errors where the kernel gives them; nothing is sent. Raises `OSError`.

    Its own port is not the target's: an echo does not answer what comes from an echo's port.
    """
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
    if sock.getsockname()[1] != address.sockaddr[1]:
        return sock
    with sock:  # keeps that port from being given out again meanwhile
        return connected(address, *enable)
