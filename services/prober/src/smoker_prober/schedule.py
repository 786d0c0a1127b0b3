"""When rounds run: the first at once, then on a grid that does not drift, with an offset for each node and host.

Rounds begin in groups. Those of the echo services in a mesh are spread evenly over the interval instead. Their first
ones run one after the other.

A heap knows which round is due next, and one greenlet waits for it. Each running round has a greenlet of its own.
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

PATIENCE = 10.0  # seconds beyond interval and round after which a schedule without a new round is stuck
AT_ONCE = 256  # rounds that run at once at most: those of silent targets last long
TOGETHER = 8  # rounds, about, that begin together: apart, each would find the CPU's caches cold
APART = 0.02  # seconds between the beginnings of the first rounds, of which there can be a thousand


def phase(node: str, interval: float) -> float:
    """Return the offset of `node` on the grid: 0 to `interval` seconds, the same at each start, nodes spread evenly.

    It is not the hash of the ring of peers: neighbours there probe the same node, and must not do so at once.
    """
    digest = hashlib.blake2b(node.encode(), digest_size=8, person=b"rounds").digest()
    return int.from_bytes(digest, "big") / 2**64 * interval


def groups_of(rounds: int) -> int:
    """Return in how many groups so many rounds begin."""
    return math.ceil(rounds / TOGETHER)


def place(node: str, name: str, rounds: int, interval: float) -> float:
    """Return the offset of the round `name` of a node with so many `rounds`, in groups spread over the interval."""
    groups = groups_of(rounds)
    return phase(node, interval) + math.floor(phase(f"{node} {name}", groups)) * interval / groups


def next_tick(now: float, interval: float, offset: float) -> float:
    """Return the first instant after `now` that is `offset` past a multiple of `interval`."""
    tick = (math.floor((now - offset) / interval) + 1) * interval + offset
    return tick if tick > now else tick + interval  # floating point rounded down


class Schedule:
    """Calls each of `rounds` (by name) at once and then at its ticks, until `set` omits it or `close` is called.

    A round has the interval of the schedule or one of its own, and never overlaps itself. An exception in a round is
    logged, and the rounds go on. At most `AT_ONCE` rounds run at once; a round waits only while that many others run.
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
        """`longest` is the seconds that a round may take. `began` gets the seconds by which each round is late."""
        self._rounds: dict[str, Callable[[], None]] = {}
        self._own: Mapping[str, float] = {}  # intervals of their own
        self._spread: Mapping[str, float] = {}  # shares of the interval, of the rounds in no group
        self._first_turn: list[str] = []  # of these, the ones that run one after the other, because they are new
        self._interval, self._longest, self._node, self._began = interval, longest, node, began
        self._due: list[tuple[float, str]] = []  # a heap of the rounds that do not run, and of stale entries
        self._due_at: dict[str, float] = {}  # of the rounds that do not run: a different entry in the heap is stale
        self._under_way: dict[str, float] = {}  # when each running round began
        self._overrun: set[str] = set()  # names whose last round took longer than the interval
        self._changed = Event()  # something is due earlier than before, or the schedule is closed
        self._pool = Pool(AT_ONCE)
        self._closed = False
        self._turned = time.monotonic()
        self._wall = time.time() - self._turned  # read once, so that later steps of the wall clock move no round
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self.ended = 0  # rounds so far
        self.set(rounds)

    def set_pace(self, interval: float, longest: float) -> None:
        """Replace the interval and the longest time of a round. Only rounds that `set` replaces then follow it."""
        self._interval, self._longest = interval, longest

    def set(
        self,
        rounds: Mapping[str, Callable[[], None]],
        own: Mapping[str, float] | None = None,
        spread: Mapping[str, float] | None = None,
    ) -> None:
        """Replace the rounds. New ones are due at once, and omitted ones are not called again.

        `own` has the intervals of those that do not have the schedule's. `spread` has those that are in no group, with
        the share of the interval by which they come after the node's place on the grid, in ascending order; new ones of
        these begin one after the other. Where the number of groups changes, the others take their new places at once,
        but none waits longer than before.
        """
        self._own, self._spread = own or {}, spread or {}
        regroup = groups_of(len(rounds)) != groups_of(len(self._rounds))
        fresh = [name for name, one_round in rounds.items() if self._rounds.get(name) is not one_round]
        self._rounds = dict(rounds)
        for name in self._due_at.keys() - rounds.keys():
            del self._due_at[name]
        self._overrun &= rounds.keys()
        now, apart = time.monotonic(), min(APART, self._interval / max(len(fresh), 1))
        self._first_turn = [name for name in self._spread if name in fresh or name in self._first_turn]
        for name in self._first_turn[1:]:
            self._due_at.pop(name, None)
        for number, name in enumerate(fresh):
            if name not in self._under_way and name not in self._first_turn[1:]:
                self._put(name, now + number * apart)
        self._go_on(now)
        if regroup:
            for name in self._due_at.keys() - self._own.keys() - self._spread.keys():
                self._put(name, min(self._due_at[name], self.next(name, now)))
        self._changed.set()

    def _go_on(self, now: float) -> None:
        """Begin the next round of the first turn, if there is one that is neither due already nor under way."""
        name = next(iter(self._first_turn), "")
        if name and name not in self._due_at and name not in self._under_way:
            self._put(name, now)

    def has(self, name: str, one_round: Callable[[], None]) -> bool:
        """Return whether the round `name` is still this one."""
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
                self._pool.spawn(self._one, name, due)  # waits while too many run

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
        interval = self._own.get(name, self._interval)
        if now - due <= interval:
            self._overrun.discard(name)
        elif name not in self._overrun:  # one warning until it is in time again
            self._overrun.add(name)
            logger.warning(
                "a round took longer than the interval; the rounds in between are skipped",
                target=name,
                seconds=round(now - due, 3),
                interval=interval,
            )
        if not self.has(name, one_round):
            if name in self._rounds and name not in self._first_turn[1:]:  # another round took its name meanwhile
                self._put(name, now)
        else:
            # A timer may fire a moment early: never run the same tick twice.
            self._put(name, self.next(name, max(now, due)))
            if name in self._first_turn:
                self._first_turn.remove(name)
                self._go_on(now)
        self._changed.set()

    def next(self, name: str, now: float) -> float:
        """Return when the round `name` is due after `now`, both by the monotonic clock."""
        interval = self._own.get(name, self._interval)
        spread = self._spread.get(name)
        if spread is None:
            offset = place(self._node, name, len(self._rounds), interval)
        else:
            offset = phase(self._node, interval) + spread * interval
        return next_tick(now + self._wall, interval, offset) - self._wall

    def close(self) -> None:
        self._closed = True
        self._changed.set()

    @property
    def closed(self) -> bool:
        """Whether no more probes may begin."""
        return self._closed

    def drain(self, seconds: float) -> int:
        """Wait for the running rounds, `seconds` at most. Return how many were cut off."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._pool.join(seconds)
        cut = len(self._under_way)
        self._pool.kill()
        return cut

    def unready(self) -> str:
        return "the first round has not ended" if self._first_turn or not self.ended else ""

    def stuck(self) -> str:
        now, patience = time.monotonic(), self._interval + self._longest + PATIENCE
        silent, lasted = now - self._turned, max((now - begun for begun in self._under_way.values()), default=0.0)
        if silent >= patience:
            return f"no round has begun for {silent:.0f} s"
        return "" if lasted < patience else f"a round has lasted for {lasted:.0f} s"
