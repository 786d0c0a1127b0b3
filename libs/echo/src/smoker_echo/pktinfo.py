"""Read the destination of a datagram and answer from it (IP_PKTINFO in ip(7), IPV6_PKTINFO in RFC 3542)."""

from __future__ import annotations

import socket
import struct
import sys

IP_PKTINFO = 8  # linux/in.h, ip(7); the socket module has no name for it
IN_PKTINFO = struct.Struct("=I4s4s")  # interface, local address of the packet (ipi_spec_dst), destination in its header
IN6_PKTINFO = struct.Struct("=16sI")  # destination in its header, interface (RFC 3542)
SPACE = socket.CMSG_SPACE(IN6_PKTINFO.size)  # bytes of control messages

Ancillary = list[tuple[int, int, bytes]]


def ask_for_destination(sock: socket.socket) -> None:
    """Ask the kernel to deliver each datagram with its destination address."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    elif sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


def answer_from(level: int, kind: int, data: bytes) -> Ancillary:
    """Return the ancillary data of an answer. The kernel chooses the interface, except for link-local addresses."""
    if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
        _, local, _ = IN_PKTINFO.unpack(data)
        return [(level, kind, IN_PKTINFO.pack(0, local, bytes(4)))]
    if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
        destination, interface = IN6_PKTINFO.unpack(data)
        if destination[0] == 0xFF:  # multicast: no source address
            return []
        link_local = destination[0] == 0xFE and destination[1] & 0xC0 == 0x80
        return [(level, kind, IN6_PKTINFO.pack(destination, interface if link_local else 0))]
    return []


def own_address(level: int, kind: int, data: bytes) -> str:
    """Return the unicast destination address, or an empty string if a socket cannot be bound to it alone.

    That is so for a link-local address, which needs a scope.
    """
    if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
        _, local, destination = IN_PKTINFO.unpack(data)
        return socket.inet_ntop(socket.AF_INET, local) if local == destination else ""
    if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
        destination, _ = IN6_PKTINFO.unpack(data)
        return socket.inet_ntop(socket.AF_INET6, destination) if destination[0] not in (0xFE, 0xFF) else ""
    return ""
