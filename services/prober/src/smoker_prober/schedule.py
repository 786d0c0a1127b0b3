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
TOGETHER = 8  # rounds that begin together, about: apart, each would find its caches cold
APART = 0.02  # seconds between the beginnings of the first rounds, of which there can be a thousand


def phase(node: str, interval: float) -> float:
    """Where on the grid `node` fires: seconds from 0 to `interval`, the same at each start, nodes spread evenly.

    It is another hash than that of the ring of peers: neighbours there probe the same node, and must not do so at once.
    """
    digest = hashlib.blake2b(node.encode(), digest_size=8, person=b"rounds").digest()
    return int.from_bytes(digest, "big") / 2**64 * interval


def place(node: str, name: str, rounds: int, interval: float) -> float:
    """Where on the grid `node` has the round `name`, one of so many: some at its own phase, others evenly after it."""
    groups = math.ceil(rounds / TOGETHER)
    return phase(node, interval) + math.floor(phase(f"{node} {name}", groups)) * interval / groups


def next_tick(now: float, interval: float, offset: float) -> float:
    """The first instant after `now` that is `offset` past a multiple of `interval`."""
    tick = (math.floor((now - offset) / interval) + 1) * interval + offset
    return tick if tick > now else tick + interval  # where the floating point has rounded down


class Schedule:
    """Calls each of `rounds` (by name) at once and then at each tick of its own, until it is left out or all is closed.

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
        self._rounds: dict[str, Callable[[], None]] = {}
        self._interval, self._longest, self._node, self._began = interval, longest, node, began
        self._due: list[tuple[float, str]] = []  # a heap of the rounds that are not under way, and of what was left out
        self._due_at: dict[str, float] = {}  # of those that are not under way: what the heap says otherwise is over
        self._under_way: dict[str, float] = {}  # when they began
        self._overrun: set[str] = set()  # those whose last round took longer than the interval
        self._changed = Event()  # there is something due earlier than before, or the end
        self._pool = Pool(AT_ONCE)
        self._closed = False
        self._turned = time.monotonic()
        self._wall = time.time() - self._turned  # read once: later steps of the wall clock move no round
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self.ended = 0  # rounds so far
        self.set(rounds)

    def set(self, rounds: Mapping[str, Callable[[], None]]) -> None:
        """From now on these are the rounds: those that are new are due at once, those left out are not called again."""
        fresh = [name for name, one_round in rounds.items() if self._rounds.get(name) is not one_round]
        self._rounds = dict(rounds)
        for name in self._due_at.keys() - rounds.keys():
            del self._due_at[name]
        self._overrun &= rounds.keys()
        now, apart = time.monotonic(), min(APART, self._interval / max(len(fresh), 1))
        for number, name in enumerate(fresh):
            if name not in self._under_way:
                self._put(name, now + number * apart)
        self._changed.set()

    def has(self, name: str, one_round: Callable[[], None]) -> bool:
        """Whether the round `name` is (still) this one."""
        return self._rounds.get(name) is one_round

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._turn)

    def _put(self, name: str, due: float) -> None:
        self._due_at[name] = due
        heapq.heappush(self._due, (due, name))

    def _turn(self) -> None:
        self._turned = time.monotonic()
        while not self._closed:
            self._changed.clear()
            while self._due and self._due_at.get(self._due[0][1]) != self._due[0][0]:
                heapq.heappop(self._due)
            wait = self._due[0][0] - time.monotonic() if self._due else None
            if wait is None or wait > 0:
                self._changed.wait(wait)
            else:
                due, name = heapq.heappop(self._due)
                del self._due_at[name]
                self._under_way[name] = time.monotonic()
                self._pool.spawn(self._one, name, due)  # waits where too many are under way

    def _one(self, name: str, due: float) -> None:
        one_round = self._rounds.get(name)
        if self._closed or one_round is None:
            self._under_way.pop(name, None)
            return
        begun = self._under_way[name] = self._turned = time.monotonic()
        try:
            self._began(max(begun - due, 0.0))
            one_round()
        except Exception:
            logger.exception("a round failed")
        self._under_way.pop(name, None)
        self.ended += 1
        now = time.monotonic()
        if now - due <= self._interval:
            self._overrun.discard(name)
        elif name not in self._overrun:  # once, until it is in time again
            self._overrun.add(name)
            logger.warning(
                "a round took longer than the interval; the rounds in between are left out",
                target=name,
                seconds=round(now - due, 3),
                interval=self._interval,
            )
        if self.has(name, one_round):
            # A timer may be early by a moment: not the same tick twice, and the moment is waited for.
            self._put(name, self.next(name, max(now, due)))
        elif name in self._rounds:  # another one of that name has come meanwhile
            self._put(name, now)
        self._changed.set()

    def next(self, name: str, now: float) -> float:
        """When the round `name` is due after `now`; both by the monotonic clock."""
        offset = place(self._node, name, len(self._rounds), self._interval)
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
