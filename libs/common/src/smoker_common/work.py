"""What a service does, as its life needs to know it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import gevent


class Work(Protocol):
    """A server, a schedule: something that starts, takes no more and ends."""

    def start(self) -> None:
        """Begin."""

    def retire(self) -> None:
        """Begin nothing of its own any more; go on answering others."""

    def close(self) -> None:
        """Take no new work."""

    def drain(self, seconds: float) -> int:
        """Let what is in flight end, `seconds` at most; cut the rest and return how much that was."""

    def unready(self) -> str:
        """Why it is not ready, or an empty string."""

    def stuck(self) -> str:
        """Why it is not alive, or an empty string."""


class Together:
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
