"""How long a thread was busy: on a CPU, or ready and waiting for one. The rest of the time it slept.

`/proc/<pid>/task/<tid>/schedstat` has both in nanoseconds (Documentation/scheduler/sched-stats.rst). A wait for a CPU
is counted once the thread has got one. Waits for the cgroup's CPU limit and for a busy node both count. Time that a
hypervisor takes, or for which the whole machine stands still, does not.
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
    """The accounts of the thread that makes it. Any thread may read them. They stay 0 if the kernel keeps none."""

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
        """Return the seconds so far for which it was on a CPU or waited for one."""
        time.thread_time()  # updates the account of the calling thread, which is otherwise as old as the last tick
        return sum(self._account())

    def delayed(self) -> float:
        """Return the seconds so far for which it waited for a CPU."""
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
        """Return whether it is running or ready to run now (proc_pid_stat(5), `state`)."""
        try:
            text = (self._folder / "stat").read_text()
        except OSError:
            return False
        return text.rpartition(") ")[2].startswith("R")


class Stopwatch:
    """Seconds by the clock from now on, less the seconds by which some threads' accounts have grown since."""

    def __init__(self, *accounts: Callable[[], float]) -> None:
        self._accounts = accounts
        self._before = self._now()  # before the clock: time lost between the two lines must not count twice
        self._begun = time.monotonic()

    def seconds(self) -> float:
        """Return the seconds so far."""
        return max(time.monotonic() - self._begun - (self._now() - self._before), 0.0)

    def _now(self) -> float:
        return sum(account() for account in self._accounts)
