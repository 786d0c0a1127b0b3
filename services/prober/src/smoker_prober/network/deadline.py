"""The time a probe gives the network: one budget over name resolution, connect, every read and write.

The budget runs only while the probe waits. So a prober that lacks CPU does not take its own lateness for the network's,
neither between two waits nor at the end of one: a wait that is answered counts for as long as our thread slept. When a
wait exceeds the budget, the kernel is asked once more before the result is a timeout: what has arrived by then counts,
however late this process was woken.
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
GRACE = 0.1  # share of the budget that remains at least after a wait that was answered, however late
GRACES = 5  # how often that is granted: about as often as a probe waits
LATEST = 5.0  # seconds by the clock beyond the budget after which only graces are left, however little the network took
FREE_READS = 16  # reads of an answer before their time counts


class Deadline:
    """A budget of `seconds`. Its methods raise `DeadlineExceeded`."""

    def __init__(self, seconds: float) -> None:
        if seconds <= 0:
            raise ValueError(f"a deadline lies in the future, not in {seconds} s")
        self.seconds = seconds
        self._left = seconds
        self._graces = GRACES
        self._last = time.monotonic() + seconds + LATEST
        self._read = Stopwatch()  # since the reading of an answer began; then its budget, and the number of reads
        self._reading, self._reads = seconds, 0

    def readable(self, sock: socket.socket) -> None:
        """Wait until `sock` can be read or has an error."""
        self._wait(sock, write=False)

    def writable(self, sock: socket.socket) -> None:
        """Wait until `sock` can be written: connected, or refused."""
        self._wait(sock, write=True)

    @property
    def left(self) -> float:
        """Seconds of the budget that remain."""
        return self._left

    @property
    def lasts(self) -> float:
        """Seconds by the clock until the probe waits no longer."""
        return self._last - time.monotonic()

    def answered(self, seconds: float) -> None:
        """Take the `seconds` of a wait that was answered from the budget."""
        self._left -= seconds
        if self._left < GRACE * self.seconds and self._graces:  # perhaps this process saw the answer late
            self._graces, self._left = self._graces - 1, GRACE * self.seconds

    def exceeded(self) -> NoReturn:
        """Raise `DeadlineExceeded`: the budget is spent."""
        self._left = 0.0
        raise DeadlineExceeded(f"no answer within {self.seconds:g} s") from None

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Read an answer inside, with a `check` before each read."""
        self._read, self._reading, self._reads = Stopwatch(EVENT_LOOP.delayed), self._left, 0
        yield

    def check(self) -> None:
        """Check the budget before a read of an answer: a peer that never stops sending never makes the probe wait.

        The first reads are free: bytes in the socket's buffer are not late because this process is. After them the time
        for reading counts, and the time spent waiting for a CPU does not.
        """
        self._reads += 1
        if self._reads > FREE_READS:
            gevent.sleep(0)
            if self._read.seconds() > self._reading or self.lasts <= 0:
                self.exceeded()

    @property
    def flooded(self) -> bool:
        """Whether the peer sent so much that reading took the time: then it was no lack of CPU."""
        return self._reads > FREE_READS

    def _patience(self) -> float:
        """Return the seconds that the next wait may take. With 0 or less the kernel is only asked."""
        least = min(self._left, GRACE * self.seconds)
        if self.lasts >= least or not self._graces:
            return min(self._left, self.lasts)
        self._graces -= 1  # this process was late, or it would not be here: an answer that comes at once still counts
        return least

    def _wait(self, sock: socket.socket, *, write: bool) -> None:
        number, waited, patience = sock.fileno(), Stopwatch(EVENT_LOOP.busy), self._patience()
        try:
            if patience <= 0:
                raise DeadlineExceeded
            (wait_write if write else wait_read)(number, patience, DeadlineExceeded())
        except DeadlineExceeded:
            if not _ready(number, write=write):
                self.exceeded()
        self.answered(waited.seconds())


def _ready(number: int, *, write: bool) -> bool:
    """Return whether `number` can be read or written right now."""
    poll = _poll()
    poll.register(number, select.POLLOUT if write else select.POLLIN)
    return bool(poll.poll(0))
