"""The TTL (IPv4) or hop limit (IPv6) with which a datagram arrived: ip(7), ipv6(7).

That is the sender's value less the number of routers: if it changes, the route has changed.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable

IP_TTL, IP_RECVTTL = 2, 12  # linux/in.h
_INT = struct.Struct("=i")
CMSG_SPACE = socket.CMSG_SPACE(_INT.size)
_KINDS = {(socket.IPPROTO_IP, IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)}


def enable(sock: socket.socket) -> bool:
    """Ask for it with each datagram. Return whether the kernel will give it."""
    six = (socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT)
    try:
        sock.setsockopt(*(six if sock.family == socket.AF_INET6 else (socket.IPPROTO_IP, IP_RECVTTL)), 1)
    except OSError:
        return False
    return True


def limit(sock: socket.socket, hops: int) -> None:
    """Have what `sock` sends from now on cross at most `hops` - 1 routers. Raises `OSError`."""
    six = (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
    sock.setsockopt(*(six if sock.family == socket.AF_INET6 else (socket.IPPROTO_IP, IP_TTL)), hops)


def received(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    """Return the value among control messages, 0 to 255; None if there is none."""
    for level, kind, data in ancillary:
        if (level, kind) in _KINDS and len(data) >= _INT.size:
            return int(_INT.unpack_from(data)[0])
    return None
