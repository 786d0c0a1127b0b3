"""The interface between a service's work and `service.run`, which starts and stops it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import gevent


class Work(Protocol):
    """Something that a service runs, such as a server or a schedule of probes."""

    def start(self) -> None:
        """Start to work."""

    def retire(self) -> None:
        """Start no more work of its own, but keep answering others."""

    def close(self) -> None:
        """Take no new work."""

    def drain(self, seconds: float) -> int:
        """Wait at most `seconds` for work in flight, cut the rest, and return how many were cut."""

    def unready(self) -> str:
        """Return why it is not ready, or an empty string."""

    def stuck(self) -> str:
        """Return why it is not alive, or an empty string."""


class BaseWork:
    """A work with the usual answers: it has nothing to start, to stop or to wait for, and is ready and alive.

    A subclass overrides what differs: a server that listens from the start, a watch that survives its own failures.
    """

    def start(self) -> None:
        """Start nothing."""

    def retire(self) -> None:
        """Stop nothing: it starts no work of its own."""

    def close(self) -> None:
        """Take no new work: what ends its own work ends all of it."""
        self.retire()

    def drain(self, seconds: float) -> int:  # noqa: ARG002  others wait
        """Return 0: nothing is in flight."""
        return 0

    def unready(self) -> str:
        """Return an empty string: it is ready, or others work without it."""
        return ""

    def stuck(self) -> str:
        """Return an empty string: if the event loop can answer this call, it is alive."""
        return ""


class WorkGroup:
    """Several works as one."""

    def __init__(self, works: Sequence[Work]) -> None:
        self._works = works

    def start(self) -> None:
        for work in self._works:
            work.start()

    def retire(self) -> None:
        for work in self._works:
            work.retire()

    def close(self) -> None:
        for work in self._works:
            work.close()

    def drain(self, seconds: float) -> int:
        drains = [gevent.spawn(work.drain, seconds) for work in self._works]
        gevent.joinall(drains, raise_error=True)
        return sum(drain.get() for drain in drains)

    def unready(self) -> str:
        return next((why for work in self._works if (why := work.unready())), "")

    def stuck(self) -> str:
        return next((why for work in self._works if (why := work.stuck())), "")
