"""How fast a transfer may send, so that it leaves no queue in front of others, and what rate it found.

A TCP sender fills the queue of the slowest link, and everybody's packets wait there. The round-trip time shows the
queue. So the sender begins slowly and sends half as much again after each look until it sees a queue. Then it is paced
below the rate of delivery while the round-trip time is high, and a little above it while the time is low: the link
stays busy, and the queue short.
"""

from __future__ import annotations

import statistics
from collections import deque

from smoker_prober.kernel.tcp_flow import Flow

START, FASTEST = 500_000.0, 12.5e9  # bytes per second: the first pace, and one that no link here reaches
GROWTH = 1.5  # from one look to the next, of what was delivered: a link that is full delivers no more
QUEUE = 0.001  # seconds that the smoothed round-trip time may lie above the least one
DRAIN, PROBE = 0.85, 1.1  # of the rate of delivery, while there is a queue and while there is none
RECENT = 8  # looks whose median the pace follows: one sample can be a burst of acknowledgements
ENOUGH = 5  # looks at a busy link whose median is its rate


class Pace:
    """Collects the looks at one transfer."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._free: list[float] = []
        self._busy: list[float] = []  # with a queue: then the network, and not the pace, limited the rate
        self._paced = False  # by what the link delivers
        self._begins = START

    def look(self, flow: Flow) -> float | None:
        """Take a look at the transfer. Return the bytes per second to send from now on; None: as until now."""
        queued = flow.rtt - flow.min_rtt > QUEUE + flow.min_rtt / 8  # TCP's own smoothing moves by an eighth
        if flow.rate and not flow.limited:
            self._recent.append(flow.rate)
            (self._busy if queued else self._free).append(flow.rate)
        self._paced |= queued
        if not self._paced:
            delivered = flow.rate if flow.rate and not flow.limited else self._begins
            self._begins = min(GROWTH * max(min(delivered, self._begins), START), FASTEST)
            return self._begins
        if not self._recent:
            return None
        return statistics.median(self._recent) * (DRAIN if queued else PROBE)

    @property
    def rate(self) -> float | None:
        """Return the rate of delivery in bytes per second; None where only the sender ever limited it."""
        found = self._busy if len(self._busy) >= ENOUGH else [*self._busy, *self._free]
        return statistics.median(found) if found else None
