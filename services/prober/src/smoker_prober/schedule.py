"""When the rounds are: the first at once, then on a grid that does not drift, with a place for each node and target.

A heap knows which round is due next; one greenlet waits for that, and a round has a greenlet while it lasts.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import time
from collections.abc import Callable, Mapping

import gevent
from gevent.event import Event
from gevent.pool import Pool
from loguru import logger

PATIENCE = 10.0  # seconds beyond interval and round after which a schedule that has not turned is stuck
AT_ONCE = 256  # rounds under way at most: those of targets that do not answer last long
TOGETHER = 0.25  # seconds whose rounds begin together, where there are many: apart, each would find its caches cold
APART = 0.02  # seconds between the beginnings of the first rounds, of which there can be a thousand


def phase(node: str, interval: float) -> float:
    """Where on the grid `node` fires: seconds from 0 to `interval`, the same at each start, nodes spread evenly."""
    digest = hashlib.blake2b(node.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * interval


def next_tick(now: float, interval: float, offset: float) -> float:
    """The first instant after `now` that is `offset` past a multiple of `interval`."""
    tick = (math.floor((now - offset) / interval) + 1) * interval + offset
    return tick if tick > now else tick + interval  # where the floating point has rounded down


class Schedule:
    """Calls each of `rounds` (by name) at once and then at every tick of its own until it is closed.

    What a round raises is logged, and the rounds go on. A round never overlaps itself, and waits for no other.
    """

    def __init__(
        self,
        rounds: Mapping[str, Callable[[], None]],
        *,
        interval: float,
        longest: float,
        node: str,
        began: Callable[[float], None] = lambda _lateness: None,
    ) -> None:
        """`longest` is what a round may take; `began` is told by how much each round begins after its time."""
        self._rounds, self._interval, self._longest, self._node, self._began = rounds, interval, longest, node, began
        self._due: list[tuple[float, str]] = []  # a heap of the rounds that are not under way
        self._under_way: dict[str, float] = {}  # when they began
        self._changed = Event()  # there is something due earlier than before, or the end
        self._pool = Pool(AT_ONCE)
        self._closed = False
        self._turned = time.monotonic()
        self._wall = time.time() - self._turned  # read once: later steps of the wall clock move no round
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self.ended = 0  # rounds so far

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._turn)

    def _turn(self) -> None:
        now = self._turned = time.monotonic()
        apart = min(APART, self._interval / len(self._rounds))
        self._due = [(now + number * apart, name) for number, name in enumerate(self._rounds)]
        while not self._closed:
            self._changed.clear()
            wait = self._due[0][0] - time.monotonic() if self._due else None
            if wait is None or wait > 0:
                self._changed.wait(wait)
            else:
                due, name = heapq.heappop(self._due)
                self._pool.spawn(self._one, name, due)  # waits where too many are under way

    def _one(self, name: str, due: float) -> None:
        if self._closed:
            return
        begun = self._under_way[name] = self._turned = time.monotonic()
        try:
            self._began(max(begun - due, 0.0))
            self._rounds[name]()
        except Exception:
            logger.exception("a round failed")
        del self._under_way[name]
        self.ended += 1
        now = time.monotonic()
        if now - due > self._interval:
            logger.warning(
                "a round took longer than the interval; the rounds in between are left out",
                target=name,
                seconds=round(now - due, 3),
                interval=self._interval,
            )
        # A timer may be early by a moment: not the same tick twice, and the moment is waited for.
        heapq.heappush(self._due, (self.next(name, max(now, due)), name))
        self._changed.set()

    def next(self, name: str, now: float) -> float:
        """When the round `name` is due after `now`; both by the monotonic clock."""
        if len(self._rounds) == 1:  # nobody to be grouped with: the place is the node's alone
            offset = phase(self._node, self._interval)
        else:
            together = min(TOGETHER, self._interval / 10)
            offset = math.floor(phase(f"{self._node} {name}", self._interval) / together) * together
        return next_tick(now + self._wall, self._interval, offset) - self._wall

    def close(self) -> None:
        self._closed = True
        self._changed.set()

    @property
    def closed(self) -> bool:
        """Whether no more probes are to begin."""
        return self._closed

    def drain(self, seconds: float) -> int:
        """Wait for the rounds under way, `seconds` at most. Returns how many were cut."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._pool.join(seconds)
        cut = len(self._under_way)
        self._pool.kill()
        return cut

    def unready(self) -> str:
        return "" if self.ended else "the first round has not ended"

    def stuck(self) -> str:
        now, patience = time.monotonic(), self._interval + self._longest + PATIENCE
        silent, lasted = now - self._turned, max((now - begun for begun in self._under_way.values()), default=0.0)
        if silent >= patience:
            return f"no round has begun for {silent:.0f} s"
        return "" if lasted < patience else f"a round has lasted for {lasted:.0f} s"
