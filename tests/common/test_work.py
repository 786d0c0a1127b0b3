"""Works and the tracking of connections."""

from __future__ import annotations

import time
from typing import Any

import gevent
from loguru import logger

from smoker_common.connections import Connections
from smoker_common.work import BaseWork, Work, WorkGroup
from tests.conftest import eventually


class Job:
    """A work with given answers."""

    def __init__(self, why: str = "", cut: int = 0) -> None:
        self.why, self._cut, self.calls = why, cut, list[str]()

    def start(self) -> None:
        self.calls.append("start")

    def retire(self) -> None:
        self.calls.append("retire")

    def close(self) -> None:
        self.calls.append("close")

    def drain(self, seconds: float) -> int:
        gevent.sleep(0.01)
        self.calls.append(f"drain {seconds:g}")
        return self._cut

    def unready(self) -> str:
        return self.why

    def stuck(self) -> str:
        return self.why


def test_a_base_work_is_ready_alive_and_at_rest() -> None:
    """A base work is ready and alive, and has nothing to drain. What `retire` ends, `close` ends, too."""

    class Greeter(BaseWork):
        ended = 0

        def retire(self) -> None:
            self.ended += 1

    one = Greeter()
    work: Work = one
    work.start()
    assert (work.unready(), work.stuck(), work.drain(60.0)) == ("", "", 0)
    work.retire()
    work.close()
    assert one.ended == 2
    BaseWork().close()


def test_together_is_ready_when_all_are() -> None:
    """A group is ready when all of it is. It starts, retires, closes and drains all works, and adds up what was cut."""
    jobs = [Job(cut=1), Job("not yet"), Job("never", cut=2)]
    together = WorkGroup(jobs)
    together.start()
    together.retire()
    together.close()
    assert together.unready() == together.stuck() == "not yet"
    assert together.drain(5) == 3
    assert all(job.calls == ["start", "retire", "close", "drain 5"] for job in jobs)


class CountedConnection:
    """A connection that counts its calls."""

    def __init__(self, owner: Connections[Any], deadline: float, fails: bool = False) -> None:
        self.deadline, self.fails, self.told, self._owner = deadline, fails, 0, owner

    def overdue(self) -> None:
        self.told += 1
        if self.fails:
            raise RuntimeError("a defect")
        self.cut()

    def cut(self) -> None:
        self._owner.discard(self)


def test_the_sweep_ends_only_overdue_connections() -> None:
    """The sweep reports exactly the overdue connections.

    A defect in one neither stops the sweep nor keeps that connection.
    """
    logger.remove()
    tracked: Connections[CountedConnection] = Connections()
    now = time.monotonic()
    bad, late, fine = (
        CountedConnection(tracked, now - 1, fails=True),
        CountedConnection(tracked, now - 1),
        CountedConnection(tracked, now + 600),
    )
    for thing in (bad, late, fine):
        tracked.add(thing)
    eventually("both are gone", lambda: len(tracked) == 1)
    assert (bad.told, late.told, fine.told) == (1, 1, 0)
    assert tracked.drain(0.01) == 1
    assert len(tracked) == 0
