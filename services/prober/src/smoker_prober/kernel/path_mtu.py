"""The path MTU as the kernel knows it, and sending without fragments: ip(7), ipv6(7), RFC 1191, RFC 8201."""

from __future__ import annotations

import socket

IP_MTU_DISCOVER, IP_MTU = 10, 14  # linux/in.h
IPV6_MTU_DISCOVER, IPV6_MTU = 23, 24  # linux/in6.h
_DO = 2  # IP_PMTUDISC_DO, IPV6_PMTUDISC_DO: never fragment; refuse what is too large with EMSGSIZE
HEADERS = {socket.AF_INET: 20 + 8, socket.AF_INET6: 40 + 8}  # bytes of IP's and UDP's


def enable(sock: socket.socket) -> bool:
    """Send unfragmented packets only. Return whether the kernel will."""
    six = sock.family == socket.AF_INET6
    try:
        sock.setsockopt(
            *((socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER) if six else (socket.IPPROTO_IP, IP_MTU_DISCOVER)), _DO
        )
    except OSError:
        return False
    return True


def known(sock: socket.socket) -> int | None:
    """Return the bytes of the largest packet that the path should take, IP header included. `sock` is connected.

    That is the interface's MTU, or less if a router has said so (ICMP 3/4, ICMPv6 2). None if the kernel has no value.
    """
    six = sock.family == socket.AF_INET6
    try:
        return sock.getsockopt(*((socket.IPPROTO_IPV6, IPV6_MTU) if six else (socket.IPPROTO_IP, IP_MTU)))
    except OSError:
        return None
