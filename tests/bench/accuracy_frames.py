"""The truth: which packets passed a device and when, by the kernel's time stamps. No I/O.

Every probe has an address of its own within the far end's network, `probed`. A packet to such an address is a request,
one from it an answer, whichever end captured it.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

TCP, UDP = 6, 17
SYN, ACK = 0x02, 0x10
_SEQUENCE = struct.Struct("!I")
_SENDER_SEQUENCE = 24  # where a reflector's answer has the number of what it answers (RFC 8762 section 4.3.1)


class Packet(NamedTuple):
    """An IPv4 packet. `stamp` is nanoseconds since the epoch."""

    stamp: int
    protocol: int
    source: str
    target: str
    flags: int  #: TCP's, 0 otherwise
    length: int  #: bytes of payload
    payload: bytes  #: as far as it was kept


def parse(stamp: int, raw: bytes) -> Packet | None:
    """Return a packet. Return None if it is not TCP or UDP over IPv4, is a fragment, or is cut too short."""
    if len(raw) < 20 or raw[0] >> 4 != 4 or int.from_bytes(raw[6:8], "big") & 0x3FFF:
        return None
    header, total, protocol = 4 * (raw[0] & 15), int.from_bytes(raw[2:4], "big"), raw[9]
    source, target = (str(ipaddress.IPv4Address(raw[at : at + 4])) for at in (12, 16))
    if protocol == TCP and len(raw) >= header + 20:
        begin, flags = header + 4 * (raw[header + 12] >> 4), raw[header + 13]
    elif protocol == UDP and len(raw) >= header + 8:
        begin, flags = header + 8, 0
    else:
        return None
    return Packet(stamp, protocol, source, target, flags, max(total - begin, 0), raw[begin:total])


@dataclass
class Exchange:
    """All packets between the prober and one address. Times are nanoseconds since the epoch."""

    asked: list[int] = field(default_factory=list)  #: SYNs, or datagrams
    answered: int | None = None  #: SYN-ACK, or the first datagram back
    data_asked: int | None = None  #: TCP: the first payload
    data_answered: int | None = None

    @property
    def rtt(self) -> float | None:
        """Return seconds. None without an answer, or if it is unknown which of several requests it answers."""
        return (self.answered - self.asked[0]) / 1e9 if self.answered and len(self.asked) == 1 else None

    @property
    def network(self) -> float | None:
        """Return the seconds that the network and the far end took. None while an answer is missing."""
        if self.rtt is None:
            return None
        if self.data_asked is None:
            return self.rtt
        return None if self.data_answered is None else self.rtt + (self.data_answered - self.data_asked) / 1e9


def exchanges(packets: Iterable[Packet], probed: str) -> dict[str, Exchange]:
    """Return the exchanges by address. `probed` is the network of the far end's addresses, such as 198.18.0.0/16."""
    found: dict[str, Exchange] = {}
    begin = _prefix(probed)
    for packet in packets:
        asks = packet.target.startswith(begin)
        if not asks and not packet.source.startswith(begin):
            continue
        exchange = found.setdefault(packet.target if asks else packet.source, Exchange())
        opens = packet.protocol == UDP or packet.flags & SYN
        if asks and opens:
            exchange.asked.append(packet.stamp)
        elif opens:
            exchange.answered = exchange.answered or packet.stamp
        elif packet.length and asks:
            exchange.data_asked = exchange.data_asked or packet.stamp
        elif packet.length:
            exchange.data_answered = exchange.data_answered or packet.stamp
    return found


def reflections(packets: Iterable[Packet], probed: str) -> dict[tuple[str, int], float]:
    """Return the seconds from each STAMP packet to its answer, by address and sequence number."""
    asked: dict[tuple[str, int], int] = {}
    found: dict[tuple[str, int], float] = {}
    begin = _prefix(probed)
    for packet in packets:
        if packet.protocol != UDP or len(packet.payload) < _SENDER_SEQUENCE + _SEQUENCE.size:
            continue
        if packet.target.startswith(begin):
            asked.setdefault((packet.target, _SEQUENCE.unpack_from(packet.payload)[0]), packet.stamp)
        elif packet.source.startswith(begin):
            key = packet.source, _SEQUENCE.unpack_from(packet.payload, _SENDER_SEQUENCE)[0]
            if key in asked:
                found.setdefault(key, (packet.stamp - asked[key]) / 1e9)
    return found


def _prefix(network: str) -> str:
    """Return the text with which the addresses of a /16 begin."""
    address, _, length = network.partition("/")
    if length != "16":
        raise ValueError(f"{network} is not a /16")
    return ".".join(address.split(".")[:2]) + "."
