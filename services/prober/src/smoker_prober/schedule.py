"""When the rounds are: the first at once, then on a grid that does not drift, each node at a place of its own on it."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable

import gevent
from gevent.event import Event
from loguru import logger

PATIENCE = 10.0  # seconds beyond interval and round after which a schedule that has not turned is stuck


def phase(node: str, interval: float) -> float:
    """Where on the grid `node` fires: seconds from 0 to `interval`, the same at each start, nodes spread evenly."""
    digest = hashlib.blake2b(node.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * interval


def next_tick(now: float, interval: float, offset: float) -> float:
    """The first instant after `now` that is `offset` past a multiple of `interval`."""
    tick = (math.floor((now - offset) / interval) + 1) * interval + offset
    return tick if tick > now else tick + interval  # where the floating point has rounded down


class Schedule:
    """Calls `one_round` at once and then at every tick until it is closed; logs what it raises and goes on."""

    def __init__(
        self,
        one_round: Callable[[], None],
        *,
        interval: float,
        longest: float,
        node: str,
        began: Callable[[float], None] = lambda _lateness: None,
    ) -> None:
        """`longest` is what a round may take; `began` is told by how much each round begins after its time."""
        self._one_round, self._interval, self._longest, self._began = one_round, interval, longest, began
        self._offset = phase(node, interval)
        self._closed = Event()
        self._turned = time.monotonic()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self.rounds = 0

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._turn)

    def _turn(self) -> None:
        # The grid is the wall clock's, read once: later steps of that clock move no round.
        wall = time.time() - time.monotonic()
        due = time.monotonic() + wall
        while not self._closed.is_set():
            self._turned = time.monotonic()
            try:
                self._began(max(self._turned + wall - due, 0.0))
                self._one_round()
            except Exception:
                logger.exception("a round failed")
            self.rounds += 1
            now = time.monotonic() + wall
            if now - due > self._interval:
                logger.warning(
                    "a round took longer than the interval; the rounds in between are left out",
                    seconds=round(now - due, 3),
                    interval=self._interval,
                )
            # A timer may be early by a moment: not the same tick twice, and the moment is waited for.
            due = next_tick(max(now, due), self._interval, self._offset)
            self._closed.wait(due - now)

    def close(self) -> None:
        self._closed.set()

    @property
    def closed(self) -> bool:
        """Whether no more probes are to begin."""
        return self._closed.is_set()

    def drain(self, seconds: float) -> int:
        """Wait for the probe in flight, `seconds` at most. Returns 1 if it was cut."""
        if self._greenlet is None:
            return 0
        self._greenlet.join(seconds)
        cut = not self._greenlet.dead
        self._greenlet.kill()
        return int(cut)

    def unready(self) -> str:
        return "" if self.rounds else "the first round has not ended"

    def stuck(self) -> str:
        silent = time.monotonic() - self._turned
        return "" if silent < self._interval + self._longest + PATIENCE else f"no round has begun for {silent:.0f} s"
