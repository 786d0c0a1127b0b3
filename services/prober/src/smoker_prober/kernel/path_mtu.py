"""The path MTU as the kernel knows it, and sending without fragments: ip(7), ipv6(7), RFC 1191, RFC 8201."""

from __future__ import annotations

import socket

IP_MTU_DISCOVER, IP_MTU = 10, 14  # linux/in.h
IPV6_MTU_DISCOVER, IPV6_MTU = 23, 24  # linux/in6.h
_DO = 2  # IP_PMTUDISC_DO, IPV6_PMTUDISC_DO: nothing is fragmented, what is too large is refused with EMSGSIZE
HEADERS = {socket.AF_INET: 20 + 8, socket.AF_INET6: 40 + 8}  # bytes of IP's and UDP's


def enable(sock: socket.socket) -> bool:
    """Send unfragmented packets alone. Returns whether the kernel will."""
    six = sock.family == socket.AF_INET6
    try:
        sock.setsockopt(
            *((socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER) if six else (socket.IPPROTO_IP, IP_MTU_DISCOVER)), _DO
        )
    except OSError:
        return False
    return True


def known(sock: socket.socket) -> int | None:
    """Bytes of the largest packet that the way of a connected socket takes, IP header included, by all that is known.

    That is the interface's MTU, or less where a router has said so (ICMP 3/4, ICMPv6 2). None where it is not told.
    """
    six = sock.family == socket.AF_INET6
    try:
        return sock.getsockopt(*((socket.IPPROTO_IPV6, IPV6_MTU) if six else (socket.IPPROTO_IP, IP_MTU)))
    except OSError:
        return None
