"""A prober that gets SIGTERM while it is busy."""

from __future__ import annotations

import signal

from tests.conftest import PATIENCE, Start, eventually
from tests.prober.targets import HOST, variables_for
from tests.relay import DROP, TcpRelay

RUN = """
import os, sys
from smoker_prober.__main__ import command
from smoker_common import service
from smoker_prober.network import resolve

def hang(*_):
    print("hanging", file=sys.stderr, flush=True)
    os.read(wait, 1)

wait, _ = os.pipe()
resolve._getaddrinfo = hang
service.GRACE = 0.5
sys.exit(command(["run"]))
"""


def test_a_silent_probe_does_not_hold_up_the_end(start: Start, echoes: dict[str, int]) -> None:
    """With SIGTERM or SIGINT, also during a hanging look-up, it ends with 0 after the grace, long before the timeout.

    The probe that was cut has no line: it says nothing about the network.
    """
    with TcpRelay((HOST, echoes["tcp"]), DROP) as relay:
        wanted = variables_for(echoes | {"tcp": relay.port}, timeout=3600)
        terminated = start("python", "-c", RUN, ready=False, **wanted)
        interrupted = start("python", "-c", RUN, ready=False, **wanted)
        resolving = start("python", "-c", RUN, ready=False, **wanted | {"SERVER_HOST": "echo"})
        eventually("two probes wait for an answer", lambda: relay.connections == 2)
        eventually("one waits for a name", lambda: "hanging" in resolving.stderr)
        interrupted.popen.send_signal(signal.SIGINT)
        resolving.popen.terminate()
        assert terminated.stop() == 0
        assert interrupted.popen.wait(PATIENCE) == 0
        assert resolving.popen.wait(PATIENCE) == 0
    for process in (terminated, interrupted, resolving):
        assert process.stdout == ""
        assert "smoker-prober stopped cut=1" in process.stderr


def test_a_probe_that_ends_within_the_grace_is_logged(start: Start, echoes: dict[str, int]) -> None:
    """The running probe may end: its line is the last one, and no other begins."""
    with TcpRelay((HOST, echoes["tcp"]), DROP) as tcp, TcpRelay((HOST, echoes["http"])) as http:
        wanted = variables_for(echoes | {"tcp": tcp.port, "http": http.port}, timeout=0.5)
        process = start("smoker-prober", "run", ready=False, TEST_INTERVAL=3600, **wanted)
        eventually("the TCP probe waits", lambda: tcp.connections)
        assert process.stop() == 0
        assert http.connections == 0
    assert [line.split(" [TCP] ")[1] for line in process.stdout.splitlines()] == ["FAILED error=timeout"]
    assert "smoker-prober stopped cut=0" in process.stderr


def test_between_two_rounds_it_ends_at_once(start: Start, variables: dict[str, str]) -> None:
    """Nothing is in progress, so nothing is waited for, however long the interval."""
    process = start("smoker-prober", "run", TEST_INTERVAL=3600, **variables)
    assert process.stop() == 0
    assert len(process.stdout.splitlines()) == 3
    assert "smoker-prober stopped cut=0" in process.stderr


def test_a_series_by_hand_can_be_interrupted(start: Start, echoes: dict[str, int]) -> None:
    """Ctrl-C ends `probe --count` with the sum so far."""
    arguments = ("probe", "tcp", HOST, str(echoes["tcp"]), "--count", "100000", "--interval", "0.02")
    process = start("smoker-prober", *arguments, ready=False)
    eventually("three lines are there", lambda: process.stdout.count("\n") >= 3)
    assert process.stop(signal.SIGINT) == 0
    *lines, total = process.stdout.splitlines()
    assert total.startswith(f"{len(lines)} probes, {len(lines)} answered; latency min ")
