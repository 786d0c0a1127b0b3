"""The three echo services as processes: their output, start and end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

from tests.conftest import BIN, Start, eventually, free_port

ECHOES = {"smoker-tcp-echo": "TCP_PORT", "smoker-udp-echo": "UDP_PORT", "smoker-http-echo": "HTTP_PORT"}


def talk(kind: str, port: int) -> None:
    """Do one exchange with an echo."""
    if kind == "HTTP_PORT":
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/a%0d%0ab", timeout=10) as answer:
            answer.read()
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "UDP_PORT" else socket.SOCK_STREAM) as sock:
        sock.settimeout(10)
        sock.connect(("127.0.0.1", port))
        sock.sendall(b"PING")
        assert sock.recv(10) == b"PING"


def refuses(port: int) -> bool:
    """Return whether a connection to `port` is refused."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize(("program", "variable"), ECHOES.items())
def test_ready_then_stopped_by_a_signal(start: Start, program: str, variable: str) -> None:
    """It is alive and ready soon. On SIGTERM it logs that and exits with 0, with nothing on stdout."""
    echo = start(program, **{variable: 0})
    assert echo.get("/livez") == (200, "ok\n")
    assert echo.stop() == 0
    assert f"{program} started" in echo.stderr
    assert f"{program} stopped" in echo.stderr
    assert echo.stdout == ""


def test_sigint_ends_it_too(start: Start) -> None:
    """Ctrl-C ends it without a traceback."""
    echo = start("smoker-tcp-echo", TCP_PORT=0)
    assert echo.stop(signal.SIGINT) == 0
    assert "Traceback" not in echo.stderr


def test_a_stopping_service_is_unready_and_finishes_running_work(start: Start) -> None:
    """After SIGTERM /readyz is 503 at once.

    No connection is accepted, the open one is still served, and it exits with 0.
    """
    echo = start("smoker-tcp-echo", TCP_PORT=0)
    with socket.create_connection(("127.0.0.1", echo.ports["TCP_PORT"]), timeout=10) as sock:
        sock.sendall(b"a")
        assert sock.recv(1) == b"a"
        echo.popen.send_signal(signal.SIGTERM)
        eventually("it is not ready", lambda: echo.get("/readyz") == (503, "stopping\n"))
        eventually("the port is closed", lambda: refuses(echo.ports["TCP_PORT"]))
        sock.sendall(b"b")
        assert sock.recv(1) == b"b"
    assert echo.popen.wait(10) == 0
    assert "cut=0" in echo.stderr


def test_work_that_does_not_end_is_cut_after_the_grace(start: Start) -> None:
    """A client that never leaves does not keep a pod from ending."""
    echo = start("smoker-tcp-echo", TCP_PORT=0)
    with socket.create_connection(("127.0.0.1", echo.ports["TCP_PORT"]), timeout=20) as sock:
        sock.sendall(b"a")
        assert sock.recv(1) == b"a"
        echo.popen.send_signal(signal.SIGTERM)
        assert sock.recv(1) == b""
    assert echo.popen.wait(10) == 0
    assert "cut=1" in echo.stderr


@pytest.mark.parametrize(("program", "variable"), ECHOES.items())
def test_each_exchange_is_a_line_with_client_and_bytes(start: Start, program: str, variable: str) -> None:
    """A line has client address and bytes, and no raw bytes of a client."""
    if program == "smoker-http-echo":
        echo = start(program, LOG_FORMAT="json", HTTP_PORT=0)
        with pytest.raises(urllib.error.HTTPError, match="404") as raised:
            talk(variable, echo.ports[variable])
        raised.value.close()
    else:
        echo = start(program, LOG_FORMAT="json", **{variable: 0})
        talk(variable, echo.ports[variable])

    def lines() -> list[dict[str, Any]]:
        return [line for line in map(json.loads, echo.stderr.splitlines()) if "client" in line]

    (line,) = eventually("the exchange is logged", lines)
    assert line["client"].startswith("127.0.0.1:")
    if program == "smoker-http-echo":
        assert (line["method"], line["path"], line["status"]) == ("GET", "/a%0d%0ab", 404)
    else:
        assert (line["received"], line["sent"]) == (4, 4)


def test_health_checks_are_logged_at_debug(start: Start) -> None:
    """Kubelet's requests are lines at DEBUG and none at INFO."""
    for level, logged in (("INFO", False), ("DEBUG", True)):
        echo = start("smoker-http-echo", HTTP_PORT=0, LOG_LEVEL=level)
        with urllib.request.urlopen(f"http://127.0.0.1:{echo.ports['HTTP_PORT']}/health", timeout=10) as answer:
            assert answer.status == 200
        assert echo.stop() == 0
        assert ("/readyz" in echo.stderr, "/health" in echo.stderr) == (logged, logged)


def test_under_load_the_log_is_summarized(start: Start) -> None:
    """300 datagrams at a rate of 3 lines a second give a few lines and a sum."""
    echo = start("smoker-udp-echo", UDP_PORT=0, LOG_RATE=3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect(("127.0.0.1", echo.ports["UDP_PORT"]))
        for _ in range(300):
            sock.send(b"PING")
            assert sock.recv(10) == b"PING"
    eventually("a sum is written", lambda: "more datagrams" in echo.stderr)
    assert echo.stderr.count("datagram client=") < 150


def test_all_mistakes_in_one_sentence(start: Start) -> None:
    """Wrong variables and a port in use are reported together, once; exit code 2."""
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)):
        echo = start("smoker-tcp-echo", TCP_PORT=taken, IDLE_TIMEOUT="soon", LOG_LEVEL="LOUD", ready=False)
        assert echo.popen.wait(20) == 2
    assert echo.stderr.count("\n") == 1
    for words in (f"TCP_PORT={taken} is taken", "IDLE_TIMEOUT='soon' is not", "LOG_LEVEL='LOUD' is not one of TRACE,"):
        assert words in echo.stderr


def test_only_mistakes_are_named(start: Start) -> None:
    """A port with a wrong variable is not opened by its default. Two equal ports are reported."""
    with socket.create_server(("127.0.0.1", 8080)):
        echo = start("smoker-tcp-echo", TCP_PORT="abc", ready=False)
        assert echo.popen.wait(20) == 2
    assert "8080" not in echo.stderr
    port = free_port()
    echo = start("smoker-tcp-echo", TCP_PORT=port, ADMIN_PORT=port, ready=False)
    assert echo.popen.wait(20) == 2
    assert f"TCP_PORT={port} is also ADMIN_PORT: they must differ" in echo.stderr
    echo = start("smoker-tcp-echo", TCP_PORT=port, LISTEN_ADDRESS="here", ready=False)
    assert echo.popen.wait(20) == 2
    assert echo.stderr.count("LISTEN_ADDRESS") == 1


FLOOD = """
import socket, sys, threading, time
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
threading.Thread(target=lambda: all(iter(lambda: sock.recv(1 << 20), b"")), daemon=True).start()
until = time.monotonic() + 15
while time.monotonic() < until:
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" * 1000)
"""


def test_a_flood_of_requests_delays_no_other_client(start: Start) -> None:
    """While one client pipelines without end, health checks are answered and SIGTERM ends the service properly."""
    echo = start("smoker-http-echo", HTTP_PORT=0)
    with subprocess.Popen(
        [sys.executable, "-c", FLOOD, str(echo.ports["HTTP_PORT"])], stderr=subprocess.DEVNULL
    ) as flood:
        eventually("the flood has begun", lambda: "request client=" in echo.stderr)
        assert echo.get("/livez")[0] == 200
        assert flood.poll() is None
        assert echo.stop() == 0
        flood.kill()
    assert "smoker-http-echo stopped" in echo.stderr


@pytest.mark.parametrize("program", ECHOES)
def test_help_and_unknown_arguments(program: str) -> None:
    """--help prints the variables on stdout and exits with 0; an argument is a mistake, exit code 2."""
    helped = subprocess.run([BIN / program, "--help"], capture_output=True, text=True, timeout=20, check=False)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert ECHOES[program] in helped.stdout
    wrong = subprocess.run([BIN / program, "serve"], capture_output=True, text=True, timeout=20, check=False)
    assert wrong.returncode == 2
    assert "takes no arguments" in wrong.stderr
