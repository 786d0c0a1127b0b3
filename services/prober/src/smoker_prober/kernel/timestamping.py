"""SO_TIMESTAMPING: when a datagram left this host and when its answer arrived, as the kernel saw it.

Documentation/networking/timestamping.rst. The kernel stamps both directions in software. It numbers datagrams
from 0 (SOF_TIMESTAMPING_OPT_ID) and puts the stamps of sent ones on the error queue, without payload (OPT_TSONLY).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable

SO_TIMESTAMPING = 37  # asm-generic/socket.h; also the type of the control message
# linux/net_tstamp.h
_TX_SOFTWARE, _RX_SOFTWARE, _SOFTWARE, _OPT_ID, _OPT_TSONLY = 1 << 1, 1 << 3, 1 << 4, 1 << 7, 1 << 11
_FLAGS = struct.pack("=I", _TX_SOFTWARE | _RX_SOFTWARE | _SOFTWARE | _OPT_ID | _OPT_TSONLY)
_TIMESPEC = struct.Struct("=qq")  # the first of three in struct scm_timestamping: software
CMSG_SPACE = socket.CMSG_SPACE(3 * _TIMESPEC.size)

Ancillary = Iterable[tuple[int, int, bytes]]


def enable(sock: socket.socket) -> bool:
    """Ask for timestamps. Return whether the kernel will give them."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, _FLAGS)
    except OSError:
        return False
    return True


def stamp(ancillary: Ancillary) -> int | None:
    """Return the software timestamp among control messages, in nanoseconds since the epoch; None if there is none."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPING and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds * 10**9 + nanoseconds) or None
    return None
