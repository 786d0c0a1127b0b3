"""Repeats a failed probe once, a moment later: that tells a fault from a single lost packet within seconds.

A target with a long interval of its own, such as ten minutes, is then repeated at the usual interval until it answers:
otherwise a short outage would look like one of ten minutes.

A kept flow that fails beside fresh ones that work (kept_flow.py), and a train that lost packets (train.py), are asked
again as well, ten seconds later. A probe that lost its packet has no train. So where the repeated one is answered, the
train and the check of flows that are missing follow it at once, as a second result: the path may lose packets.

A probe that is asked again, for either reason, waits `WITHIN` at most for the answer of a peer, an echo or the
cluster's DNS, which comes in milliseconds. Other targets have their whole timeout, because they may be slow.

The repetition is a result of its own (`confirm=true`). It counts for the state that the hub reads, but not for rates,
windows and metrics: they would otherwise weigh failures more than successes.

A storm is impossible: a prober repeats at most `MOST` probes an interval, however many fail, and as many of those that
are asked ten seconds later. With everything failing on a mesh of ten peers, two families and three probes that is 12
probes beside 60 or more; with loss on all paths, 24 trains beside 20.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable

import gevent
from gevent.pool import Pool

from smoker_diagnosis.state import PEER, RESOLVER, SERVICE
from smoker_prober.target import Target

AFTER = 2.0  # seconds
LATER = 10.0  # seconds after which a follow-up is asked again: the diagnosis wants two failures of a flow so far apart
SPREAD = 1.0  # seconds beyond it, at random: failures of one moment are not repeated in one moment
WITHIN = 2.0  # seconds that a repeated probe waits: in them TCP sends its first packet twice
QUICK = (PEER, SERVICE, RESOLVER)  # roles of the targets that answer in milliseconds
MOST = 12  # confirmations an interval


def patience(target: Target, timeout: float) -> float:
    """Return the seconds for which a repeated probe of `target` waits, whose probes have `timeout` seconds."""
    return min(timeout, WITHIN) if target.path.role in QUICK else timeout


class Budget:
    """Allows `MOST` confirmations in any `interval` seconds, which may be set anew."""

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._begun: deque[float] = deque(maxlen=MOST)

    def has_room(self, now: float) -> bool:
        """Return whether one more may begin at `now`: none with so short an interval that the next round confirms."""
        full = len(self._begun) == MOST and now - self._begun[0] < self.interval
        return not full and self.interval >= AFTER + SPREAD

    def spend(self, now: float) -> None:
        """Record that one begins at `now`."""
        self._begun.append(now)


class Confirmations:
    """Runs confirmations, each after a pause, within the budget of `interval` seconds, which may be set anew."""

    def __init__(self, interval: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget, self._clock = Budget(interval), clock
        self._pool = Pool(MOST)

    @property
    def interval(self) -> float:
        """Seconds of the budget."""
        return self._budget.interval

    @interval.setter
    def interval(self, seconds: float) -> None:
        self._budget.interval = seconds

    def later(self, confirm: Callable[[], None], *, after: float = AFTER) -> bool:
        """Run `confirm` in `after` seconds or a little later. Return whether the budget has room for it."""
        now = self._clock()
        if self._pool.full() or not self._budget.has_room(now):
            return False
        self._budget.spend(now)
        pause = after + random.uniform(0, SPREAD)  # noqa: S311  not secret
        self._pool.start(gevent.Greenlet(_after, pause, confirm))
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
