"""Repeats a failed probe once, a moment later: that tells a fault from a single lost packet within seconds.

The repetition is a result of its own (`confirm=true`). It counts for the state that the hub reads, but not for rates,
windows and metrics: they would otherwise weigh failures more than successes.

A storm is impossible: a prober repeats at most `MOST` probes an interval, however many fail. With everything failing on
a mesh of ten peers, two families and three probes that is 12 probes beside 60 or more.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable

import gevent
from gevent.pool import Pool

AFTER = 2.0  # seconds
SPREAD = 1.0  # seconds beyond it, at random: failures of one moment are not repeated in one moment
MOST = 12  # confirmations an interval


class Confirmations:
    """Runs confirmations, each after a pause, within the budget of `interval` seconds, which may be set anew."""

    def __init__(self, interval: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.interval, self._clock = interval, clock
        self._begun: deque[float] = deque(maxlen=MOST)
        self._pool = Pool(MOST)

    def later(self, confirm: Callable[[], None]) -> bool:
        """Run `confirm` in some seconds. Return whether the budget has room for it."""
        now = self._clock()
        full = len(self._begun) == MOST and now - self._begun[0] < self.interval
        if full or self._pool.full() or self.interval < AFTER + SPREAD:
            return False  # with so short an interval the next round is the confirmation
        self._begun.append(now)
        self._pool.start(gevent.Greenlet(_after, AFTER + random.uniform(0, SPREAD), confirm))  # noqa: S311  not secret
        return True

    @property
    def waiting(self) -> int:
        """The number of confirmations that have not ended."""
        return len(self._pool)

    def close(self) -> None:
        """Run nothing more."""
        self._pool.kill(block=False)


def _after(seconds: float, confirm: Callable[[], None]) -> None:
    gevent.sleep(seconds)
    confirm()
