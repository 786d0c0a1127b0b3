"""What an echo server counts. Counting is an addition in place: it happens for every datagram."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """Since the server was made; `open` is now. Counts of several servers can be added."""

    connections: int = 0  # accepted
    open: int = 0  # connections
    requests: int = 0  # answered
    received: int = 0  # bytes of payload
    sent: int = 0
    failed: int = 0  # connections, requests or datagrams that ended in an error
    refused: Counter[str] = field(default_factory=Counter)  # by reason; not served on purpose

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
