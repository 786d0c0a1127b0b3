"""What the tests of the page share: a hub that runs as a process, stand-in probers beside it, and a real Chromium.

Every page that a test opens must end without an error, and without a violation of the Content-Security-Policy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import BIN, PATIENCE, eventually, free_port

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or ""
MODULES = ROOT / "dev" / "page" / "node_modules"
WAIT = 30_000  # milliseconds for what the page must show; far more than it needs
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  violations.push(`${violatedDirective} ${blockedURI}`));
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests where the browser or the node modules are missing; in CI that is a failure."""
    missing = [name for name, there in (("chromium", CHROMIUM), ("node_modules", MODULES.is_dir())) if not there]
    if missing and not os.environ.get("CI"):
        skip = pytest.mark.skip(reason=f"{' and '.join(missing)} missing: make test-page")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(skip)


class SimulatedHub:
    """A hub and simulated probers on `count` nodes, which a test controls."""

    def __init__(self, count: int, folder: Path, *options: str, login: Path | None = None) -> None:
        self.port, self._admin, self._folder = free_port(), free_port(), folder
        self._login = {"AUTH_FOLDER": str(login)} if login is not None else {}
        self._stage = subprocess.Popen(
            [sys.executable, "-m", "tests.hub_page.stage", str(count), *options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._peers = self._line()
        self.hub: subprocess.Popen[bytes]
        self.start()

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}/"

    def start(self) -> None:
        """Start the hub, and wait for its first look."""
        own = {"PEERS": self._peers, "HTTP_PORT": str(self.port), "ADMIN_PORT": str(self._admin)}
        own |= {"INTERVAL": "0.5", "TIMEOUT": "10"}  # a prober that is slow on a busy machine is not silent
        own |= {"LISTEN_ADDRESS": "127.0.0.1", "HISTORY_FOLDER": str(self._folder), "CLUSTER_NAME": "prod-eu-1"}
        own |= self._login
        with self._folder.joinpath("log").open("ab") as log:
            self.hub = subprocess.Popen([BIN / "smoker-hub"], env=os.environ | own, stdout=log, stderr=log)
        eventually("the hub has looked", lambda: "HEALTHY" in self._folder.joinpath("log").read_text())

    def stop(self) -> None:
        """Stop the hub."""
        self.hub.terminate()
        self.hub.wait(PATIENCE)

    def command(self, line: str) -> None:
        """Send a command that changes the probers' results."""
        assert self._stage.stdin is not None
        self._stage.stdin.write(f"{line}\n")
        self._stage.stdin.flush()
        assert self._line() == "done"

    def close(self) -> None:
        """Stop the hub and the probers."""
        self.stop()
        self._stage.communicate(timeout=PATIENCE)

    def _line(self) -> str:
        assert self._stage.stdout is not None
        return self._stage.stdout.readline().strip()


@contextlib.contextmanager
def showing(count: int, folder: Path, *, login: Path | None = None) -> Iterator[SimulatedHub]:
    """A hub and simulated probers on `count` nodes. `login`: the folder of its Secret, where it has one."""
    show = SimulatedHub(count, folder, login=login)
    try:
        yield show
    finally:
        show.close()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedHub]:
    """A hub over five nodes."""
    with showing(5, tmp_path_factory.mktemp("small")) as show:
        yield show


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedHub]:
    """A hub over a thousand nodes with faults."""
    with showing(1_000, tmp_path_factory.mktemp("large")) as show:
        show.command("break node-17")
        show.command("lose node-40")
        yield show


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's browser."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  not everybody has it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A page of the browser, and the errors in it."""

    def __init__(self, context: Any) -> None:
        context.set_default_timeout(WAIT)
        context.add_init_script(WATCH)
        self.page = context.new_page()
        self.wrong: list[str] = []
        self.expected: tuple[str, ...] = ()
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._said)

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.wrong.append(message.text)

    def said(self, what: str) -> bool:
        """Return whether an error has `what` in it."""
        return any(what in each for each in self.wrong)

    def check(self) -> None:
        """Assert that only expected errors occurred."""
        assert self.page.evaluate("window.violations ?? []") == []
        assert [each for each in self.wrong if not any(known in each for known in self.expected)] == []


@pytest.fixture
def tab(chromium: Any) -> Iterator[Tab]:
    """A page in the light colour scheme."""
    with opened(chromium) as found:
        yield found


@contextlib.contextmanager
def opened(chromium: Any, **options: Any) -> Iterator[Tab]:
    """Open a page in its own context."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce", **options)
    try:
        found = Tab(context)
        yield found
        found.check()
    finally:
        context.close()


@pytest.fixture
def healthy(small: SimulatedHub) -> Iterator[SimulatedHub]:
    """The hub over five nodes, without a fault before and after the test."""
    yield small
    small.command("heal")
    eventually("all is well again", lambda: _is_healthy(small))


@pytest.fixture(scope="module")
def broken(small: SimulatedHub) -> Iterator[SimulatedHub]:
    """The hub over five nodes, one of which is cut off during a module's tests."""
    small.command("break node-2")
    eventually("the fault is open", lambda: b'"state":"faults"' in summary(small))
    yield small
    small.command("heal")
    eventually("all is well again", lambda: _is_healthy(small))


def _is_healthy(show: SimulatedHub) -> bool:
    return b'"state":"healthy"' in summary(show)


def summary(show: SimulatedHub) -> bytes:
    """Return the hub's sentence as JSON."""
    return get(f"{show.address}api/v1/summary")


def get(address: str) -> bytes:
    """Return what is at an address."""
    with urllib.request.urlopen(address, timeout=5) as answer:
        return bytes(answer.read())
