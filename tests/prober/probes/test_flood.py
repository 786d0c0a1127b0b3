"""A peer that never stops sending: nothing ever waits, and still the deadline holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from smoker_prober.result import Outcome
from tests.prober.targets import probe

# A process of its own, for in ours it would have to wait for its turn. It ends by itself.
FLOOD = """
import socket, sys, time
begin, more = (part.encode().decode("unicode_escape").encode() for part in sys.argv[1:])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
listener.settimeout(30)
client = listener.accept()[0]
client.recv(4096)
client.sendall(begin)
until = time.monotonic() + 15
try:
    while time.monotonic() < until:
        client.sendall(more * 1000)
    print("over", flush=True)
except OSError:
    print("cut", flush=True)
"""
FLOODS = {
    "continue": ("", r"HTTP/1.1 100 Continue\r\n\r\n"),
    "trailers": (r"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n", r"X-More: 1\r\n"),
    "chunks": (r"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", r"1;an-extension\r\nx\r\n"),
}


@pytest.fixture(params=FLOODS)
def flood(request: pytest.FixtureRequest) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A flooding server: its port and its process."""
    command = [sys.executable, "-c", FLOOD, *FLOODS[request.param]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process
        process.kill()


def test_a_flood_ends_at_the_deadline(flood: tuple[int, subprocess.Popen[str]]) -> None:
    """Endless `100 Continue`, trailers or chunks are no success, and are cut before they end by themselves."""
    port, process = flood
    result = probe("http", port, timeout=0.5)
    assert result.outcome in (Outcome.TIMEOUT, Outcome.BAD_REPLY)
    assert process.stdout is not None
    assert process.stdout.read().strip() == "cut"
