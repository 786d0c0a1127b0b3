"""One instant by which all of a probe must be over: name resolution, connect, every read and write."""

from __future__ import annotations

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

    def __enter__(self) -> Deadline:
        self._timeout.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timeout.close()
        if error is self._timeout:
            raise DeadlineExceeded(f"no answer within {self.seconds:g} s") from None
