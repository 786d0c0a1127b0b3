"""Runs what follows a failure that lasts, apart from the rounds: it delays none of their probes.

However much fails, at most `AT_ONCE` follow-ups run at once and `MOST` begin within `PAUSE` seconds; each path has at
most one in that time. Each has a deadline of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from gevent.pool import Pool

PAUSE = 60.0  # seconds
MOST = 12  # follow-ups
AT_ONCE = 4


class Apart:
    """Runs follow-ups within the budget."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: dict[Hashable, float] = {}  # by path, those of the last `PAUSE` seconds
        self._pool = Pool(AT_ONCE)

    def later(self, path: Hashable, followup: Callable[[], None]) -> bool:
        """Run `followup` of `path` now. Return whether the budget has room for it."""
        now = self._clock()
        self._begun = {each: begun for each, begun in self._begun.items() if now - begun < PAUSE}
        if path in self._begun or len(self._begun) >= MOST or self._pool.full():
            return False
        self._begun[path] = now
        self._pool.spawn(followup)
        return True

    @property
    def running(self) -> int:
        """The number of follow-ups that have not ended."""
        return len(self._pool)

    def close(self) -> None:
        """Run nothing more."""
        self._pool.kill(block=False)
