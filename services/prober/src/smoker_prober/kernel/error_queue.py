"""The error queue of a socket: ICMP errors with their sender, and timestamps of sent packets (ip(7), recvmsg(2))."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from smoker_prober.kernel import timestamping

MSG_ERRQUEUE = 0x2000  # linux/socket.h
IP_RECVERR, IPV6_RECVERR = 11, 25  # linux/in.h, linux/in6.h
_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err, linux/errqueue.h
_LOCAL, _ICMP, _ICMP6, _TIMESTAMPING = 1, 2, 3, 4  # SO_EE_ORIGIN_*
_SPACE = 512  # bytes of control messages


@dataclass(frozen=True)
class IcmpError:
    """An ICMP error for something this socket sent."""

    errno: int
    type: int
    code: int
    offender: str  # the address that sent it; empty if the kernel does not say
    quoted: bytes = field(default=b"", compare=False)  # begin of the payload that it is about, as far as it is known
    at: int | None = field(default=None, compare=False)  # when it came, in ns since the epoch, where that is known
    six: bool = field(default=False, compare=False)  # whether it is ICMPv6

    @property
    def expired(self) -> bool:
        """Whether the packet's TTL or hop limit ended at the sender: a router on the path (RFC 792, RFC 4443)."""
        return (self.type, self.code) == ((3, 0) if self.six else (11, 0))

    def text(self, target: str) -> str:
        """Return the error in words, with its sender unless that is `target`: the address of a peer is never shown."""
        sender = f" from {'the target itself' if self.offender == target else self.offender}" if self.offender else ""
        words = os.strerror(self.errno).lower() if self.errno in errno.errorcode else f"error {self.errno}"
        return f"{words} (ICMP {self.type}/{self.code}{sender})"


@dataclass
class Drained:
    """What was on the queue."""

    sent: dict[int, int] = field(default_factory=dict)  # number of the datagram: nanoseconds since the epoch
    errors: list[IcmpError] = field(default_factory=list)


def enable(sock: socket.socket) -> bool:
    """Ask for ICMP errors with their offender. Return whether the kernel will give them."""
    six = sock.family == socket.AF_INET6
    try:
        sock.setsockopt(*((socket.IPPROTO_IPV6, IPV6_RECVERR) if six else (socket.IPPROTO_IP, IP_RECVERR)), 1)
    except OSError:
        return False
    return True


def drain(sock: socket.socket, quote: int = 0) -> Drained:
    """Take everything from the queue of a nonblocking socket. What stays there would end every wait at once.

    `quote`: bytes of the payload to read of what an ICMP error is about.
    """
    found = Drained()
    while True:
        try:
            data, ancillary, _flags, _address = sock.recvmsg(quote, _SPACE, MSG_ERRQUEUE)
        except OSError:
            return found
        sort(ancillary, found, data)


def sort(ancillary: Iterable[tuple[int, int, bytes]], into: Drained, quoted: bytes = b"") -> None:
    """Add one message of the queue, a timestamp or an ICMP error about `quoted`, to `into`."""
    messages = list(ancillary)
    for level, kind, data in messages:
        if (level, kind) not in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
            continue
        if len(data) < _EXTENDED_ERROR.size:
            continue
        number, origin, type_, code, _pad, _info, extra = _EXTENDED_ERROR.unpack_from(data)
        if origin == _TIMESTAMPING:
            stamp = timestamping.stamp(messages)
            if stamp is not None:
                into.sent[extra] = stamp
        elif origin in (_ICMP, _ICMP6):
            sender, at = _offender(data[_EXTENDED_ERROR.size :]), timestamping.stamp(messages)
            into.errors.append(IcmpError(number, type_, code, sender, quoted, at, origin == _ICMP6))


def _offender(raw: bytes) -> str:
    """Return the address in a struct sockaddr_in or sockaddr_in6; empty for anything else."""
    if len(raw) < 2:
        return ""
    family = struct.unpack_from("=H", raw)[0]
    if family == socket.AF_INET and len(raw) >= 8:
        return socket.inet_ntop(socket.AF_INET, raw[4:8])
    if family == socket.AF_INET6 and len(raw) >= 24:
        return socket.inet_ntop(socket.AF_INET6, raw[8:24])
    return ""
