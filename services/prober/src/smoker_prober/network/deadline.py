"""The time a probe gives the network: one budget over name resolution, connect, every read and write.

The budget runs while the probe waits, and only then: a prober that is starved of CPU does not take its own lateness for
the network's, neither between two waits nor at the end of one: of a wait that is answered, what counts is how long our
thread slept. And when a wait is over its budget, the kernel is asked before anybody says timeout: what has arrived by
then has arrived, however late we were woken.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from typing import NoReturn

import gevent
from gevent import monkey
from gevent.socket import wait_read, wait_write

from smoker_outcome.failure import DeadlineExceeded as DeadlineExceeded  # noqa: PLC0414  what deadlines raise
from smoker_prober.kernel.schedstat import Stopwatch, Thread

_poll = monkey.get_original("select", "poll")
EVENT_LOOP = Thread()  # its thread imports this
GRACE = 0.1  # share of the budget that is left at least after a wait that was answered, however late
GRACES = 5  # times that this is given: about as often as a probe waits
LATEST = 5.0  # seconds beyond its budget after which it gives no more than graces, however little the network took
FREE_READS = 16  # reads of an answer that are not looked at


class Deadline:
    """A budget of `seconds`. Its methods raise `DeadlineExceeded`."""

    def __init__(self, seconds: float) -> None:
        if seconds <= 0:
            raise ValueError(f"a deadline lies in the future, not in {seconds} s")
        self.seconds = seconds
        self._left = seconds
        self._graces = GRACES
        self._last = time.monotonic() + seconds + LATEST
        self._read = Stopwatch()  # since an answer is read, and how much it may take, and how often was asked
        self._reading, self._reads = seconds, 0

    def readable(self, sock: socket.socket) -> None:
        """Wait until `sock` can be read (or has an error to tell)."""
        self._wait(sock, write=False)

    def writable(self, sock: socket.socket) -> None:
        """Wait until `sock` can be written: connected, or refused."""
        self._wait(sock, write=True)

    @property
    def left(self) -> float:
        """Seconds that the network has."""
        return self._left

    @property
    def lasts(self) -> float:
        """Seconds, by the clock, until nothing is waited for."""
        return self._last - time.monotonic()

    def answered(self, seconds: float) -> None:
        """The network was waited for so long, and it answered."""
        self._left -= seconds
        if self._left < GRACE * self.seconds and self._graces:  # it may be us who saw it late
            self._graces, self._left = self._graces - 1, GRACE * self.seconds

    def exceeded(self) -> NoReturn:
        """Raise what says that the budget is spent."""
        self._left = 0.0
        raise DeadlineExceeded(f"no answer within {self.seconds:g} s") from None

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """An answer is read inside, with a `check` before each read."""
        self._read, self._reading, self._reads = Stopwatch(EVENT_LOOP.delayed), self._left, 0
        yield

    def check(self) -> None:
        """Call it before each read of an answer: a peer that never stops sending is never waited for.

        The first reads are free: what an answer has in the socket's buffer is not late because we are. After them what
        we need to read counts, and what we wait for a CPU does not.
        """
        self._reads += 1
        if self._reads > FREE_READS:
            gevent.sleep(0)
            if self._read.seconds() > self._reading or self.lasts <= 0:
                self.exceeded()

    @property
    def flooded(self) -> bool:
        """Whether the peer sent so much that reading it took the time: then it was no lack of CPU."""
        return self._reads > FREE_READS

    def _patience(self) -> float:
        """Seconds for which may be waited now; none at all: the kernel is asked."""
        least = min(self._left, GRACE * self.seconds)
        if self.lasts >= least or not self._graces:
            return min(self._left, self.lasts)
        self._graces -= 1  # it was us, or we would not have got here: who answers at once is heard
        return least

    def _wait(self, sock: socket.socket, *, write: bool) -> None:
        number, asleep, patience = sock.fileno(), Stopwatch(EVENT_LOOP.busy), self._patience()
        try:
            if patience <= 0:
                raise DeadlineExceeded
            (wait_write if write else wait_read)(number, patience, DeadlineExceeded())
        except DeadlineExceeded:
            if not _ready(number, write=write):
                self.exceeded()
        self.answered(asleep.seconds())


def _ready(number: int, *, write: bool) -> bool:
    """Whether the kernel has what is waited for, now."""
    poll = _poll()
    poll.register(number, select.POLLOUT if write else select.POLLIN)
    return bool(poll.poll(0))
