"""How long a thread had something to do: on a CPU, or ready and waiting for one. The rest of the time it slept.

`/proc/<pid>/task/<tid>/schedstat` has both in nanoseconds (Documentation/scheduler/sched-stats.rst), a wait for a CPU
as soon as the thread has got one. A limit of the cgroup and a node that is full are in it alike. A read takes 1 µs.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from gevent import monkey

TASKS = Path("/proc/self/task")

_tid = monkey.get_original("_thread", "get_native_id")


class Thread:
    """The thread that makes it; others may ask it. Where the kernel does not tell, it has never had anything to do."""

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
        """Seconds so far."""
        if self._schedstat is None:
            return 0.0
        try:
            running, waiting, _slices = os.pread(self._schedstat, 100, 0).split()
        except OSError:  # the thread has ended
            return 0.0
        return (int(running) + int(waiting)) * 1e-9

    def runnable(self) -> bool:
        """Whether it has something to do now (proc_pid_stat(5), `state`)."""
        try:
            text = (self._folder / "stat").read_text()
        except OSError:
            return False
        return text.rpartition(") ")[2].startswith("R")


class Stopwatch:
    """Runs while threads wait for others, from now on: what they had to do is left out, of each of them."""

    def __init__(self, *threads: Thread) -> None:
        self._threads, self._begun = threads, time.monotonic()
        self._busy = self._busy_now()

    def seconds(self) -> float:
        """So far."""
        return max(time.monotonic() - self._begun - (self._busy_now() - self._busy), 0.0)

    def _busy_now(self) -> float:
        return sum(thread.busy() for thread in self._threads)
