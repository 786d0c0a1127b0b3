"""One instant by which all of a probe must be over: name resolution, connect, every read and write."""

from __future__ import annotations

import math
import time
from types import TracebackType

import gevent


class DeadlineExceeded(TimeoutError):
    """The deadline has passed."""


class Deadline:
    """`with Deadline(5.0):` interrupts whatever waits inside after 5 seconds. Raises `DeadlineExceeded`.

    A timeout on each socket call would start anew with each byte of a peer that trickles.
    """

    def __init__(self, seconds: float) -> None:
        if seconds <= 0:
            raise ValueError(f"a deadline lies in the future, not in {seconds} s")
        self.seconds = seconds
        self._timeout = gevent.Timeout(seconds)
        self._until = math.inf

    def __enter__(self) -> Deadline:
        self._timeout.start()
        self._until = time.monotonic() + self.seconds
        return self

    def check(self) -> None:
        """Raise if it has passed: for loops that always find data, where nothing waits and nothing is interrupted."""
        gevent.sleep(0)
        if time.monotonic() > self._until:
            raise self._exceeded()

    def _exceeded(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"no answer within {self.seconds:g} s")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timeout.close()
        if error is self._timeout:
            raise self._exceeded() from None
