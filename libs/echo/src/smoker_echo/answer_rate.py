"""The cap on answers per source address and second.

A datagram with a forged source makes a server send to the forged address. The cap bounds what one address receives, and
it ends a loop of two echoes that answer each other: a loop has one datagram in flight, so the first refusal ends it.
A loop whose RTT is longer than one second divided by the cap stays below the cap and continues at that pace.
"""

from __future__ import annotations

import time

RATE = 2000  # answers per source address and second; docs/design/0012-safety.md has the figures
MOST_RATE = 10_000_000  # more than one process can answer: no cap
SOURCES = 4096  # addresses per second with their own count; all others share one count
_OTHERS = ""  # the key of the shared count


class AnswerRate:
    """Counts answers by source address and forgets all counts when a second is over.

    Servers that share one object share its counts. Memory is bounded by SOURCES. IPv6 is counted by address and not by
    prefix, because the nodes of a cluster, or all pods of a node, often have one /64.
    """

    __slots__ = ("_answers", "_until", "rate")

    def __init__(self, rate: int = RATE) -> None:
        self.rate = rate
        self._answers: dict[str, int] = {}
        self._until = 0.0  # monotonic seconds

    def tick(self) -> None:
        """Begin a new second if the last one is over. Called once per batch of datagrams."""
        now = time.monotonic()
        if now >= self._until:
            self._until = now + 1.0
            self._answers.clear()

    def allows(self, address: str) -> bool:
        """Return whether one more answer to `address` is within the cap, and count it if so."""
        answers = self._answers
        count = answers.get(address)
        if count is None:
            if len(answers) >= SOURCES:
                address = _OTHERS
            count = answers.get(address, 0)
        if count >= self.rate:
            return False
        answers[address] = count + 1
        return True
