"""Which direction of a path is lost, as one prober can tell: it hears a peer that does not answer it.

responder ─▶ Arrivals (when a datagram of an address was answered) ─▶ Direction (of one peer) ─▶ Result.direction

Only UDP can tell: a connection needs both directions, so none of it arrives where one is lost. The findings tell more
(smoker_diagnosis.direction): they compare what both ends heard. A log line has only this end.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

from smoker_diagnosis.state import PEER, Heard
from smoker_prober.result import OUT, Outcome, Result

MOST = 1024  # addresses that are remembered: those that were heard last
KEPT = 32  # times of each
IN_A_ROW = 3  # results without an answer: one or two can be lost packets, or lost answers


class Arrivals:
    """When this prober answered datagrams, by the address that sent them."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}  # by address, the one that was heard last at the end

    def answered(self, address: str) -> None:
        """Record that a datagram from `address` was answered just now."""
        times = self._times.pop(address, None)
        if times is None:
            times = deque(maxlen=KEPT)
        self._times[address] = times
        times.append(time.monotonic())
        if len(self._times) > MOST:
            del self._times[next(iter(self._times))]

    def last(self, address: str) -> float | None:
        """Return when a datagram from `address` was last answered, by the monotonic clock; None if none was."""
        times = self._times.get(address)
        return times[-1] if times else None

    def between(self, address: str, begin: float, end: float) -> bool:
        """Return whether a datagram from `address` was answered between two instants of the monotonic clock."""
        return any(begin < at < end for at in self._times.get(address, ()))


class Direction:
    """Adds the direction to a peer's UDP results, which come one after the other."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._silent: deque[float] = deque(maxlen=IN_A_ROW)  # when the probes without an answer were sent

    def of(self, result: Result) -> Result:
        """Return `result`, with its direction where that is known.

        It is known where the peer left `IN_A_ROW` probes unanswered and a datagram of the peer arrived between each
        two of them: the path from the peer works, so the path to it is broken, or the peer does not answer.
        """
        if result.probe != "udp" or result.target.path.role != PEER:
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


def last_heard(
    times: Callable[[str], float | None], addresses: Iterable[tuple[str, str, str, str]]
) -> tuple[Heard, ...]:
    """Return when peers were last heard. `addresses`: address, node, plane and family of each peer's path to us."""
    found = []
    for address, node, plane, family in addresses:
        at = times(address)
        if at is not None:
            found.append(Heard(node, plane, family, round(at, 3)))
    return tuple(found)
