"""Measure what ten thousand idle TCP connections cost, and whether a new connection is still answered meanwhile."""

from __future__ import annotations

import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence

from . import load, table
from .build import BenchError
from .memory import await_descriptors, settled
from .server import Bench, Server, running

HEADER = ("", "server", "RSS rest", "held", "KiB each", "after", "fresh PING ms")
HOLD = 120  # seconds: an upper bound, the holding ends when all is measured


def measure(
    bench: Bench, servers: Sequence[str], connections: int, say: Callable[[str], None]
) -> tuple[str, list[str]]:
    """Return the table, and a message for each server that failed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < connections + 200:
        return f"\nIdle connections: skipped, {connections} need more open files than the hard limit, {hard}.", []
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for the servers, which inherit it
    rows = []
    broken = []
    for server in servers:
        say(f"idle: {bench.label(server)}")
        try:
            with running(bench, server, "tcp", IDLE_TIMEOUT=2 * HOLD) as started:
                started.wait_ready()
                rows.append(_row(bench, server, started, connections))
        except BenchError as why:
            broken.append(str(why))
    return table.render(f"{connections:,} idle TCP connections, memory in MiB", HEADER, rows), broken


def _row(bench: Bench, server: str, started: Server, connections: int) -> list[str]:
    rest, descriptors = settled(started), started.descriptors()
    command = load.command(bench.load, load.Shape("tcp-idle", connections, 4), started.port, HOLD)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stderr
            word = holder.stderr.readline()  # comes when all are held
            held, fresh = settled(started), _ping(started)
        finally:
            holder.send_signal(signal.SIGTERM)
        out, _ = holder.communicate(timeout=30)
    result = load.parse(out) if out else None
    if word.split() != ["held", str(connections)] or result is None or result.errors:
        why = result.first_error if result else word.strip()
        raise BenchError(f"{started.name} did not hold {connections} connections: {why}.")
    await_descriptors(started, descriptors)
    after = settled(started)
    each = f"{(held.rss - rest.rss) / connections:.2f}"
    return [
        "",
        bench.label(server),
        table.mib(rest.rss),
        table.mib(held.rss),
        each,
        table.mib(after.rss),
        f"{1000 * fresh:.1f}",
    ]


def _ping(started: Server) -> float:
    """Return the seconds until a new connection has its answer."""
    began = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", started.port), timeout=5) as client:
            client.sendall(b"PING")
            answer = client.recv(4, socket.MSG_WAITALL)
    except OSError as error:
        raise BenchError(f"{started.name} did not answer a new connection beside the idle ones: {error}.") from error
    if answer != b"PING":
        raise BenchError(f"{started.name} answered {answer!r} to PING beside the idle connections.")
    return time.monotonic() - began
