"""A CPU quota like a container's: a cgroup of version 1 or 2, removed at the end."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .build import BenchError

PERIOD = 100_000  # µs, the period of Kubernetes
LEAST = 1_000  # µs of quota: the kernel takes no less


@dataclass(frozen=True)
class Controller:
    """The mount point of the cpu controller."""

    version: int
    root: Path


@dataclass(frozen=True)
class Throttled:
    """How much the kernel throttled a cgroup."""

    periods: int  #: in which there was something to run
    times: int  #: of those, periods in which it was stopped
    seconds: float

    def __sub__(self, before: Throttled) -> Throttled:
        return Throttled(self.periods - before.periods, self.times - before.times, self.seconds - before.seconds)

    def __str__(self) -> str:
        return f"{self.times} of {self.periods} periods"


@dataclass(frozen=True)
class Group:
    """A cgroup with a quota."""

    controller: Controller
    path: Path

    def add(self, pid: int) -> None:
        """Put this process into the cgroup."""
        (self.path / "cgroup.procs").write_text(f"{pid}\n")

    def throttled(self) -> Throttled:
        """Return the counts so far."""
        return parse_stat((self.path / "cpu.stat").read_text())


def parse_quota(text: str) -> int:
    """Convert `50m` (Kubernetes' millicores) or `0.05` (cores) to µs per period. Raises `ValueError`."""
    cores = float(text[:-1]) / 1000 if text.endswith("m") else float(text)
    quota = round(cores * PERIOD)
    if quota < LEAST:
        raise ValueError(f"{text} is less CPU than a cgroup's quota can say, {1000 * LEAST // PERIOD}m")
    return quota


def parse_stat(text: str) -> Throttled:
    """Read cpu.stat of version 1 (throttled_time, ns) or 2 (throttled_usec)."""
    values = {name: int(value) for name, value in (line.split() for line in text.splitlines())}
    seconds = values["throttled_usec"] / 1e6 if "throttled_usec" in values else values["throttled_time"] / 1e9
    return Throttled(values["nr_periods"], values["nr_throttled"], seconds)


def parse_mounts(mountinfo: str) -> list[Controller]:
    """Return from /proc/self/mountinfo the possible mounts of the cpu controller: version 1 before version 2."""
    found = []
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        if kind == "cgroup2":
            found.append(Controller(2, Path(mount.split()[4])))
        elif kind == "cgroup" and "cpu" in options.split(","):
            found.append(Controller(1, Path(mount.split()[4])))
    return sorted(found, key=lambda controller: controller.version)


def find() -> Controller:
    """Return the cpu controller of this machine."""
    for controller in parse_mounts(Path("/proc/self/mountinfo").read_text()):
        offered = controller.root / "cgroup.controllers"
        if controller.version == 1 or "cpu" in offered.read_text().split():
            return controller
    raise BenchError("There is no cpu controller among the mounted cgroups, so no quota can be set.")


@contextlib.contextmanager
def limited(quota: str, name: str) -> Iterator[Group]:
    """Make a cgroup with this quota. Processes that are still in it at the end must end within two seconds."""
    controller, microseconds = find(), parse_quota(quota)
    with contextlib.ExitStack() as stack:
        group = Group(controller, controller.root / name)
        try:
            if controller.version == 2:
                stack.enter_context(_delegated(controller))
            stack.callback(_remove, group.path)
            group.path.mkdir()
            if controller.version == 2:
                (group.path / "cpu.max").write_text(f"{microseconds} {PERIOD}\n")
            else:
                (group.path / "cpu.cfs_period_us").write_text(f"{PERIOD}\n")
                (group.path / "cpu.cfs_quota_us").write_text(f"{microseconds}\n")
        except OSError as error:
            raise BenchError(f"The cgroup {group.path} could not be made: {error.strerror}.") from error
        yield group


@contextlib.contextmanager
def _delegated(controller: Controller) -> Iterator[None]:
    """Give children of the root the cpu controller; restore the previous state at the end."""
    control = controller.root / "cgroup.subtree_control"
    if "cpu" in control.read_text().split():
        yield
        return
    control.write_text("+cpu\n")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # somebody else has come to need it
            control.write_text("-cpu\n")


def _remove(path: Path) -> None:
    for _ in range(40):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError:  # a process that has just ended is still counted
            time.sleep(0.05)
        else:
            return
