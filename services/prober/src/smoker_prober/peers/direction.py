"""Which direction of a way is lost: whoever hears a peer and is not heard by it knows.

responder ─▶ Arrivals (when datagrams of whom were answered) ─▶ Direction (of one peer) ─▶ Result.direction

Only UDP tells: a connection needs both directions, and none of it arrives where one is lost.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from itertools import pairwise

from smoker_prober.result import OUT, Outcome, Result

MOST = 1024  # addresses that are remembered: those who were heard of last
KEPT = 32  # times of each
IN_A_ROW = 3  # results without an answer: one or two can be loss, of the answer too


class Arrivals:
    """When datagrams of whom were answered here."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}  # by address, who was heard of last at the end

    def answered(self, address: str) -> None:
        """A datagram of `address` was, now."""
        times = self._times.pop(address, None)
        if times is None:
            times = deque(maxlen=KEPT)
        self._times[address] = times
        times.append(time.monotonic())
        if len(self._times) > MOST:
            del self._times[next(iter(self._times))]

    def last(self, address: str) -> float | None:
        """Return when a datagram of `address` was last answered, by the monotonic clock; None if none was."""
        times = self._times.get(address)
        return times[-1] if times else None

    def between(self, address: str, begin: float, end: float) -> bool:
        """Whether one of `address` was, between two instants of the monotonic clock."""
        return any(begin < at < end for at in self._times.get(address, ()))


class Direction:
    """Of a peer's UDP results, one after the other."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._silent: deque[float] = deque(maxlen=IN_A_ROW)  # when those without an answer were sent

    def of(self, result: Result) -> Result:
        """`result`, with its direction where that is known.

        The peer has not answered so many times in a row, and each time before the next it was heard to ask: so what it
        sends arrives here, and either what goes out to it does not get there, or it does not answer.
        """
        if result.probe != "udp" or not result.target.path.family:
            return result
        if result.outcome is not Outcome.TIMEOUT:
            self._silent.clear()
            return result
        self._silent.append(time.monotonic() - result.duration)
        if len(self._silent) < IN_A_ROW or not all(
            self._arrivals.between(result.address, *gap) for gap in pairwise(self._silent)
        ):
            return result
        return replace(result, direction=OUT, error=f"{result.error}; what the peer itself sends arrives here")
