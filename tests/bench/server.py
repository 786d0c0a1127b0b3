"""A server under measurement: a process on one core, its readiness, and the kernel's figures about it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .build import BenchError

READY_LIMIT = 15.0  # seconds
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """Memory in KiB."""

    rss: int
    pss: int
    own: int  # without pages of libraries, which count for the pod that read them first


@dataclass
class Server:
    """A started process; `port` is the one that it serves."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    answers: Callable[[], bool]
    forked: float = field(default_factory=time.monotonic)

    def wait_ready(self) -> float:
        """Wait until it is ready. Return the seconds since the fork."""
        while not self.answers():
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} ended at its start, code {self.process.returncode}: {self.last_line()}")
            if time.monotonic() - self.forked > READY_LIMIT:
                raise BenchError(f"{self.name} was not ready within {READY_LIMIT:g} s: {self.last_line()}")
            time.sleep(0.001)
        return time.monotonic() - self.forked

    def last_line(self) -> str:
        """Return the last line of its log."""
        return " / ".join(self.log.read_text(errors="replace").splitlines()[-3:]) or "it logged nothing"

    def memory(self) -> Memory:
        """Return its present memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return Memory(_kib(status, "VmRSS"), _kib(rollup, "Pss"), _kib(status, "RssAnon"))

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that it has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS  # utime and stime: proc_pid_stat(5), counted from field 3

    def descriptors(self) -> int:
        """Return how many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self) -> None:
        """End the process by SIGTERM, or by SIGKILL if that does not help."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run child processes that start inside the block on this core."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


@contextlib.contextmanager
def launched(
    name: str,
    command: Sequence[str],
    extra: Mapping[str, str],
    core: int,
    logs: Path,
    port: int,
    answers: Callable[[], bool],
) -> Iterator[Server]:
    """Start `command` on a core, its output in a file under `logs`; stop it at the end."""
    with tempfile.NamedTemporaryFile(dir=logs, prefix=name.replace(" ", "-"), suffix=".log", delete=False) as log:
        started = time.monotonic()
        with on_core(core):
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | extra
            )
    running_server = Server(name, process, port, Path(log.name), answers, started)
    try:
        yield running_server
    finally:
        running_server.stop()


def free_port() -> int:
    """Return a port free for TCP and UDP, below the ephemeral range: no connection of the load can take it."""
    for _ in range(1000):
        port = random.randrange(15000, 30000)
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            try:
                stream.bind(("127.0.0.1", port))
                datagram.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BenchError("No free port was found on 127.0.0.1.")


def ready_by_http(port: int) -> Callable[[], bool]:
    """Return whether /readyz answers 200."""

    def answers() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
                client.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return client.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    return answers


def _kib(text: str, name: str) -> int:
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + ":"))
