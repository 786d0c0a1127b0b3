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
_RTT, _TOTAL_RETRANS, _MIN_RTT = 68, 100, 148  # offsets; the header only ever grows at its end
_NO_MIN_RTT = 0xFFFFFFFF  # tcpi_min_rtt before the first sample


@dataclass(frozen=True)
class TcpInfo:
    """One look at a connection. Times in seconds, None without a sample."""

    established: bool  # the handshake is done, whether or not this process has noticed
    rtt: float | None  # smoothed; after connect alone it is the handshake's
    min_rtt: float | None
    retransmits: int  # segments sent again, the SYN among them


def read(sock: socket.socket) -> TcpInfo | None:
    """Return the TCP_INFO of `sock`; None where there is none."""
    try:
        raw = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, _SIZE)
    except OSError:
        return None
    return decode(raw)


def decode(raw: bytes) -> TcpInfo | None:
    """Decode `raw`, as the kernel gives it; None where it is too short for the fields read here."""
    if len(raw) < _TOTAL_RETRANS + _U32.size:
        return None
    rtt = _U32.unpack_from(raw, _RTT)[0]
    least = _U32.unpack_from(raw, _MIN_RTT)[0] if len(raw) >= _MIN_RTT + _U32.size else _NO_MIN_RTT
    sampled = rtt > 0
    return TcpInfo(
        established=_STATE.unpack_from(raw, 0)[0] == ESTABLISHED,
        rtt=rtt / 1e6 if sampled else None,
        min_rtt=least / 1e6 if sampled and least != _NO_MIN_RTT else None,
        retransmits=_U32.unpack_from(raw, _TOTAL_RETRANS)[0],
    )
