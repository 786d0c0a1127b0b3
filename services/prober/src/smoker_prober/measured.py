"""A network round-trip time and how it was measured."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Method(enum.StrEnum):
    """Who measured. The words stand in JSON lines and reports."""

    TCP_INFO = "tcp_info"  # the kernel's own RTT of the connection's handshake
    KERNEL = "kernel"  # kernel stamps of the datagram sent and of its answer
    STAMP = "stamp"  # the same, less the time in the reflector (RFC 8762)
    CLOCK = "clock"  # a clock around the call: the kernel gave nothing


class Rtt(NamedTuple):
    """Seconds, and the method."""

    seconds: float
    method: Method
