"""`make run`: the three echoes, a prober and a hub with three simulated nodes on loopback, until Ctrl-C.

honcho runs the processes; the probers start when the echoes are ready, so that their first round is a fair one. An echo
that somebody kills starts again after a while: so a newcomer sees what a fault looks like, and its end. Each simulated
node is a prober with a loopback address of its own; `b` and Enter freezes one, and the hub's page names it.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import shlex
import shutil
import signal
import socket
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
ADMIN_PORT = 9464  # default of the first echo; the next two and the prober use the ports after it
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever http_proxy says
MISTAKE = 2  # exit code of a service that cannot start
PATIENCE = 20.0  # seconds until the echoes must be ready
AWAY = 20.0  # seconds until an echo that was killed starts again
PORTS = {"TCP": "8080", "UDP": "8081", "HTTP": "8082", "STAMP": "8062"}  # as the echoes have them by default
SIMULATED = "SMOKER_SIMULATED"  # the variable that says whether there are simulated nodes
RUN = "SMOKER_RUN"  # the variable that names the folder of this run: the process ids of the echoes
HINT = """
Everything runs. In another terminal:
  {report}    shows what the prober has measured so far
  kill {pid}    stops udp-echo for {away:.0f} s: its probe says FAILED, then SUCCESS again
{page}Ctrl-C here stops everything.
"""
HUB_PORT = 8083  # default of the page
NODES = {"node-1": "127.0.1.1", "node-2": "127.0.1.2", "node-3": "127.0.1.3"}
VICTIM = "node-2"
KEY = "b"
PAGE = """\
The hub's page with three simulated nodes:  http://localhost:{port}/
  {key} and Enter here    freezes the prober of {victim}: the page names it within seconds; the same again heals it
"""
NO_PAGE = "The hub's page and its simulated nodes are left out: this machine has no address 127.0.1.1.\n"


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
    """Run the processes. Stop them when their lines no longer have a reader."""

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self._lines = lines
        self._frozen = False

    def terminate(self) -> None:
        """End all of them. One that is frozen could not end."""
        if self._frozen:
            self._signal(signal.SIGCONT)
        super().terminate()

    def obey(self) -> None:
        """Freeze the victim and heal it again, each time that a line on stdin says so.

        It reads the descriptor itself: the lock of sys.stdin would be held where honcho forks.
        """
        for line in iter(lambda: os.read(0, 1024), b""):
            number = signal.SIGCONT if self._frozen else signal.SIGSTOP
            if line.decode(errors="replace").strip().lower() == KEY and self._signal(number):
                self._frozen = not self._frozen
                told = "is frozen" if self._frozen else "runs again"
                text = f"the prober of {VICTIM} {told}; {KEY} and Enter {'heals' if self._frozen else 'freezes'} it\n"
                self.events.put(Message("line", text, dt.datetime.now(), "system", None))  # noqa: DTZ005  as honcho's

    def _signal(self, number: signal.Signals) -> bool:
        """Send a signal to the victim. Return whether it runs."""
        process = self._processes.get(VICTIM, {})
        if "pid" not in process or "returncode" in process:
            return False
        os.kill(process["pid"], number)
        return True

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
    """Run echoes, prober, hub and its nodes with `wanted` on top of the environment. Return the exit code."""
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
    simulated = can_listen(NODES[VICTIM])
    manager.add_process("prober", _again("prober"), env=probing | {SIMULATED: "yes" if simulated else ""})
    if simulated:
        add_nodes(manager, probing)
        threading.Thread(target=manager.obey, daemon=True).start()
    try:
        manager.loop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if lines.error is not None:
        return exit_code(lines.error)
    return 0 if manager.returncode in (0, None, 130) else int(manager.returncode)


def add_nodes(manager: Processes, probing: dict[str, str]) -> None:
    """Add a prober for each simulated node, and the hub. All nodes have the same ports, each on its own address."""
    admin = int(probing["ADMIN_PORT"])
    peers = ",".join(f"{node}=127.0.1.{number}:{admin}" for number, node in enumerate(NODES, 1))
    ports = {f"PEER_{each}_PORT": probing.get(f"{each}_PORT", usual) for each, usual in PORTS.items()}
    quick = {"TEST_INTERVAL": "2", "TEST_TIMEOUT": "1", "MTU_INTERVAL": "0", "LOG_LEVEL": "CRITICAL", "PEERS": peers}
    for node, address in NODES.items():
        own = {"NODE_NAME": node, "LISTEN_ADDRESS": address}
        manager.add_process(node, _again("node"), env=probing | ports | quick | own)
    hub = {"PEERS": peers, "INTERVAL": "1", "TIMEOUT": "1", "ADMIN_PORT": str(admin + 1), "CLUSTER_NAME": "laptop"}
    hub |= {"HTTP_PORT": probing.get("HUB_PORT") or str(HUB_PORT), "HISTORY_FOLDER": probing[RUN]}
    manager.add_process("hub", _again("hub"), env=probing | hub)


def can_listen(address: str) -> bool:
    """Return whether this machine has a loopback address: Linux has all of 127.0.0.0/8, others 127.0.0.1 alone."""
    with socket.socket() as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True


def _again(*arguments: str) -> str:
    """Return the shell command that runs this file with `arguments`."""
    return "exec " + shlex.join([sys.executable, os.path.abspath(__file__), *arguments])


def echo(service: str) -> int:
    """Run an echo until this process gets a signal; start it again if it ends before. Return its exit code."""
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
    own = int(os.environ["ADMIN_PORT"])
    wait_for_echoes(own)
    moved = f"ADMIN_PORT={own} " if own != ADMIN_PORT + len(ECHOES) else ""  # otherwise `report` finds it without help
    report = moved + os.path.relpath(Path(sys.executable).with_name("smoker-prober"))
    pid = Path(os.environ[RUN], "udp-echo").read_text()
    port = os.environ.get("HUB_PORT") or HUB_PORT
    page = PAGE.format(port=port, key=KEY, victim=VICTIM) if os.environ[SIMULATED] else NO_PAGE
    print(HINT.format(report=f"{report} report", pid=pid, away=AWAY, page=page), flush=True)
    os.execvp("smoker-prober", ["smoker-prober", "run"])


def wait_for_echoes(own: int) -> None:
    """Wait until the echoes are ready, whose admin ports are just below `own`."""
    wait_for([("127.0.0.1", admin) for admin in range(own - len(ECHOES), own)])


def wait_for(places: list[tuple[str, int]]) -> None:
    """Wait until the services with these admin ports are ready, or for long enough."""
    until = time.monotonic() + PATIENCE
    for host, admin in places:
        while not ready(host, admin) and time.monotonic() < until:
            time.sleep(0.05)


def ready(host: str, admin: int) -> bool:
    """Return whether the service with this admin port is ready."""
    try:
        with DIRECT.open(f"http://{host}:{admin}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    if sys.argv[1:] == ["prober"]:
        probe_when_ready()
    if sys.argv[1:] == ["node"]:
        wait_for_echoes(int(os.environ["ADMIN_PORT"]))
        os.execvp("smoker-prober", ["smoker-prober", "run"])
    if sys.argv[1:] == ["hub"]:
        wait_for([(address, int(os.environ["ADMIN_PORT"]) - 1) for address in NODES.values()])
        os.execvp("smoker-hub", ["smoker-hub"])
    if sys.argv[1:2] == ["echo"]:
        sys.exit(echo(sys.argv[2]))
    sys.exit(start(dict(os.environ)))
