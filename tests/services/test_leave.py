"""SIGTERM ends every command at once, also as PID 1, which has no default action for a signal."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import BIN, PATIENCE, eventually, free_port
from tests.relay import DROP, TcpRelay

STARTING = """
import os, sys

class BlockingImport:
    def find_spec(self, name, *_):
        if name == "prometheus_client":  # in the middle of the imports
            os.write(1, b"importing\\n")  # at once: print writes the line's end by itself
            os.read(os.pipe()[0], 1)

sys.meta_path.insert(0, BlockingImport())
sys.argv = sys.argv[1:]
import runpy
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
RESOLVING = """
import os, sys
from smoker_prober.__main__ import command
from smoker_prober.network import resolve

def hang(*_):
    os.write(2, b"resolving\\n")
    os.read(os.pipe()[0], 1)

resolve._getaddrinfo = hang
sys.exit(command())
"""
FULL = """
import os, sys
from smoker_prober.__main__ import command
from smoker_common.output import NonBlockingStream

read, full = os.pipe()
os.set_blocking(full, False)
try:
    while True:
        os.write(full, b"." * 4096)
except BlockingIOError:
    os.set_blocking(full, True)
os.dup2(full, 1)
wait = NonBlockingStream._wait

def tell(outlet):
    os.write(2, b"waiting\\n")
    wait(outlet)

NonBlockingStream._wait = tell
sys.exit(command())
"""
AS_PID_1 = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
INSIDE = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]

Run = Callable[..., "Running"]


class Running:
    """A command, possibly as PID 1 of a PID namespace."""

    def __init__(self, folder: Path, arguments: list[str], *, first: bool, environ: dict[str, str]) -> None:
        self._folder, self._first = folder, first
        before = [*AS_PID_1, *INSIDE] if first else []
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            self.popen = subprocess.Popen([*before, *arguments], stdout=out, stderr=err, env=os.environ | environ)

    @property
    def said(self) -> str:
        return (self._folder / "out").read_text() + (self._folder / "err").read_text()

    @property
    def _pid(self) -> int:
        """Return the command's process id as seen from here."""
        if not self._first:
            return self.popen.pid
        children = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children")
        return int(eventually("unshare has a child", children.read_text))

    def terminate(self, number: int = signal.SIGTERM) -> int:
        """Send a signal. Return the exit code."""
        os.kill(self._pid, number)
        return self.popen.wait(PATIENCE)


@pytest.fixture(params=[False, True], ids=["child", "PID 1"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """`run(arguments, variables)` returns a process, killed afterwards.

    As PID 1 it needs unshare(1), and fails without.
    """
    assert not request.param or shutil.which("unshare"), "unshare (util-linux) is needed"
    processes: list[Running] = []

    def start(*arguments: str, **environ: object) -> Running:
        texts = {name: str(each) for name, each in environ.items()}
        processes.append(Running(tmp_path, list(arguments), first=request.param, environ=texts))
        return processes[-1]

    yield start
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.popen.kill()
        process.popen.wait(PATIENCE)


PROBER = str(BIN / "smoker-prober")


@pytest.fixture
def silent() -> Iterator[TcpRelay]:
    """Run a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server, TcpRelay(server.getsockname()[:2], DROP) as relay:
        yield relay


@pytest.mark.parametrize(
    "arguments",
    [["once"], ["once", "--settle", "3600"], ["probe", "tcp", "127.0.0.1", "{port}", "--timeout", "3600"], ["report"]],
    ids=" ".join,
)
def test_in_the_middle_of_a_wait_for_the_network(run: Run, silent: TcpRelay, arguments: list[str]) -> None:
    """During a probe, or a report without an answer, SIGTERM gives exit code 143 and no output."""
    port = silent.port
    probed = {"TCP_PORT": port, "ADMIN_PORT": port, "SERVER_HOST": "127.0.0.1", "TEST_TIMEOUT": 3600}
    process = run(PROBER, *(each.format(port=port) for each in arguments), LISTEN_ADDRESS="127.0.0.1", **probed)
    eventually("it waits", lambda: silent.connections)
    assert process.terminate() == 143
    assert process.said == ""


def test_in_the_middle_of_a_settling(run: Run) -> None:
    """SIGTERM ends it between two rounds of `once --settle`."""
    closed = free_port()
    probed = {"TCP_PORT": closed, "UDP_PORT": closed, "HTTP_PORT": closed, "SERVER_HOST": "127.0.0.1"}
    process = run(PROBER, "once", "--settle", "3600", **probed)
    eventually("it settles", lambda: "settling: " in process.said)
    assert process.terminate() == 143
    assert all(line.startswith("settling: ") for line in process.said.splitlines())


def test_in_the_middle_of_a_look_up(run: Run) -> None:
    """A resolver that never answers does not delay the end."""
    process = run(sys.executable, "-c", RESOLVING, "once", SERVER_HOST="echo", TEST_TIMEOUT=3600)
    eventually("it resolves", lambda: "resolving" in process.said)
    assert process.terminate() == 143
    assert set(process.said.split()) == {"resolving"}


def test_in_the_middle_of_asking_the_mesh(run: Run, silent: TcpRelay) -> None:
    """SIGTERM ends `once --mesh` while a prober does not answer."""
    closed = free_port()
    probed = {"TCP_PORT": closed, "UDP_PORT": closed, "HTTP_PORT": closed, "SERVER_HOST": "127.0.0.1"}
    process = run(PROBER, "once", "--mesh", f"127.0.0.1:{silent.port}", **probed)
    eventually("it asks", lambda: silent.connections)
    assert process.terminate() == 143
    assert "Traceback" not in process.said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["smoker_prober", "once"], 143),
        (["smoker_prober", "probe", "tcp", "127.0.0.1", "80"], 143),
        (["smoker_prober", "report"], 143),
        (["smoker_prober", "--help"], 143),
        (["smoker_prober", "run"], 0),
        (["smoker_tcp_echo"], 0),
        (["smoker_tcp_echo", "--help"], 143),
        (["smoker_udp_echo"], 0),
        (["smoker_http_echo"], 0),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else None,
)
def test_while_it_starts(run: Run, arguments: list[str], code: int) -> None:
    """SIGTERM during the imports ends it at once without a traceback; a service ends with 0."""
    process = run(sys.executable, "-c", STARTING, *arguments)
    eventually("it imports", lambda: "importing" in process.said)
    assert process.terminate() == code
    assert process.said == "importing\n"


def test_ctrl_c_while_it_starts(run: Run) -> None:
    """Ctrl-C during the imports prints no traceback."""
    process = run(sys.executable, "-c", STARTING, "smoker_prober", "once")
    eventually("it imports", lambda: "importing" in process.said)
    assert process.terminate(signal.SIGINT) == 130
    assert process.said == "importing\n"


def test_a_service_as_pid_1(run: Run) -> None:
    """`run` ends with 0 as PID 1."""
    process = run(PROBER, "run", SERVER_HOST="127.0.0.1", LISTEN_ADDRESS="127.0.0.1", ADMIN_PORT=free_port())
    eventually("it runs", lambda: "smoker-prober started" in process.said)
    assert process.terminate() == 0
    assert "smoker-prober stopped" in process.said


@pytest.mark.parametrize("arguments", [["--help"], ["once"]], ids=" ".join)
def test_while_nobody_reads_its_answer(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    """With a full pipe and a reader that waits, as a pager does, SIGTERM ends the command at once."""
    closed = free_port()
    probed = {"TCP_PORT": closed, "UDP_PORT": closed, "HTTP_PORT": closed, "SERVER_HOST": "127.0.0.1"}
    process = run(sys.executable, "-c", FULL, *arguments, **probed)
    eventually("it waits", lambda: "waiting" in process.said)
    assert process.terminate() == 143
    assert process.said == "waiting\n"
