"""Streams without a reader, closed or full: a service keeps running, a command ends quietly."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.conftest import BIN, PATIENCE, Process, eventually, free_port
from tests.metrics_page import values

PAGE = 4096  # bytes: the least that a pipe can hold
ROOT = Path(__file__).parents[2]
ECHOES = {"smoker-tcp-echo": "TCP_PORT", "smoker-udp-echo": "UDP_PORT", "smoker-http-echo": "HTTP_PORT"}
COMMANDS = (
    ["smoker-prober", "--help"],
    ["smoker-prober", "--version"],
    ["smoker-prober", "once"],
    ["smoker-prober", "once", "--json"],
    ["smoker-prober", "probe", "tcp", "127.0.0.1", "1"],
    ["smoker-prober", "report"],
    ["smoker-prober", "report", "--json"],
    *([program, "--help"] for program in ECHOES),
)
MISTAKES = (["smoker-prober", "walk"], ["smoker-tcp-echo", "walk"])


class Unread:
    """A pipe that is full from the start, until `read`."""

    def __init__(self) -> None:
        self._read, self.write_end = os.pipe()
        fcntl.fcntl(self.write_end, fcntl.F_SETPIPE_SZ, PAGE)
        os.write(self.write_end, b"." * (PAGE - 1) + b"\n")

    def lines_until(self, last: str) -> list[str]:
        """Read all lines until one contains `last`."""
        os.set_blocking(self._read, False)
        text = b""

        def there() -> bool:
            nonlocal text
            with contextlib.suppress(BlockingIOError):
                text += os.read(self._read, PAGE)
            return last in text.decode() and text.endswith(b"\n")

        eventually(f"{last!r} is written", there)
        return text.decode().splitlines()[1:]

    def close_reader(self) -> None:
        os.close(self._read)
        self._read = -1

    def close(self) -> None:
        for end in {self._read, self.write_end} - {-1}:
            os.close(end)


@pytest.fixture
def unread() -> Iterator[Unread]:
    """A full pipe."""
    pipe = Unread()
    yield pipe
    pipe.close()


@contextlib.contextmanager
def running(folder: Path, *arguments: str, out: int | IO[bytes], **variables: object) -> Iterator[Process]:
    """A process whose stdout and stderr are `out`, killed afterwards. A port of 0 becomes a free one."""
    wanted = {"ADMIN_PORT": 0, "LISTEN_ADDRESS": "127.0.0.1", "LOG_RATE": 100_000} | variables
    udp = ("UDP_PORT", "STAMP_PORT")
    ports = {
        name: free_port(socket.SOCK_DGRAM if name in udp else socket.SOCK_STREAM)
        for name, number in wanted.items()
        if name.endswith("_PORT") and number == 0
    }
    environ = os.environ | {name: str(each) for name, each in (wanted | ports).items()}
    popen = subprocess.Popen([BIN / arguments[0], *arguments[1:]], env=environ, stdout=out, stderr=out)
    try:
        yield Process(popen, folder, ports)
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait(PATIENCE)


def talk(variable: str, port: int) -> None:
    """Do one exchange with an echo, which makes it write a line."""
    if variable == "HTTP_PORT":
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE) as answer:
            assert answer.read() == b"OK"
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if variable == "UDP_PORT" else socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", port))
        sock.sendall(b"PING")
        assert sock.recv(10) == b"PING"


def value(process: Process, series: str) -> float:
    """The value of one series; -1 where there is none."""
    return values(process.get("/metrics")[1]).get(series, -1)


def is_up(process: Process) -> bool:
    return process.get("/readyz")[0] == 200


@pytest.mark.parametrize(("program", "variable"), ECHOES.items())
def test_an_echo_answers_though_its_log_is_not_read(
    tmp_path: Path, unread: Unread, program: str, variable: str
) -> None:
    """With both streams full it answers clients and kubelet, and SIGTERM ends it with 0."""
    stamp = {"STAMP_PORT": 0} if variable == "UDP_PORT" else {}
    with running(tmp_path, program, out=unread.write_end, **{variable: 0}, **stamp) as echo:
        eventually("it is ready", lambda: is_up(echo))
        for _ in range(50):
            talk(variable, echo.ports[variable])
        assert echo.get("/livez") == (200, "ok\n")
        assert echo.stop() == 0


def test_a_prober_continues_though_its_lines_are_not_read(tmp_path: Path, unread: Unread) -> None:
    """Lines that nobody reads do not delay rounds or /livez."""
    closed = free_port()
    probed = {"TCP_PORT": closed, "UDP_PORT": closed, "HTTP_PORT": closed}
    quick = {"TEST_INTERVAL": 0.1, "TEST_TIMEOUT": 0.05}
    with running(
        tmp_path, "smoker-prober", "run", out=unread.write_end, SERVER_HOST="127.0.0.1", **probed, **quick
    ) as p:
        eventually("it is ready", lambda: is_up(p))
        eventually("rounds go on", lambda: value(p, "smoker_prober_rounds_total") >= 20)
        assert p.get("/livez") == (200, "ok\n")
        assert p.stop() == 0


FLOOD = """
import os, sys
import gevent
from smoker_common import output, service
from smoker_tcp_echo import __main__ as echo

output.LIMIT = 20_000
output.AGAIN = 0.01
sys.exit(echo.command())
"""


def test_dropped_lines_are_counted_and_reported_later(tmp_path: Path, unread: Unread) -> None:
    """Whole old lines are dropped and the newest stay in order.

    The metric and one line have the number of dropped lines.
    """
    with running(tmp_path, "python", "-c", FLOOD, out=unread.write_end, TCP_PORT=0, LOG_FORMAT="json") as echo:
        eventually("it is ready", lambda: is_up(echo))
        series = 'smoker_log_dropped_lines_total{stream="stderr"}'
        assert value(echo, series) == 0
        clients = 0
        while not value(echo, series):
            for _ in range(20):
                talk("TCP_PORT", echo.ports["TCP_PORT"])
            clients += 20
            assert clients < 10_000
        closed = 'smoker_echo_open_connections{protocol="tcp"}'
        eventually("each connection has its line", lambda: value(echo, closed) == 0)
        dropped = int(value(echo, series))
        lines = [json.loads(line) for line in unread.lines_until("were dropped")]
        told = [line["message"] for line in lines if "dropped" in line["message"]]
        assert told == [f"{dropped} lines of stderr were dropped: it had no reader, or could not be written"]
        received = [line for line in lines if line["message"] == "connection closed"]
        assert len(received) + dropped >= clients
        assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
        assert value(echo, series) == dropped
        assert value(echo, 'smoker_log_dropped_lines_total{stream="stdout"}') == 0
        talk("TCP_PORT", echo.ports["TCP_PORT"])
        unread.lines_until("connection closed")


@pytest.mark.parametrize("sink", ["/dev/full", "closed"])
def test_a_service_that_cannot_write_continues(tmp_path: Path, unread: Unread, sink: str) -> None:
    """With a full disk or without a reader lines are dropped and counted, and nothing else changes."""
    unread.close_reader()
    with contextlib.ExitStack() as opened:
        out = opened.enter_context(open(sink, "wb")) if sink != "closed" else unread.write_end
        with running(tmp_path, "smoker-tcp-echo", out=out, TCP_PORT=0) as echo:
            eventually("it is ready", lambda: is_up(echo))
            talk("TCP_PORT", echo.ports["TCP_PORT"])
            series = 'smoker_log_dropped_lines_total{stream="stderr"}'
            eventually("its lines are counted", lambda: value(echo, series) == 2)
            assert echo.get("/livez") == (200, "ok\n")
            assert echo.stop() == 0


@pytest.fixture(scope="module")
def prober(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An environment in which `report` finds a prober and `once` finds closed ports."""
    closed = str(free_port())
    probed = {"TCP_PORT": closed, "UDP_PORT": closed, "HTTP_PORT": closed, "SERVER_HOST": "127.0.0.1"}
    folder = tmp_path_factory.mktemp("prober")
    with (folder / "out").open("wb") as out, running(folder, "smoker-prober", "run", out=out, **probed) as process:
        eventually("it has a round", lambda: value(process, "smoker_prober_rounds_total") >= 1)
        yield probed | {"LISTEN_ADDRESS": "127.0.0.1", "ADMIN_PORT": str(process.ports["ADMIN_PORT"])}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_into_a_closed_pipe_ends_quietly(prober: dict[str, str], unread: Unread, command: list[str]) -> None:
    """As after SIGPIPE, it ends with exit code 141 and no output."""
    unread.close_reader()
    done = subprocess.run(
        [BIN / command[0], *command[1:]],
        env=os.environ | prober,
        stdout=unread.write_end,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    told = done.stderr.decode().replace("connect: connection refused\n", "")  # what `probe` found
    assert (done.returncode, told) == (141, "")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_whose_answer_cannot_be_written_says_so(prober: dict[str, str], command: list[str]) -> None:
    """A full disk gives exit code 2 and one sentence on stderr, without a traceback."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [BIN / command[0], *command[1:]],
            env=os.environ | prober,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.decode() == f"{command[0]}: cannot write to stdout: no space left on device.\n"


@pytest.mark.parametrize(
    "command", [*COMMANDS[2:5], ["smoker-prober", "walk"], ["smoker-tcp-echo", "walk"]], ids=" ".join
)
@pytest.mark.parametrize("sink", ["unread", "/dev/full"])
def test_no_command_waits_for_its_stderr(prober: dict[str, str], unread: Unread, command: list[str], sink: str) -> None:
    """Answer on stdout and exit code are the same whether or not stderr is read."""

    def run(err: int | IO[bytes]) -> tuple[int, int]:
        done = subprocess.run(
            [BIN / command[0], *command[1:]],
            env=os.environ | prober,
            stdout=subprocess.PIPE,
            stderr=err,
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout.count(b"\n")

    with open("/dev/full", "wb") as full:
        assert run(full if sink == "/dev/full" else unread.write_end) == run(subprocess.DEVNULL)


def test_a_slow_reader_gets_the_whole_answer(unread: Unread) -> None:
    """A command waits for a slow reader with a full pipe, and its answer is never cut."""
    whole = subprocess.run([BIN / "smoker-prober", "--help"], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert len(whole) > PAGE
    with subprocess.Popen([BIN / "smoker-prober", "--help"], stdout=unread.write_end) as popen:
        read = unread.lines_until(whole.splitlines()[-1])
        assert popen.wait(PATIENCE) == 0
    assert read == whole.splitlines()


def test_make_run_ends_with_its_reader() -> None:
    """`make run | head -1` stops everything without a traceback."""
    environ = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    popen = subprocess.Popen(
        [sys.executable, ROOT / "dev" / "run.py"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert popen.stdout is not None
    assert popen.stdout.readline()
    popen.stdout.close()
    assert popen.stderr is not None
    assert popen.stderr.read() == b""
    assert popen.wait(PATIENCE) == 141
