"""What two probers say to each other around a transfer: blocks of 64 bytes, a line of text and spaces.

    client                                      server
    smoker-bandwidth/1 up BYTES MILLISECONDS ─▶
                                             ◀─ ok | busy | stranger
    BYTES at most, then the end              ─▶
                                             ◀─ done BYTES MICROSECONDS

    smoker-bandwidth/1 down BYTES MILLISECONDS ─▶
                                             ◀─ ok | busy | stranger
                                             ◀─ BYTES at most, then sent RATE RETRANSMITS, then the end

RATE is in bytes per second, 0 where the kernel does not know it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BLOCK = 64  # bytes
MOST_BYTES = 64 * 1024 * 1024  # of one transfer in one direction
MOST_SECONDS = 1.0
UP, DOWN = "up", "down"
OK, BUSY, STRANGER = "ok", "busy", "stranger"
_NUMBER = r"(\d{1,15})"
_REQUEST = re.compile(rf"smoker-bandwidth/1 (up|down) {_NUMBER} {_NUMBER}", re.ASCII)
_DONE = re.compile(rf"done {_NUMBER} {_NUMBER}", re.ASCII)
_SENT = re.compile(rf"sent {_NUMBER} {_NUMBER}", re.ASCII)


class WireError(ValueError):
    """A block that says nothing known."""


class Request(NamedTuple):
    """What a client asks for: the direction of the bytes as the client sees it, and its limits."""

    direction: str
    bytes: int
    seconds: float


def block(text: str) -> bytes:
    """Return `text` as a block."""
    return text.encode("ascii").ljust(BLOCK - 1) + b"\n"


def request(wanted: Request) -> bytes:
    """Return the block that asks for a transfer."""
    return block(f"smoker-bandwidth/1 {wanted.direction} {wanted.bytes} {round(wanted.seconds * 1000)}")


def request_of(data: bytes) -> Request:
    """Return the request in a block, within the limits, whatever it asks for. Raises `WireError`."""
    direction, size, milliseconds = _match(_REQUEST, data)
    return Request(direction, min(int(size), MOST_BYTES), min(int(milliseconds) / 1000, MOST_SECONDS))


def done(size: int, seconds: float) -> bytes:
    """Return the block that says what was received, and in what time."""
    return block(f"done {size} {round(seconds * 1e6)}")


def done_of(data: bytes) -> tuple[int, float]:
    """Return the bytes and seconds in a block. Raises `WireError`."""
    size, microseconds = _match(_DONE, data)
    return int(size), int(microseconds) / 1e6


def sent(rate: float | None, retransmits: int) -> bytes:
    """Return the block that says how the bytes before it were sent."""
    return block(f"sent {round(rate or 0)} {retransmits}")


def sent_of(data: bytes) -> tuple[float | None, int]:
    """Return the rate and the retransmits in a block. Raises `WireError`."""
    rate, retransmits = _match(_SENT, data)
    return float(rate) or None, int(retransmits)


def word_of(data: bytes) -> str:
    """Return the answer to a request: OK, BUSY or STRANGER. Raises `WireError`."""
    return str(_match(re.compile(f"({OK}|{BUSY}|{STRANGER})"), data)[0])


def _match(form: re.Pattern[str], data: bytes) -> tuple[str, ...]:
    found = form.fullmatch(data.decode("ascii", "replace").rstrip(" \n")) if len(data) == BLOCK else None
    if found is None:
        raise WireError(f"got {data[:BLOCK]!r}")
    return found.groups()
