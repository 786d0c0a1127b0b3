"""TCP_INFO of a sender: how its bytes travel (tcp(7), struct tcp_info in linux/tcp.h)."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from smoker_prober.kernel import tcp_info
from smoker_prober.kernel.tcp_info import MIN_RTT, NO_MIN_RTT, TOTAL_RETRANS

MAX_PACING_RATE = 47  # SO_MAX_PACING_RATE (socket(7))
NOTSENT_LOWAT = 25  # TCP_NOTSENT_LOWAT (tcp(7))
_U32, _U64 = struct.Struct("=I"), struct.Struct("=Q")
_MSS, _UNACKED, _ACKED, _RATE = 16, 24, 120, 160  # offsets


@dataclass(frozen=True)
class Flow:
    """One look at a sending connection."""

    min_rtt: float  # seconds: the least round-trip time of the last minutes
    mss: int  # bytes of a segment
    unacked: int  # segments that are on the way
    acked: int  # bytes so far
    rate: float  # bytes per second at which the last ones were delivered; 0.0 before the first sample
    retransmits: int  # segments sent again so far


def read(sock: socket.socket) -> Flow | None:
    """Return how `sock` sends; None where the kernel does not say it."""
    return decode(tcp_info.raw(sock))


def decode(raw: bytes) -> Flow | None:
    """Decode `raw`, as the kernel gives it; None where it is too short or has no RTT yet."""
    if len(raw) < _RATE + _U64.size:
        return None
    least, mss = _U32.unpack_from(raw, MIN_RTT)[0], _U32.unpack_from(raw, _MSS)[0]
    if not mss or least == NO_MIN_RTT:
        return None
    return Flow(
        min_rtt=least / 1e6,
        mss=mss,
        unacked=_U32.unpack_from(raw, _UNACKED)[0],
        acked=_U64.unpack_from(raw, _ACKED)[0],
        rate=float(_U64.unpack_from(raw, _RATE)[0]),
        retransmits=_U32.unpack_from(raw, TOTAL_RETRANS)[0],
    )


def pace(sock: socket.socket, rate: float) -> None:
    """Let the kernel send at most `rate` bytes per second on `sock`."""
    sock.setsockopt(socket.SOL_SOCKET, MAX_PACING_RATE, _U64.pack(max(int(rate), 1)))
