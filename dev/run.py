"""`make run`: the three echoes and a prober on loopback, their lines side by side, until Ctrl-C.

honcho runs the processes; the prober starts when the echoes are ready, so that its first round is a fair one.
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
import time
import urllib.error
import urllib.request

from honcho.manager import Manager
from honcho.printer import Message, Printer

ECHOES = {"tcp-echo": 9464, "udp-echo": 9465, "http-echo": 9466}  # and their admin ports
PROBER_ADMIN = 9467
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever http_proxy says
PATIENCE = 20.0  # seconds until the echoes must be ready


class Lines(Printer):  # type: ignore[misc]
    """The lines of all processes on stdout. Once stdout cannot be written, as in `make run | head`, drop them."""

    error: OSError | None = None

    def write(self, message: Message) -> None:
        try:
            super().write(message)
        except OSError as error:
            self.error = error
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.output.fileno())


class Processes(Manager):  # type: ignore[misc]
    """The processes. Stop them once nobody can read their lines."""

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self._lines = lines

    def _all_started(self) -> bool:
        """Return whether all run. honcho asks after each event, and can stop them only once they do."""
        all_run = bool(super()._all_started())
        if all_run and self._lines.error is not None:
            self.terminate()
        return all_run


def exit_code(error: OSError) -> int:
    """Return the exit code where stdout could not be written: a closed pipe ends it quietly, as SIGPIPE would."""
    if error.errno == errno.EPIPE:
        return 128 + signal.SIGPIPE
    sys.stderr.write(f"make run: cannot write to stdout: {error.strerror}.\n")
    return 2


def start(wanted: dict[str, str]) -> int:
    """Run all four with `wanted` on top of the environment. Returns the exit code."""
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    shared = wanted | {"LISTEN_ADDRESS": "127.0.0.1"} | ({"FORCE_COLOR": "1"} if colour else {})
    lines = Lines(sys.stdout, colour=colour, width=len("http-echo"))
    manager = Processes(lines)
    for service, admin in ECHOES.items():
        manager.add_process(service, f"exec smoker-{service}", env=shared | {"ADMIN_PORT": str(admin)})
    probing = shared | {"SERVER_HOST": "127.0.0.1", "ADMIN_PORT": str(PROBER_ADMIN)}
    probing.setdefault("TEST_INTERVAL", "5")
    probing.setdefault("NODE_NAME", "localhost")
    manager.add_process(
        "prober", f"exec {shlex.quote(sys.executable)} {shlex.quote(os.path.abspath(__file__))} prober", env=probing
    )
    manager.loop()
    if lines.error is not None:
        return exit_code(lines.error)
    return 0 if manager.returncode in (0, None, 130) else int(manager.returncode)


def probe_when_ready() -> None:
    """Become the prober as soon as the echoes are ready."""
    until = time.monotonic() + PATIENCE
    for admin in ECHOES.values():
        while not ready(admin) and time.monotonic() < until:
            time.sleep(0.05)
    os.execvp("smoker-prober", ["smoker-prober", "run"])


def ready(admin: int) -> bool:
    """Whether the service with this admin port is ready."""
    try:
        with DIRECT.open(f"http://127.0.0.1:{admin}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    if sys.argv[1:] == ["prober"]:
        probe_when_ready()
    sys.exit(start(dict(os.environ)))
