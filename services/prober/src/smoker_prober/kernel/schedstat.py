"""How long a thread had something to do: on a CPU, or ready and waiting for one. The rest of the time it slept.

`/proc/<pid>/task/<tid>/schedstat` has both in nanoseconds (Documentation/scheduler/sched-stats.rst), a wait for a CPU
as soon as the thread has got one. A limit of the cgroup and a node that is full are in it alike. What a hypervisor
takes from a CPU is not, nor a machine that stands still as a whole.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from gevent import monkey

TASKS = Path("/proc/self/task")

_tid = monkey.get_original("_thread", "get_native_id")


class Thread:
    """The thread that makes it; others may ask it. Where the kernel does not tell, its accounts stand still."""

    def __init__(self, tasks: Path = TASKS) -> None:
        self._folder = tasks / str(_tid())
        self._schedstat: int | None = None
        try:
            self._schedstat = os.open(self._folder / "schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return

    def __del__(self) -> None:
        if self._schedstat is not None:
            os.close(self._schedstat)

    def busy(self) -> float:
        """Seconds so far that it was on a CPU or waited for one."""
        time.thread_time()  # brings the account of the thread that asks up to date: by itself it is of the last tick
        return sum(self._account())

    def delayed(self) -> float:
        """Seconds so far that it waited for a CPU."""
        return self._account()[1]

    def _account(self) -> tuple[float, float]:
        if self._schedstat is None:
            return 0.0, 0.0
        try:
            running, waiting, _slices = os.pread(self._schedstat, 100, 0).split()
        except OSError:  # the thread has ended
            return 0.0, 0.0
        return int(running) * 1e-9, int(waiting) * 1e-9

    def runnable(self) -> bool:
        """Whether it has something to do now (proc_pid_stat(5), `state`)."""
        try:
            text = (self._folder / "stat").read_text()
        except OSError:
            return False
        return text.rpartition(") ")[2].startswith("R")


class Stopwatch:
    """The clock's seconds from now on, without those by which some accounts of threads have grown meanwhile."""

    def __init__(self, *accounts: Callable[[], float]) -> None:
        self._accounts = accounts
        self._before = self._now()  # first: what is taken from us between the two is nobody else's time
        self._begun = time.monotonic()

    def seconds(self) -> float:
        """So far."""
        return max(time.monotonic() - self._begun - (self._now() - self._before), 0.0)

    def _now(self) -> float:
        return sum(account() for account in self._accounts)
