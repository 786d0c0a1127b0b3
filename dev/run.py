"""`make run`: the three echoes and a prober on loopback, their lines side by side, until Ctrl-C.

honcho runs the processes; the prober starts when the echoes are ready, so that its first round is a fair one. An echo
that somebody kills starts again after a while: so a newcomer sees what a fault looks like, and its end.
"""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from honcho.manager import Manager
from honcho.printer import Message, Printer

ECHOES = ("tcp-echo", "udp-echo", "http-echo")
ADMIN_PORT = 9464  # of the first echo, where the variable says no other; the next two and the prober follow
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever http_proxy says
MISTAKE = 2  # exit code of a service that cannot start
PATIENCE = 20.0  # seconds until the echoes must be ready
AWAY = 20.0  # seconds until an echo that was killed starts again
RUN = "SMOKER_RUN"  # the variable that names the folder of this run: the process ids of the echoes
HINT = """
Everything runs. In another terminal:
  {report}    shows what the prober has measured so far
  kill {pid}    stops udp-echo for {away:.0f} s: its probe says FAILED, then SUCCESS again
Ctrl-C here ends it all.
"""


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
    asked = wanted.get("ADMIN_PORT") or str(ADMIN_PORT)
    if not (asked.isascii() and asked.isdigit()):
        sys.stderr.write(f"make run: ADMIN_PORT={asked!r} is not a port.\n")
        return MISTAKE
    first = int(asked)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    shared = wanted | {"LISTEN_ADDRESS": "127.0.0.1"} | ({"FORCE_COLOR": "1"} if colour else {})
    lines = Lines(sys.stdout, colour=colour, width=len("http-echo"))
    manager = Processes(lines)
    folder = tempfile.mkdtemp(prefix="smoker-run-")
    shared[RUN] = folder
    for number, service in enumerate(ECHOES):
        manager.add_process(service, _again("echo", service), env=shared | {"ADMIN_PORT": str(first + number)})
    probing = shared | {"SERVER_HOST": "127.0.0.1", "ADMIN_PORT": str(first + len(ECHOES))}
    probing.setdefault("TEST_INTERVAL", "5")
    probing.setdefault("NODE_NAME", "localhost")
    manager.add_process("prober", _again("prober"), env=probing)
    try:
        manager.loop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if lines.error is not None:
        return exit_code(lines.error)
    return 0 if manager.returncode in (0, None, 130) else int(manager.returncode)


def _again(*arguments: str) -> str:
    """Return the shell command that runs this file with `arguments`."""
    return "exec " + shlex.join([sys.executable, os.path.abspath(__file__), *arguments])


def echo(service: str) -> int:
    """Run an echo until this process is told to stop; one that ends before that starts again. Returns its exit code."""
    asked, news = False, threading.Event()

    def stop(number: int, _frame: object) -> None:
        nonlocal asked
        asked = True
        news.set()
        process.send_signal(number)

    while True:
        process = subprocess.Popen([f"smoker-{service}"])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        if (file := Path(os.environ[RUN], service)).exists():
            print(f"{service} runs again; kill {process.pid} stops it", flush=True)
        file.write_text(str(process.pid))
        code = process.wait()
        if asked or code == MISTAKE:
            return code
        print(f"{service} was stopped; it starts again in {AWAY:.0f} s", flush=True)
        news.wait(AWAY)
        if asked:
            return 0


def probe_when_ready() -> None:
    """Say what can be done now, and become the prober, as soon as the echoes are ready."""
    until, own = time.monotonic() + PATIENCE, int(os.environ["ADMIN_PORT"])
    for admin in range(own - len(ECHOES), own):
        while not ready(admin) and time.monotonic() < until:
            time.sleep(0.05)
    moved = f"ADMIN_PORT={own} " if own != ADMIN_PORT + len(ECHOES) else ""  # else `report` finds it by itself
    report = moved + os.path.relpath(Path(sys.executable).with_name("smoker-prober"))
    pid = Path(os.environ[RUN], "udp-echo").read_text()
    print(HINT.format(report=f"{report} report", pid=pid, away=AWAY), flush=True)
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
    if sys.argv[1:2] == ["echo"]:
        sys.exit(echo(sys.argv[2]))
    sys.exit(start(dict(os.environ)))
