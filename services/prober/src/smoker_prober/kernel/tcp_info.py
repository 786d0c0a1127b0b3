"""TCP_INFO: what the kernel measured on a TCP connection (tcp(7), struct tcp_info in linux/tcp.h)."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

TCP_INFO = 11  # linux/tcp.h
ESTABLISHED = 1  # enum in net/tcp_states.h
_SIZE = 232  # bytes asked for; an older kernel fills in fewer
_STATE = struct.Struct("=B")
_U32 = struct.Struct("=I")
RTT, TOTAL_RETRANS, MIN_RTT = 68, 100, 148  # offsets; the header only ever grows at its end
NO_MIN_RTT = 0xFFFFFFFF  # tcpi_min_rtt before the first sample


@dataclass(frozen=True)
class TcpInfo:
    """One look at a connection. Times in seconds, None without a sample."""

    established: bool  # the handshake is done, whether or not this process has noticed
    rtt: float | None  # smoothed; after connect alone it is the handshake's
    min_rtt: float | None
    retransmits: int  # segments sent again, the SYN among them


def read(sock: socket.socket) -> TcpInfo | None:
    """Return the TCP_INFO of `sock`; None where there is none."""
    return decode(raw(sock))


def raw(sock: socket.socket) -> bytes:
    """Return the TCP_INFO of `sock` as the kernel gives it; nothing where there is none."""
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, _SIZE)
    except OSError:
        return b""


def decode(data: bytes) -> TcpInfo | None:
    """Decode `data`, as the kernel gives it; None where it is too short for the fields read here."""
    if len(data) < TOTAL_RETRANS + _U32.size:
        return None
    rtt = _U32.unpack_from(data, RTT)[0]
    least = _U32.unpack_from(data, MIN_RTT)[0] if len(data) >= MIN_RTT + _U32.size else NO_MIN_RTT
    sampled = rtt > 0
    return TcpInfo(
        established=_STATE.unpack_from(data, 0)[0] == ESTABLISHED,
        rtt=rtt / 1e6 if sampled else None,
        min_rtt=least / 1e6 if sampled and least != NO_MIN_RTT else None,
        retransmits=_U32.unpack_from(data, TOTAL_RETRANS)[0],
    )
