"""Which direction of a way is lost: whoever hears a peer and is not heard by it knows.

responder ─▶ Arrivals (when a datagram of whom was answered) ─▶ Direction (of one peer) ─▶ Result.direction

Only UDP tells: a connection needs both directions, and none of it arrives where one is lost.
"""

from __future__ import annotations

import time
from dataclasses import replace

from smoker_prober.result import OUT, Outcome, Result

MOST = 1024  # addresses that are remembered: those who were heard of last
IN_A_ROW = 3  # results without an answer: one or two can be loss, of the answer too


class Arrivals:
    """When a datagram of whom was last answered here."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}  # by address, in this order

    def answered(self, address: str) -> None:
        """A datagram of `address` was, now."""
        last = self._last
        last.pop(address, None)
        last[address] = time.monotonic()
        if len(last) > MOST:
            del last[next(iter(last))]

    def since(self, address: str, moment: float) -> bool:
        """Whether one of `address` was, after `moment` of the monotonic clock."""
        return self._last.get(address, -1.0) > moment


class Direction:
    """Of a peer's UDP results, one after the other."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._silent = 0  # results in a row without an answer
        self._since = 0.0  # when the first of them was sent

    def of(self, result: Result) -> Result:
        """`result`, with its direction where that is known.

        The peer is not heard to answer, and since the first such probe it was heard to ask: so what it sends arrives
        here, and what is lost is what goes out to it. Whether it could answer, had it heard, is for others to say.
        """
        if result.probe != "udp":
            return result
        if result.outcome is not Outcome.TIMEOUT:
            self._silent = 0
            return result
        if not self._silent:
            self._since = time.monotonic() - result.duration
        self._silent += 1
        if self._silent < IN_A_ROW or not self._arrivals.since(result.address, self._since):
            return result
        return replace(result, direction=OUT, error=f"{result.error}; what the peer itself sends arrives here")
