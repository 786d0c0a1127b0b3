"""The socket of probes that send datagrams.

It is connected, so the kernel drops datagrams of other senders and passes ICMP errors on (udp(7), ip(7)).
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Collection

from smoker_echo.datagram import LOWEST_PORT
from smoker_prober.kernel import error_queue
from smoker_prober.network.resolve import Address

TRIES = 64  # ports to ask the kernel for: the ephemeral range may be 1 to 65535, or a few ports


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
