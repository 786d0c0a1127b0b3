"""Two network namespaces with the processes in them: the prober's side, the far end, and two paths between them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .accuracy_capture import read
from .accuracy_frames import Packet, parse
from .build import BenchError

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0  # seconds for a process to do what it must
DELAY = 0.0005  # seconds in each direction of the slow path


@dataclass(frozen=True)
class Wire:
    """A link between the namespaces: a device of this name on both sides, and the far end's addresses."""

    title: str
    device: str
    near: str
    far: str
    probed: str  #: a /16 (of 198.18.0.0/15, which is for benchmarks: RFC 2544)

    def address(self, number: int) -> str:
        """Return the far end's address of this number."""
        if not 0 <= number < 1 << 16:
            raise BenchError(f"{self.probed} has no address number {number}.")
        return f"{self.probed.rpartition('.0.0/')[0]}.{number >> 8}.{number & 255}"


DIRECT = Wire("0 ms", "direct", "192.0.2.1", "192.0.2.2", "198.18.0.0/16")
SLOW = Wire("1 ms", "slow", "192.0.2.5", "192.0.2.6", "198.19.0.0/16")
MACS = "02:00:00:00:00:01", "02:00:00:00:00:02"


@dataclass
class Child:
    """A module of the bench as a process. It ends when its stdin does."""

    process: subprocess.Popen[bytes]
    name: str

    def line(self) -> str:
        """Return its next line."""
        assert self.process.stdout
        return self.process.stdout.readline().decode().strip()

    def wait_ready(self) -> None:
        """Wait until it is ready. Raises `BenchError` with its output instead."""
        if (said := self.line()) != "ready":
            raise BenchError(f"The process {self.name} did not begin: {said or 'it said nothing'}.")

    def say(self, line: str) -> None:
        """Write a line to its stdin."""
        assert self.process.stdin
        try:
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise BenchError(f"The process {self.name} ended early.") from error

    def rest(self) -> str:
        """Return everything it writes until it ends."""
        assert self.process.stdout
        said = self.process.stdout.read().decode()
        if self.process.wait(PATIENCE):
            raise BenchError(f"The process {self.name} broke, code {self.process.returncode}.")
        return said

    def stop(self) -> None:
        """Stop it."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Captured:
    """The packets of a capture, filled in when the capture has ended."""

    packets: list[Packet] = field(default_factory=list)


@dataclass(frozen=True)
class Lab:
    """The two namespaces."""

    prober: str
    far: str

    @contextlib.contextmanager
    def child(self, namespace: str, program: str | Path, *arguments: str) -> Iterator[Child]:
        """Run a program, or a module `accuracy_<program>`, in a namespace; stop it at the end."""
        module = [sys.executable, "-m", f"tests.bench.accuracy_{program}"]
        command = ["ip", "netns", "exec", namespace, *([str(program)] if isinstance(program, Path) else module)]
        process = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True
        )
        child = Child(process, program.name if isinstance(program, Path) else program)
        try:
            yield child
        finally:
            child.stop()

    @contextlib.contextmanager
    def capture(self, namespace: str, wire: Wire) -> Iterator[Captured]:
        """Capture the packets at one end of `wire` while the block runs."""
        captured = Captured()
        with self.child(namespace, "capture", wire.device) as child:
            child.wait_ready()
            yield captured
            assert child.process.stdin
            assert child.process.stdout
            child.process.stdin.close()
            lost, records = read(child.process.stdout)
            if lost:
                raise BenchError(f"The capture lost {lost} packets: its truth is not the whole one.")
            captured.packets = [packet for stamp, raw in records if (packet := parse(stamp, raw))]

    def connect(self, wire: Wire) -> None:
        """Set addresses and routes; the devices exist.

        No packet may wait for ARP, which would not be the prober's error.
        """
        for namespace, mine, peer, mac, its in (
            (self.prober, wire.near, wire.far, *MACS),
            (self.far, wire.far, wire.near, *reversed(MACS)),
        ):
            device = ("dev", wire.device)
            if wire is DIRECT:
                ip(namespace, "link", "set", *device, "address", mac)
            ip(namespace, "address", "add", f"{mine}/30", *device)
            ip(namespace, "link", "set", *device, "up")
            if wire is DIRECT:
                ip(namespace, "neigh", "replace", peer, "lladdr", its, *device, "nud", "permanent")
        ip(self.prober, "route", "add", wire.probed, "via", wire.far)
        ip(self.far, "route", "add", "local", wire.probed, "dev", "lo")

    @contextlib.contextmanager
    def slow_path(self) -> Iterator[None]:
        """Add the path `SLOW`."""
        with self.child(self.prober, "relay", self.prober, self.far, SLOW.device, str(DELAY)) as relay:
            relay.wait_ready()
            self.connect(SLOW)
            yield


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """Make two namespaces with `DIRECT` between them; remove them at the end."""
    if os.geteuid():
        raise BenchError("The accuracy bench needs root: it makes network namespaces and a cgroup (sudo make …).")
    if not shutil.which("ip"):
        raise BenchError("The accuracy bench needs the command ip (iproute2).")
    made = Lab(f"smoker-bench-{os.getpid()}-near", f"smoker-bench-{os.getpid()}-far")
    try:
        for namespace in (made.prober, made.far):
            _run("ip", "netns", "add", namespace)
            ip(namespace, "link", "set", "lo", "up")
        device = DIRECT.device
        ip(made.prober, "link", "add", device, "type", "veth", "peer", "name", device, "netns", made.far)
        made.connect(DIRECT)
        yield made
    finally:
        for namespace in (made.prober, made.far):
            if (Path("/run/netns") / namespace).exists():
                _run("ip", "netns", "delete", namespace)


def ip(namespace: str, *arguments: str) -> None:
    """Run `ip` in a namespace. Raises `BenchError`."""
    _run("ip", "-netns", namespace, *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(command)}: {done.stderr.strip()}")
