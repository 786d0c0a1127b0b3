"""Measure memory at rest and after loads: a load must leave nothing behind."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from . import table
from .build import BenchError
from .load import Shape, run
from .server import SMOKER, Bench, Memory, Server, running

GOAL_MIB = {"tcp": 24, "udp": 24, "http": 24, "prober": 32}  # of its own memory at rest
LEAK_KIB = 1024  # growth from the first load to the last that is still noise: allocators keep what they once used
SHAPES = {"tcp": (Shape("tcp-fresh", 32, 4), Shape("tcp-kept", 64, 1024)), "udp": (Shape("udp", 32, 1024),)}
SHAPES["http"] = (Shape("http", 64), Shape("http-post", 16, 4096))
HEADER = (
    "service",
    "server",
    "RSS rest",
    "load 1",
    "load {}",
    "growth KiB",
    "a 1000 ops",
    "PSS rest",
    "load {}",
    "own rest",
    "goal",
)


def settled(server: Server, limit: float = 5.0) -> Memory:
    """Return its memory once that has not changed for half a second."""
    deadline = time.monotonic() + limit
    memory, since = server.memory(), time.monotonic()
    while time.monotonic() < min(since + 0.5, deadline):
        time.sleep(0.05)
        if abs((now := server.memory()).rss - memory.rss) > 16:
            memory, since = now, time.monotonic()
    return server.memory()


def await_descriptors(server: Server, count: int, limit: float = 5.0) -> None:
    """Wait until it has at most `count` files open: all its connections have ended."""
    deadline = time.monotonic() + limit
    while server.descriptors() > count:
        if time.monotonic() > deadline:
            raise BenchError(f"{server.name} keeps {server.descriptors() - count} descriptors open after its load.")
        time.sleep(0.02)


def measure(
    bench: Bench, servers: Sequence[str], loads: int, seconds: float, say: Callable[[str], None]
) -> tuple[str, list[str]]:
    """Return the table, and a message for each service that failed."""
    rows = []
    broken = []
    for service in GOAL_MIB:
        for server in servers:
            if service == "prober" and server != SMOKER:
                continue
            say(f"rss: {bench.label(server)} {service}")
            try:
                rows.append(_row(bench, server, service, loads, seconds))
            except BenchError as why:
                broken.append(str(why))
    title = f"Memory in MiB, at rest and after the first and the last of {loads} loads of {seconds:g} s each"
    note = f"growth: RSS from load 1 to load {loads}; more than {LEAK_KIB} KiB is called a leak."
    return "\n".join([table.render(title, [name.format(loads) for name in HEADER], rows), note]), broken


def _row(bench: Bench, server: str, service: str, loads: int, seconds: float) -> list[str]:
    with _started(bench, server, service) as (started, load):
        rest = settled(started)
        descriptors = started.descriptors()
        after = []
        counts = []
        for _ in range(loads):
            counts.append(load(seconds))
            await_descriptors(started, descriptors + (8 if service == "prober" else 0))
            after.append(settled(started))
    growth = after[-1].rss - after[0].rss
    verdict = ""
    if server == SMOKER:
        verdict = table.at_most(rest.own / 1024, GOAL_MIB[service])
    if growth > LEAK_KIB:
        verdict += " LEAK"
    return [
        service,
        bench.label(server),
        *(table.mib(memory.rss) for memory in (rest, after[0], after[-1])),
        f"{growth:+d}",
        f"{1000 * growth / sum(counts[1:]):+.1f}",
        table.mib(rest.pss),
        table.mib(after[-1].pss),
        table.mib(rest.own),
        verdict,
    ]


@contextlib.contextmanager
def _started(bench: Bench, server: str, service: str) -> Iterator[tuple[Server, Callable[[float], int]]]:
    """Start the server. Return it and a function that loads it for so many seconds and returns the operations."""
    with contextlib.ExitStack() as stack:
        if service == "prober":
            yield _started_prober(bench, stack)
            return
        started = stack.enter_context(running(bench, server, service))
        started.wait_ready()

        def load(seconds: float) -> int:
            shapes = SHAPES[service]
            part = seconds / len(shapes)
            return sum(run(bench.load, shape, started.port, part).operations for shape in shapes)

        yield started, load


def _started_prober(bench: Bench, stack: contextlib.ExitStack) -> tuple[Server, Callable[[float], int]]:
    """Start a prober. Its load is its own: rounds as close as it allows, three probes each, to three echo servers."""
    echoes = {service: stack.enter_context(running(bench, SMOKER, service)) for service in ("tcp", "udp", "http")}
    for echo in echoes.values():
        echo.wait_ready()
    ports = {f"{service.upper()}_PORT": echo.port for service, echo in echoes.items()}
    settings = {"SERVER_HOST": "127.0.0.1", "TEST_INTERVAL": 0.1, "NODE_NAME": "bench"}
    prober = stack.enter_context(running(bench, SMOKER, "prober", **settings, **ports))
    prober.wait_ready()

    def load(seconds: float) -> int:
        before, deadline = _results(prober), time.monotonic() + seconds
        while (count := _results(prober) - before) < 3 or time.monotonic() < deadline:
            if time.monotonic() > deadline + 10:
                raise BenchError(f"The prober reported nothing for {seconds + 10:g} s: {prober.last_line()}")
            time.sleep(0.1)
        return count

    return prober, load


def _results(prober: Server) -> int:
    """Return how many results it has logged. A failed result fails the run."""
    text = prober.log.read_text(errors="replace")
    if "] FAILED " in text:
        raise BenchError(f"A probe failed: {next(line for line in text.splitlines() if '] FAILED ' in line)}")
    return text.count("] SUCCESS ")
