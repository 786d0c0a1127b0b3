"""`make run`: what it tells a new user to do works."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import BIN, PATIENCE, eventually, free_port

ROOT = Path(__file__).parent.parent.parent
RUN = ROOT / "dev" / "run.py"


def five_ports() -> int:
    """The first of five ports in a row, the admin ports: it is enough that they are most likely free."""
    return free_port() // 8 * 8


class Run:
    """`make run` on its own ports, and its output."""

    def __init__(self, folder: Path) -> None:
        self._out = folder / "out"
        self.admin, self.page = five_ports(), free_port()
        ports = {name: str(free_port()) for name in ("TCP_PORT", "UDP_PORT", "HTTP_PORT", "STAMP_PORT")}
        path = {"PATH": f"{BIN}:{os.environ['PATH']}"}
        quick = {"TEST_INTERVAL": "0.5", "TEST_TIMEOUT": "1", "ADMIN_PORT": str(self.admin), "LINGER": "0"}
        quick |= {"HUB_PORT": str(self.page)}
        with self._out.open("wb") as out:
            self.popen = subprocess.Popen(
                [sys.executable, RUN],
                cwd=ROOT,
                env=os.environ | ports | path | quick,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
            )

    def press(self, key: str) -> None:
        """Type a key and Enter."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(f"{key}\n".encode())
        self.popen.stdin.flush()

    def asked(self, path: str) -> str:
        """Return an answer of the hub; nothing without one."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.page}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    @property
    def said(self) -> str:
        return self._out.read_text()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    if run.popen.poll() is None:
        run.popen.send_signal(signal.SIGTERM)
        run.popen.wait(PATIENCE)


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a new user would in another terminal."""
    environ = {name: value for name, value in os.environ.items() if name != "ADMIN_PORT"}
    return subprocess.run(command, shell=True, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def test_the_printed_commands_work(running: Run) -> None:
    """The report works. Only the killed echo fails, everything else continues, and Ctrl-C ends it with 0."""
    report = eventually("the hint", lambda: re.search(r"\| +(\S.* report) +shows", running.said))[1]
    assert shlex.split(report)[0] == f"ADMIN_PORT={running.admin + 3}"
    eventually("each probe was answered", lambda: all(f"[{name}] SUCCESS" in running.said for name in ("TCP", "UDP")))
    told = shell(report)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("PROBE ")
    (kill,) = re.findall(r"\| +(kill \d+) +stops", running.said)
    assert shell(kill).returncode == 0
    eventually("the UDP probe fails", lambda: "[UDP] FAILED" in running.said)
    failed = running.said.index("[UDP] FAILED")
    eventually(
        "the others go on", lambda: all(f"[{name}] SUCCESS" in running.said[failed:] for name in ("TCP", "HTTP"))
    )
    assert shell(report).returncode == 1
    assert running.popen.poll() is None
    running.popen.send_signal(signal.SIGINT)
    assert running.popen.wait(PATIENCE) == 0
    assert "Traceback" not in running.said


def test_a_key_breaks_a_node_and_the_page_names_it(running: Run) -> None:
    """The page's address is printed. `b` freezes a prober, the hub names its node, and `b` again ends that."""
    address = eventually("the page's address", lambda: re.search(r"simulated nodes: +(http://\S+)", running.said))[1]
    assert address == f"http://localhost:{running.page}/"
    eventually("all is well", lambda: '"healthy"' in running.asked("/api/v1/summary"))
    running.press("b")
    eventually("the node is named", lambda: '"node-2' in running.asked("/api/v1/findings"))
    assert "node-2" in running.asked("/")
    eventually("the log says so", lambda: re.search(r"hub .*node-2", running.said))
    running.press("b")
    eventually("it is over", lambda: "CLOSED node-2" in running.said)
    running.press("b")
    eventually("it is frozen again", lambda: running.said.count("node-2 is frozen") == 2)
    running.popen.send_signal(signal.SIGINT)
    assert running.popen.wait(PATIENCE) == 0
    assert "Traceback" not in running.said
    assert "node-2 stopped (rc=0)" in running.said


def test_an_invalid_admin_port_is_refused() -> None:
    """An invalid port gives one sentence and exit code 2."""
    environ = os.environ | {"ADMIN_PORT": "high"}
    done = subprocess.run([sys.executable, RUN], env=environ, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "make run: ADMIN_PORT='high' is not a port.\n"
