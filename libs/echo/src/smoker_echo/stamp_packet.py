"""Pack and unpack STAMP test packets in unauthenticated mode (RFC 8762 sections 4.2.1 and 4.3.1). No I/O.

Timestamps are NTP's (RFC 5905 section 6: seconds since 1900 in 32 bits, fraction in 32); here they are integers,
nanoseconds since the Unix epoch. Both packets have 44 octets; a longer one carries padding or TLVs (RFC 8972).

TWAMP Light (RFC 5357 sections 4.1.2 and 4.2.1) has the same fields at the same places in shorter packets: 14 octets
from a sender, 41 from a reflector, and fewer from some. Both are read if they hold the needed fields (RFC 8762 section
4.6).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

LENGTH = 44  # octets
SENDER_FIELDS = 14  # octets: sequence number, timestamp, error estimate; TWAMP's padding may follow at once
REFLECTOR_FIELDS = 28  # octets: up to the sequence number of the packet that is answered
_NTP = 2_208_988_800  # seconds from 1900 to 1970
_BILLION = 10**9
# Sequence number, timestamp (seconds, fraction), error estimate
_SENDER = struct.Struct("!III H")
_SSID = struct.Struct("!H")  # after them; RFC 8762 has MBZ there
_MBZ = bytes(28)  # after that, in a STAMP sender's packet
# The four, receive timestamp, the sender's sequence number, timestamp and error estimate, MBZ, its TTL, MBZ
_REFLECTOR = struct.Struct("!III H H II I II H 2x B 3x")
_COPY = slice(24, 38)  # where an answer has the first 14 octets of what it answers
_TIME = struct.Struct("!II")
_TIMESTAMP = slice(4, 12)
_RECEIVED = slice(16, 24)
# RFC 4656 section 4.1.2: S (synchronised) 0, Z (format) 0 for NTP, scale 0, multiplier 1: the error is unknown.
ERROR_ESTIMATE = 0x0001


@dataclass(frozen=True)
class SenderPacket:
    """A packet of a Session-Sender."""

    sequence: int
    sent: int  # ns
    error_estimate: int = ERROR_ESTIMATE
    ssid: int = 0  # session identifier (RFC 8972 section 3), 0: none


@dataclass(frozen=True)
class ReflectorPacket:
    """A packet of a Session-Reflector."""

    sequence: int  # the reflector's count of answers in this session: a gap means a lost answer
    sent: int  # ns, when the answer left
    received: int  # ns, when the packet arrived
    sender_sequence: int
    sender_sent: int  # ns
    sender_ttl: int  # TTL or hop limit the packet arrived with; 0 where unknown
    error_estimate: int = ERROR_ESTIMATE
    sender_error_estimate: int = ERROR_ESTIMATE
    ssid: int = 0  # the sender's; a reflector that knows no RFC 8972 answers with 0

    @property
    def residence(self) -> int:
        """Return the nanoseconds spent in the reflector. Negative if its clock was set back meanwhile."""
        return self.sent - self.received


class Malformed(ValueError):
    """The packet is not a valid test packet."""


def pack_sender(packet: SenderPacket, length: int = LENGTH) -> bytes:
    """Return the packet in `length` octets, padded with zeros."""
    raw = _SENDER.pack(packet.sequence & 0xFFFFFFFF, *_ntp(packet.sent), packet.error_estimate)
    return (raw + _SSID.pack(packet.ssid)).ljust(max(length, LENGTH), b"\0")


def unpack_sender(raw: bytes | memoryview) -> SenderPacket:
    """Raises `Malformed`."""
    if len(raw) < SENDER_FIELDS:
        raise Malformed(f"{len(raw)} octets are too few for a STAMP packet, its fields have {SENDER_FIELDS}")
    sequence, seconds, fraction, estimate = _SENDER.unpack_from(raw)
    return SenderPacket(sequence, _unix(seconds, fraction), estimate, _ssid(raw))


def _ssid(raw: bytes | memoryview) -> int:
    """Return the session identifier of a sender's packet.

    TWAMP has its padding there, which may be random and differ from packet to packet (RFC 5357 section 4.1.2). A STAMP
    sender's packet has 28 zeros after the identifier.
    """
    return int(_SSID.unpack_from(raw, _SENDER.size)[0]) if raw[_SENDER.size + _SSID.size : LENGTH] == _MBZ else 0


def sender_stamp(raw: bytes | memoryview) -> int:
    """Return the 64 bits of a sender's timestamp: NTP's or PTP's, a later one is the larger number in both."""
    return int.from_bytes(raw[_TIMESTAMP])


def pack_reflector(packet: ReflectorPacket) -> bytes:
    """Return the 44 octets."""
    return _REFLECTOR.pack(
        packet.sequence & 0xFFFFFFFF,
        *_ntp(packet.sent),
        packet.error_estimate,
        packet.ssid,
        *_ntp(packet.received),
        packet.sender_sequence,
        *_ntp(packet.sender_sent),
        packet.sender_error_estimate,
        packet.sender_ttl,
    )


def reflect(request: bytes | memoryview, packet: ReflectorPacket) -> bytes:
    """Return the answer to `request`. The sender's fields are copied octet by octet (RFC 8762 section 4.3).

    A sender's timestamp may have another format or be finer than a nanosecond. What follows the packet (padding, or the
    TLVs of RFC 8972) goes back as it came, so that an answer is as long as its request. A request of TWAMP Light that
    is shorter than 44 octets gets the 44 octets (RFC 8762 section 4.6), 30 more than it has at most.
    """
    raw = pack_reflector(packet)
    return b"".join((raw[: _COPY.start], request[: _COPY.stop - _COPY.start], raw[_COPY.stop :], request[LENGTH:]))


def sent_now(answer: bytearray, nanoseconds: int) -> None:
    """Write the time of sending into a packed answer."""
    _TIME.pack_into(answer, 4, *_ntp(nanoseconds))


def unpack_reflector(raw: bytes | memoryview) -> ReflectorPacket:
    """Return the packet in `raw`. If it is shorter than 44 octets, the missing fields are 0. Raises `Malformed`.

    A packet without a receive timestamp is not from a reflector. An echo, for example, returns the sender's packet.
    """
    if len(raw) < REFLECTOR_FIELDS:
        raise Malformed(f"{len(raw)} octets are too few for a STAMP answer, its fields have {REFLECTOR_FIELDS}")
    if not any(raw[_RECEIVED]):
        raise Malformed("a STAMP answer has a receive timestamp")
    (
        sequence,
        sent_s,
        sent_f,
        estimate,
        ssid,
        received_s,
        received_f,
        sender_sequence,
        sender_s,
        sender_f,
        sender_estimate,
        ttl,
    ) = _REFLECTOR.unpack_from(raw if len(raw) >= LENGTH else bytes(raw).ljust(LENGTH, b"\0"))
    return ReflectorPacket(
        sequence=sequence,
        sent=_unix(sent_s, sent_f),
        received=_unix(received_s, received_f),
        sender_sequence=sender_sequence,
        sender_sent=_unix(sender_s, sender_f),
        sender_ttl=ttl,
        error_estimate=estimate,
        sender_error_estimate=sender_estimate,
        ssid=ssid,
    )


def _ntp(nanoseconds: int) -> tuple[int, int]:
    seconds, rest = divmod(nanoseconds, _BILLION)
    return (seconds + _NTP) & 0xFFFFFFFF, (rest << 32) // _BILLION


def _unix(seconds: int, fraction: int) -> int:
    # Era 1 begins in 2036: a number below 1970's is read as one of it (RFC 5905 section 6).
    era = 2**32 if seconds < _NTP else 0
    return (seconds + era - _NTP) * _BILLION + ((fraction * _BILLION + 2**31) >> 32)
