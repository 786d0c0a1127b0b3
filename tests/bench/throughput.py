"""Measure operations per second of each echo server, as ratios of neighbouring rounds."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import table
from .build import BenchError
from .load import Load, Shape, run
from .server import BARE, BASELINE, SMOKER, Bench, running

HEADER = ("load", "server", "ops/s", "of {}", "of bare gevent", "CPU µs/op", "CPU of {}", "p50 µs", "p99 µs", "goal")
BOUND = 0.9  # a generator that uses more of its core than this may be what is measured


@dataclass(frozen=True)
class Case:
    """A load, and the goal as a share of the baseline's rate."""

    title: str
    service: str
    shape: Shape
    goal: float | None = None


CASES = (
    Case("TCP fresh x32, 4 B", "tcp", Shape("tcp-fresh", 32, 4), 0.85),
    Case("TCP kept x64, 64 B", "tcp", Shape("tcp-kept", 64, 64), 0.6),
    Case("TCP kept x1, 64 B", "tcp", Shape("tcp-kept", 1, 64)),
    Case("TCP bulk x8, 16 KiB", "tcp", Shape("tcp-bulk", 8, 16384)),
    Case("UDP x32, 64 B", "udp", Shape("udp", 32, 64), 0.9),
    Case("HTTP GET x1", "http", Shape("http", 1), 0.25),
    Case("HTTP GET x64", "http", Shape("http", 64), 0.25),
    Case("HTTP POST x16, 1 KiB", "http", Shape("http-post", 16, 1024)),
)


@dataclass(frozen=True)
class Round:
    """One run against one server."""

    load: Load
    cpu_us: float  #: of the server, an operation


def measure(
    bench: Bench, servers: Sequence[str], rounds: int, seconds: float, say: Callable[[str], None], match: str = ""
) -> tuple[str, list[str]]:
    """Return the table, and a message for each case that failed."""
    rows: list[list[str]] = []
    broken = []
    notes: set[str] = set()
    for case in CASES:
        if match.lower() not in case.title.lower():
            continue
        say(f"throughput: {case.title}")
        try:
            results = _interleave(bench, case, servers, rounds, seconds)
        except BenchError as why:
            broken.append(f"{case.title}: {why}")
            continue
        rows += [_row(bench, case, server, results, notes) for server in servers]
    header = [name.format(bench.baseline.language) for name in HEADER]
    title = f"Throughput on one core, {rounds} rounds of {seconds:g} s: median (lowest-highest)"
    return "\n".join([table.render(title, header, rows), *sorted(notes)]), broken


def _interleave(
    bench: Bench, case: Case, servers: Sequence[str], rounds: int, seconds: float
) -> dict[str, list[Round]]:
    """Run A B C A B C …, so that a disturbance of the machine affects neighbouring rounds alike."""
    results: dict[str, list[Round]] = {name: [] for name in servers}
    with contextlib.ExitStack() as stack:
        started = {name: stack.enter_context(running(bench, name, case.service)) for name in servers}
        for server in started.values():
            server.wait_ready()
        for number in range(-1, rounds):
            for name, server in started.items():
                before = server.cpu_seconds()
                try:  # the first round warms up: the Go scheduler, Python's specialised code, the caches
                    load = run(bench.load, case.shape, server.port, seconds if number >= 0 else 0.3)
                except BenchError as why:
                    raise BenchError(f"{server.name}: {why}") from why
                if number >= 0:
                    cpu = server.cpu_seconds() - before
                    results[name].append(Round(load, 1e6 * cpu / load.operations))
    return results


def _row(bench: Bench, case: Case, server: str, results: dict[str, list[Round]], notes: set[str]) -> list[str]:
    rounds, baseline, bare = results[server], results.get(BASELINE), results.get(BARE)
    rate = statistics.median(r.load.rate for r in rounds)
    goal, mark = "", ""
    if case.goal and baseline and server == SMOKER and bench.baseline.language == "Go":
        median = statistics.median(a.load.rate / b.load.rate for a, b in zip(rounds, baseline, strict=True))
        goal = table.at_least(median, case.goal)
    if any(r.load.cpu_seconds > BOUND * r.load.seconds for r in rounds):
        mark = "*"
        notes.add("* the load generator was busy: the server might do more.")
    if lost := sum(r.load.lost for r in rounds):
        notes.add(f"{case.title}, {bench.label(server)}: {lost} datagrams were not answered within 200 ms.")
    timed = rounds[0].load.p50_us > 0
    return [
        case.title if server == next(iter(results)) else "",
        bench.label(server),
        f"{rate:,.0f}{mark}",
        _of(rounds, baseline) if server != BASELINE else "",
        _of(rounds, bare) if server != BARE else "",
        f"{statistics.median(r.cpu_us for r in rounds):.1f}",
        _cpu_of(rounds, baseline) if server != BASELINE else "",
        f"{statistics.median(r.load.p50_us for r in rounds):,.0f}" if timed else "",
        f"{statistics.median(r.load.p99_us for r in rounds):,.0f}" if timed else "",
        goal,
    ]


def _of(rounds: Sequence[Round], others: Sequence[Round] | None) -> str:
    return table.ratio([(a.load.rate, b.load.rate) for a, b in zip(rounds, others, strict=True)]) if others else ""


def _cpu_of(rounds: Sequence[Round], others: Sequence[Round] | None) -> str:
    """Return the ratio that CPU time alone would give: steadier on a machine with other work."""
    if not others or not all(r.cpu_us for r in [*rounds, *others]):
        return ""
    return f"{statistics.median(b.cpu_us / a.cpu_us for a, b in zip(rounds, others, strict=True)):.2f}"
