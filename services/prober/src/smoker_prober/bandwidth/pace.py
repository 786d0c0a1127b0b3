"""How fast a transfer may send, so that it leaves no queue in front of others, and what rate it found.

A TCP sender fills the queue of the slowest link, and everybody's packets wait there. Segments that are on the way for
longer than the least round-trip time show the queue. While there is one, the pace is below the rate at which the other
end acknowledges; otherwise it is a little above that rate. So the link stays busy, and the queue short.

The rate is that of the bytes acknowledged over several looks. A sample over few segments (`tcpi_delivery_rate`) is the
rate of one burst, which behind a token bucket can be a hundred times the rate of the link.
"""

from __future__ import annotations

import statistics
from collections import deque

from smoker_prober.kernel.tcp_flow import Flow

START = 500_000.0  # bytes per second: the first pace, and the least
LEAD = 1.5  # times the rate of acknowledgement: the fastest pace
STEP = 0.02  # more than before, times the looks in a row without a queue, once there was one
QUEUE = 0.0005  # seconds by which the segments on the way may exceed the least round-trip time
BURST = 2.0  # times the rate: a sample above it shows that the link is faster, and that a CPU was late
DRAINED = 0.02  # seconds after which a queue shall be gone
DRAIN = 0.5  # of the rate of acknowledgement: the slowest pace with a queue
RECENT = 6  # looks over which the bytes are counted
ENOUGH = 5  # looks at a busy link whose median is its rate
PIECE = 0.0005  # seconds of the pace that leave at once
SEGMENTS = 2  # segments that leave at once at least: a receiver acknowledges every second one without delay


class Pace:
    """Collects the looks at one transfer, and holds the pace."""

    def __init__(self) -> None:
        self.bytes_per_second = START
        self._mss = 536  # RFC 9293 §3.7.1: before the first look
        self._acked: deque[tuple[float, int]] = deque(maxlen=RECENT)  # time and bytes of each look
        self._free: list[float] = []  # rates without a queue
        self._busy: list[float] = []  # rates with a queue: then the network, and not the pace, limited them
        self._paced = False  # whether there was a queue
        self._calm = 0  # looks in a row without a queue

    @property
    def piece(self) -> int:
        """Return the bytes that may leave at once: whole segments."""
        return max(int(self.bytes_per_second * PIECE) // self._mss, SEGMENTS) * self._mss

    def look(self, flow: Flow, now: float) -> None:
        """Take a look at the transfer at the time `now`, and set the pace."""
        self._acked.append((now, flow.acked))
        began, before = self._acked[0]
        acked = (flow.acked - before) / (now - began) if now > began else 0.0
        queue = self._queue(flow, max(acked, START))
        if len(self._acked) == RECENT:
            (self._busy if queue else self._free).append(acked)
        self._set(queue, max(acked, START))
        self._mss = flow.mss

    def _queue(self, flow: Flow, rate: float) -> float:
        """Return the seconds that the queue takes to empty at `rate`; 0.0 where there is none worth the name."""
        if flow.rate > BURST * rate:
            return 0.0
        expected = self.piece + self.bytes_per_second * flow.min_rtt * 9 / 8  # the round-trip time varies a little
        queue = (flow.unacked * flow.mss - expected) / rate
        return queue if queue > QUEUE else 0.0

    def _set(self, queue: float, rate: float) -> None:
        """Set the pace by the queue and the rate of acknowledgement."""
        self._paced |= queue > 0
        self._calm = 0 if queue else self._calm + 1
        if queue:
            pace = rate * max(1 - queue / DRAINED, DRAIN)
        elif self._paced:
            pace = min(self.bytes_per_second * (1 + STEP * self._calm), rate * LEAD)
        else:
            pace = rate * LEAD
        self.bytes_per_second = max(pace, START)

    @property
    def rate(self) -> float | None:
        """Return bytes per second: the rate of the busy link, or else the highest; None after too few looks."""
        if len(self._busy) >= ENOUGH:
            return statistics.median(self._busy)
        return max(self._busy + self._free, default=None)
