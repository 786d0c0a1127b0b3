"""A service keeps answering after SIGTERM until its clients have learned that it is leaving."""

from __future__ import annotations

import signal
import socket

import pytest

from smoker_prober.result import Outcome
from tests.conftest import PATIENCE, Process, Start, eventually, free_port
from tests.prober.targets import HOST, probe

LONG = 600  # seconds: nobody waits for its end


@pytest.fixture(params=["smoker-tcp-echo", "smoker-prober"])
def lingering(start: Start, request: pytest.FixtureRequest) -> tuple[Process, int]:
    """Run a service that answers TCP, was told to stop and lingers; yield it and the port."""
    port = free_port(socket.SOCK_STREAM)
    if request.param == "smoker-prober":
        closed = {f"{name}_PORT": free_port(socket.SOCK_STREAM) for name in ("TCP", "UDP", "HTTP")}
        options = {"PEER_TCP_PORT": port, "SERVER_HOST": HOST, "TEST_INTERVAL": 0.1, **closed}
        process = start(request.param, "run", LINGER=LONG, **options)
    else:
        process = start(request.param, LINGER=LONG, TCP_PORT=port)
    process.popen.send_signal(signal.SIGTERM)
    eventually("it is not ready any more", lambda: process.get("/readyz")[0] == 503)
    return process, port


def test_a_lingering_service_answers_and_starts_nothing(lingering: tuple[Process, int]) -> None:
    """It is not ready, but alive and serving, and a prober's rounds have ended."""
    process, port = lingering
    assert probe("tcp", port).outcome is Outcome.SUCCESS
    assert process.get("/livez") == (200, "ok\n")
    before = process.stdout
    assert probe("tcp", port).outcome is Outcome.SUCCESS
    assert process.stdout.count("FAILED") == before.count("FAILED")
    process.popen.send_signal(signal.SIGTERM)
    assert process.popen.wait(PATIENCE) == 0


def test_a_second_signal_ends_the_lingering(lingering: tuple[Process, int]) -> None:
    """A second signal, as Ctrl-C twice on a laptop, ends the linger time."""
    process, port = lingering
    assert process.stop(signal.SIGINT) == 0
    assert probe("tcp", port).outcome is Outcome.REFUSED
