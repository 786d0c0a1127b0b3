"""The counters of an echo server. They are plain integers, because they change with every datagram."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """Counts since the server was created, except `open`, which is the current number. They can be added up."""

    connections: int = 0  # accepted
    open: int = 0  # connections
    requests: int = 0  # answered
    received: int = 0  # bytes of payload
    sent: int = 0
    failed: int = 0  # connections, requests or datagrams that ended in an error
    refused: Counter[str] = field(default_factory=Counter)  # refused deliberately, by reason

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.connections + other.connections,
            self.open + other.open,
            self.requests + other.requests,
            self.received + other.received,
            self.sent + other.sent,
            self.failed + other.failed,
            self.refused + other.refused,
        )
