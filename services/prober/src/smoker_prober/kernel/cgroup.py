"""How long the kernel held this process back because of its CPU limit: `cpu.stat` of its cgroup.

Version 2 has `throttled_usec` (Documentation/admin-guide/cgroup-v2.rst), version 1 `throttled_time` in nanoseconds
(Documentation/scheduler/sched-bwc.rst). In a container the cgroup's own folder is often mounted at the root of the file
system, whatever path /proc/self/cgroup names, so both are tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
UNITS = {"throttled_usec": 1e-6, "throttled_time": 1e-9}  # seconds


def throttled(root: Path = ROOT, membership: Path = MEMBERSHIP) -> float | None:
    """Return the seconds so far, summed over CPUs; None where no cgroup limits the CPU or the kernel does not say."""
    for folder in _folders(root, membership):
        try:
            text = (folder / "cpu.stat").read_text()
        except OSError:
            continue
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            if name in UNITS and value.isdigit():
                return int(value) * UNITS[name]
    return None


def _folders(root: Path, membership: Path) -> Iterator[Path]:
    """Yield the folders that may hold this process's `cpu.stat`, the likeliest first (cgroups(7), "/proc files")."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _number, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / controllers if controllers else root
        yield mount / path.lstrip("/")
        yield mount
