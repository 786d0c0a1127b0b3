"""Run a job with the prober, and with a clock in Go, while captures run: the reports of both, and the truth."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.prober.probes.pki import Authority

from .accuracy_frames import Packet
from .accuracy_job import GO, NAME, Job, Probed
from .accuracy_lab import Captured, Child, Lab, Wire
from .accuracy_quota import Group, Throttled, limited
from .build import BUILD, HERE, OUTPUT, BenchError, make

WORKER, CLOCK, ECHO = "worker", "Go", "echo"


def build_clock() -> Path | None:
    """Build the prober in Go. Return None if Go is not installed."""
    if not shutil.which("go"):
        return None
    source = HERE / "accuracy_clock.go"
    environment = {"GOTOOLCHAIN": "local", "GOPROXY": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
    return make(BUILD / "accuracy-clock", [source], ["go", "build", "-o", OUTPUT, str(source)], environment)


@dataclass(frozen=True)
class Load:
    """What to probe, how, and with which quota."""

    probe: str
    together: int
    bursts: int
    quota: str = ""
    pause: float = 0.0
    timeout: float = 5.0
    packets: int = 0
    spread: float = 0.0


@dataclass
class Seen:
    """The results of a run."""

    probed: dict[str, list[Probed]] = field(default_factory=dict)  #: by program
    near: list[Packet] = field(default_factory=list)  #: on the prober's device
    far: list[Packet] = field(default_factory=list)  #: on the far end's, if asked for
    throttled: dict[str, Throttled] = field(default_factory=dict)  #: by program, and the far end's


@dataclass
class Runner:
    """Runs jobs. Every probe of the bench gets an address that no other probe has."""

    lab: Lab
    clock: Path | None
    until: float  #: an instant of the monotonic clock: nothing begins after it
    authority: Authority  #: of the far end's certificate
    _next: int = 0
    _groups: int = 0

    def job(self, wire: Wire, load: Load) -> Job:
        """Return a job with fresh addresses."""
        begin, count = self._next, load.together * load.bursts + 1
        self._next += count
        addresses = [wire.address(number) for number in range(begin, begin + count)]
        ca = str(self.authority.file)
        return Job(load.probe, addresses, load.together, load.pause, load.timeout, load.packets, load.spread, ca)

    def run(self, wire: Wire, load: Load, programs: Sequence[str] = (WORKER,)) -> Seen:
        """Run one program after the other, with an echo that has all the CPU it can use."""
        self._begin()
        seen = Seen()
        with contextlib.ExitStack() as stack:
            near = stack.enter_context(self.lab.capture(self.lab.prober, wire))
            stack.enter_context(self._echo()).wait_ready()
            for program in programs:
                self._do(program, wire, load, seen)
        seen.near = near.packets
        return seen

    def run_starved(self, wire: Wire, loads: Sequence[Load], quota: str, others: tuple[Wire, Load]) -> list[Seen]:
        """Run with a capture at both ends. With a quota the echo is limited, and busy with `others`, which are not."""
        self._begin()
        found: list[tuple[Seen, Captured, Captured]] = []
        with contextlib.ExitStack() as stack:
            group = stack.enter_context(self._group(quota))
            echo = stack.enter_context(self._echo())
            echo.wait_ready()
            if group:
                self._keep_busy(stack, *others)
                group.add(echo.process.pid)
            for load in loads:
                seen = Seen()
                with self.lab.capture(self.lab.prober, wire) as near, self.lab.capture(self.lab.far, wire) as far:
                    before = group.throttled() if group else None
                    self._do(WORKER, wire, load, seen)
                    if group and before:
                        seen.throttled[ECHO] = group.throttled() - before
                found.append((seen, near, far))
        for seen, near, far in found:
            seen.near, seen.far = near.packets, far.packets
        return [seen for seen, _, _ in found]

    def _keep_busy(self, stack: contextlib.ExitStack, wire: Wire, load: Load) -> None:
        """Keep the echo busy. Nothing measures these probes, so they share one address."""
        addresses = [wire.address(self._next)] * (load.together * load.bursts + 1)
        child = stack.enter_context(self.lab.child(self.lab.prober, WORKER))
        child.say(Job(load.probe, addresses, load.together, load.pause, load.timeout).dumps())
        child.wait_ready()
        child.say(GO)

    def _echo(self) -> contextlib.AbstractContextManager[Child]:
        return self.lab.child(self.lab.far, ECHO, str(self.certificate))

    @functools.cached_property
    def certificate(self) -> Path:
        """The far end's certificate."""
        return self.authority.issue("far", san=f"DNS:{NAME.removesuffix('.')}")

    def _begin(self) -> None:
        if time.monotonic() > self.until:
            raise BenchError("not measured, the time for the bench is over.")

    def _do(self, program: str, wire: Wire, load: Load, seen: Seen) -> None:
        with self._group(load.quota) as group:
            what = self.clock if program == CLOCK and self.clock else WORKER
            with self.lab.child(self.lab.prober, what) as child:
                child.say(self.job(wire, load).dumps())
                child.wait_ready()
                if group:
                    group.add(child.process.pid)
                child.say(GO)
                seen.probed[program] = [Probed.loads(line) for line in child.rest().splitlines()]
            if group:
                seen.throttled[program] = group.throttled()

    def _group(self, quota: str) -> contextlib.AbstractContextManager[Group | None]:
        self._groups += 1
        return limited(quota, f"smoker-bench-{os.getpid()}-{self._groups}") if quota else contextlib.nullcontext(None)
