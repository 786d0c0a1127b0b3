"""For every suite: gevent patched as in a service, no traffic beyond loopback, and services as processes."""

from gevent import monkey

monkey.patch_all()

import contextlib
import ipaddress
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
import pytest

from tests.no_skips import pytest_runtest_makereport  # noqa: F401  # a hook

BIN = Path(sys.executable).parent
PROGRAMS = Path(__file__).resolve().parents[1] / "dev" / "programs.txt"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever http_proxy says
PATIENCE = 45.0  # seconds for a process to do what it must; far more than it needs, and less than a test may take


def _stay_on_loopback(event: str, arguments: tuple[Any, ...]) -> None:
    """Check each connect, sendto and sendmsg of this process by an audit hook (PEP 578)."""
    if event not in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        return
    address = arguments[1]
    if isinstance(address, tuple) and not ipaddress.ip_address(address[0].partition("%")[0] or "::1").is_loopback:
        raise RuntimeError(f"a test tried to leave loopback: {event} {address}")


@pytest.hookimpl(trylast=True)  # after `-m` has left out what is not asked for
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep all tests except those of the cluster on loopback."""
    if not any(item.get_closest_marker("cluster") or item.get_closest_marker("engine") for item in items):
        sys.addaudithook(_stay_on_loopback)


def pytest_sessionstart() -> None:
    """In CI, fail at once where a program that tests need is missing: a test that is skipped proves nothing."""
    if os.environ.get("CI") == "true" and (missing := missing_programs(PROGRAMS.read_text())):
        pytest.exit(f"CI lacks {', '.join(missing)}: run dev/install-programs", returncode=2)


def missing_programs(listed: str) -> list[str]:
    """Return the programs of a list such as dev/programs.txt that this machine lacks."""
    programs = [line.split()[0] for line in listed.splitlines() if line.strip() and not line.startswith("#")]
    return [program for program in programs if shutil.which(program) is None]


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port that is free on every address. It is returned only once, and no client gets it by chance."""
    for port in _ports:
        with socket.socket(socket.AF_INET, kind) as sock, contextlib.suppress(OSError):
            sock.bind(("0.0.0.0", port))
            return port
    raise RuntimeError("no port is free")


_ports = iter(random.sample(range(12_000, 32_000), 20_000))  # below the ephemeral range (ip_local_port_range)


def eventually(claim: str, holds: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Return the first true value of `holds`. Fail with `claim` after `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := holds():
            return value
        gevent.sleep(0.01)
    pytest.fail(f"not within {seconds:g} s: {claim}")


def serving(make: Callable[..., Any]) -> Any:
    """Return a fixture: called with options it makes a server by `make`; afterwards `stop()` stops all of them."""

    @pytest.fixture
    def serve() -> Iterator[Callable[..., Any]]:
        served: list[Any] = []

        def one(**options: Any) -> Any:
            served.append(make(**options))
            return served[-1]

        yield one
        for each in served:
            each.stop()

    return serve


@dataclass
class Process:
    """A service of ours as a separate process, its two streams in files."""

    popen: subprocess.Popen[bytes]
    folder: Path
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of a path on the admin port; status 0 while it does not answer."""
        try:
            with DIRECT.open(f"http://127.0.0.1:{self.ports['ADMIN_PORT']}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.popen.poll() is None, f"it ended with {self.popen.returncode}: {self.stderr}"
            return self.get("/readyz")[0] == 200

        eventually("the service is ready", ready)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal. Return the exit code."""
        self.popen.send_signal(number)
        return self.popen.wait(PATIENCE)


Start = Callable[..., Process]


@contextlib.contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """`start("smoker-tcp-echo", TCP_PORT=0, IDLE_TIMEOUT=1)`: a process; a port of 0 becomes a free one.

    ADMIN_PORT is always a free one, and waited for unless `ready=False`. `arguments` go to the command. Afterwards no
    process is left.
    """
    processes: list[Process] = []

    def start_one(program: str, *arguments: str, ready: bool = True, **variables: object) -> Process:
        mine = folder / f"{program}-{len(processes)}"
        mine.mkdir()
        wanted = {"ADMIN_PORT": 0, "LISTEN_ADDRESS": "127.0.0.1"} | variables
        ports = {}
        for name, value in wanted.items():
            if name.endswith("_PORT"):
                kind = socket.SOCK_DGRAM if name in ("UDP_PORT", "STAMP_PORT") else socket.SOCK_STREAM
                ports[name] = wanted[name] = free_port(kind) if value == 0 else value
        environ = os.environ | {name: str(value) for name, value in wanted.items()}
        with (mine / "stdout").open("wb") as out, (mine / "stderr").open("wb") as err:
            popen = subprocess.Popen([BIN / program, *arguments], env=environ, stdout=out, stderr=err)
        process = Process(popen, mine, {name: int(str(port)) for name, port in ports.items() if str(port).isdigit()})
        processes.append(process)
        if ready:
            process.wait_ready()
        return process

    try:
        yield start_one
    finally:
        for process in processes:
            if process.popen.poll() is None:
                process.popen.kill()
                process.popen.wait(PATIENCE)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """The function of `starting`, for one test."""
    with starting(tmp_path) as start_one:
        yield start_one
