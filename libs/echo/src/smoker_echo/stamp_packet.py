"""STAMP test packets in unauthenticated mode (RFC 8762 sections 4.2.1 and 4.3.1): bytes to values and back, no I/O.

Timestamps are NTP's (RFC 5905 section 6: seconds since 1900 in 32 bits, fraction in 32); here they are integers,
nanoseconds since the epoch of Unix. Both packets have 44 octets; what is longer carries padding or TLVs (RFC 8972).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

LENGTH = 44  # octets
_NTP = 2_208_988_800  # seconds from 1900 to 1970
_BILLION = 10**9
# Sequence number, timestamp (seconds, fraction), error estimate, MBZ
_SENDER = struct.Struct("!III H 30x")
# The same, MBZ, receive timestamp, the sender's sequence number, timestamp and error estimate, MBZ, its TTL, MBZ
_REFLECTOR = struct.Struct("!III H 2x II I II H 2x B 3x")
_COPY = slice(24, 38)  # where an answer has the first 14 octets of what it answers
_TIME = struct.Struct("!II")
# RFC 4656 section 4.1.2: S (synchronised) 0, Z (format) 0 for NTP, scale 0, multiplier 1: the error is unknown.
ERROR_ESTIMATE = 0x0001


@dataclass(frozen=True)
class SenderPacket:
    """What a Session-Sender sends."""

    sequence: int
    sent: int  # ns
    error_estimate: int = ERROR_ESTIMATE


@dataclass(frozen=True)
class ReflectorPacket:
    """What a Session-Reflector answers."""

    sequence: int  # its own count of this session's answers: a gap is an answer that was lost
    sent: int  # ns, when the answer left
    received: int  # ns, when the packet arrived
    sender_sequence: int
    sender_sent: int  # ns
    sender_ttl: int  # TTL or hop limit the packet arrived with; 0 where unknown
    error_estimate: int = ERROR_ESTIMATE
    sender_error_estimate: int = ERROR_ESTIMATE

    @property
    def residence(self) -> int:
        """Nanoseconds in the reflector; below 0 where its clock was stepped meanwhile."""
        return self.sent - self.received


class Malformed(ValueError):
    """Too short for a STAMP packet."""


def pack_sender(packet: SenderPacket, length: int = LENGTH) -> bytes:
    """`length` octets, padded with zeros."""
    raw = _SENDER.pack(packet.sequence & 0xFFFFFFFF, *_ntp(packet.sent), packet.error_estimate)
    return raw.ljust(length, b"\0")


def unpack_sender(raw: bytes | memoryview) -> SenderPacket:
    """Raises `Malformed`."""
    if len(raw) < LENGTH:
        raise Malformed(f"{len(raw)} octets are too few for a STAMP packet, it has {LENGTH}")
    sequence, seconds, fraction, estimate = _SENDER.unpack_from(raw)
    return SenderPacket(sequence, _unix(seconds, fraction), estimate)


def pack_reflector(packet: ReflectorPacket) -> bytes:
    """The 44 octets."""
    return _REFLECTOR.pack(
        packet.sequence & 0xFFFFFFFF,
        *_ntp(packet.sent),
        packet.error_estimate,
        *_ntp(packet.received),
        packet.sender_sequence,
        *_ntp(packet.sender_sent),
        packet.sender_error_estimate,
        packet.sender_ttl,
    )


def reflect(request: bytes | memoryview, packet: ReflectorPacket) -> bytes:
    """The answer to `request`. What is the sender's is copied octet by octet, not by its value (RFC 8762 section 4.3).

    Its timestamp may have another format or be finer than a nanosecond, and what follows the packet (padding, or the
    TLVs of RFC 8972) goes back as it came: an answer is as long as what it answers.
    """
    raw = pack_reflector(packet)
    return b"".join((raw[: _COPY.start], request[: _COPY.stop - _COPY.start], raw[_COPY.stop :], request[LENGTH:]))


def sent_now(answer: bytearray, nanoseconds: int) -> None:
    """Put the time of sending into an answer that is ready to leave."""
    _TIME.pack_into(answer, 4, *_ntp(nanoseconds))


def unpack_reflector(raw: bytes | memoryview) -> ReflectorPacket:
    """Raises `Malformed`."""
    if len(raw) < LENGTH:
        raise Malformed(f"{len(raw)} octets are too few for a STAMP packet, it has {LENGTH}")
    (
        sequence,
        sent_s,
        sent_f,
        estimate,
        received_s,
        received_f,
        sender_sequence,
        sender_s,
        sender_f,
        sender_estimate,
        ttl,
    ) = _REFLECTOR.unpack_from(raw)
    return ReflectorPacket(
        sequence=sequence,
        sent=_unix(sent_s, sent_f),
        received=_unix(received_s, received_f),
        sender_sequence=sender_sequence,
        sender_sent=_unix(sender_s, sender_f),
        sender_ttl=ttl,
        error_estimate=estimate,
        sender_error_estimate=sender_estimate,
    )


def _ntp(nanoseconds: int) -> tuple[int, int]:
    seconds, rest = divmod(nanoseconds, _BILLION)
    return (seconds + _NTP) & 0xFFFFFFFF, (rest << 32) // _BILLION


def _unix(seconds: int, fraction: int) -> int:
    # Era 1 begins in 2036: a number below 1970's is read as one of it (RFC 5905 section 6).
    era = 2**32 if seconds < _NTP else 0
    return (seconds + era - _NTP) * _BILLION + ((fraction * _BILLION + 2**31) >> 32)
