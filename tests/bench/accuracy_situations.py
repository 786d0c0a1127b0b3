"""Part one: the error of the reported RTT, and of clocks for comparison, in four situations over two paths.

TCP and TLS report the RTT of the connection, UDP and DNS that of the datagram and its answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from . import table
from .accuracy_errors import Errors, Spread, compare
from .accuracy_frames import exchanges
from .accuracy_lab import Wire
from .accuracy_run import CLOCK, WORKER, Load, Runner, Seen
from .build import BenchError

HEADER = (
    *("situation", "by", "probe", "path", "n", "RTT p50 µs", "error p50 µs", "p99", "max"),
    *("method", "throttled", "closer", "goal at p99"),
)
SITUATIONS = {
    "idle": Load("", 1, 500, pause=0.003),
    "500 at once": Load("", 500, 2, pause=0.1),
    "100m, 100 at once": Load("", 100, 10, "100m"),
    "50m, 50 at once": Load("", 50, 20, "50m"),
}
PROBES = ("tcp", "udp", "dns", "tls")
GO_HAS = ("tcp", "udp")
#: A handshake takes twenty times the CPU of a PING: with a quota so few of them still take a quarter of a minute.
BURSTS = {("100m, 100 at once", "tls"): 2, ("50m, 50 at once", "tls"): 4}
#: µs, p99
GOALS = {("50m, 50 at once", probe): most for probe, most in (("tcp", 150), ("udp", 100), ("dns", 100), ("tls", 150))}
CLOSER = 100  # times closer than a clock, at p99


def measure(runner: Runner, wires: list[Wire], match: str, say: Callable[[str], None]) -> tuple[str, list[str]]:
    """Return the table, and a message for each case that failed."""
    rows: list[list[str]] = []
    notes: list[str] = []
    broken: list[str] = []
    for title, load in SITUATIONS.items():
        for probe in PROBES:
            for wire in wires:
                case = f"{title}, {probe}, {wire.title}"
                if match not in case:
                    continue
                say(f"error: {case}")
                try:
                    bursts = BURSTS.get((title, probe), load.bursts)
                    seen = runner.run(wire, replace(load, probe=probe, bursts=bursts), programs(runner, probe))
                    truth = exchanges(seen.near, wire.probed)
                    errors = {name: compare(probed, truth, {}) for name, probed in seen.probed.items()}
                    rows += _rows((title, probe, wire.title), errors, seen)
                except BenchError as why:
                    broken.append(f"{case}: {why}")
                else:
                    notes += [f"{case}, {name}: {text}." for name, text in map(_note, errors.items()) if text]
    title = (
        "Error against a capture on the prober's device. closer: the error of this clock over that of the prober, p99"
    )
    return "\n".join([table.render(title, HEADER, rows), *notes]), broken


def programs(runner: Runner, probe: str) -> tuple[str, ...]:
    """Return the programs that probe: the prober, and the clock in Go where it is built and has this probe."""
    return (WORKER, CLOCK) if runner.clock and probe in GO_HAS else (WORKER,)


def _rows(case: tuple[str, str, str], errors: dict[str, Errors], seen: Seen) -> list[list[str]]:
    title, probe, path = case
    mine = errors[WORKER]
    names = {WORKER: "its clock", CLOCK: "Go's clock"}
    clocks = [(names[program], program, clock) for program, clock in errors.items()]
    if not mine.reported or not all(clock.clock for _, _, clock in clocks):
        raise BenchError("no probe was answered")
    reported, limit = Spread.of(mine.reported), GOALS.get((title, probe))
    goal = table.at_most(1e6 * reported.p99, limit, " µs") if limit else ""
    who = [str(reported.count), micro(Spread.of(mine.truth).p50)]
    stopped = str(seen.throttled.get(WORKER, ""))
    rows = [[title, "prober", probe, path, *who, *_cells(reported), counted(mine.methods), stopped, "", goal]]
    for name, program, clock in clocks:
        spread = Spread.of(clock.clock)
        closer = times(spread.p99, reported.p99)
        who = [str(spread.count), micro(Spread.of(clock.truth).p50)]
        stopped = str(seen.throttled.get(program, ""))
        goal = table.at_least(closer, CLOSER, "x") if limit else ""
        rows.append(["", name, probe, path, *who, *_cells(spread), "clock", stopped, f"{closer:,.0f}x", goal])
    return rows


def _cells(spread: Spread) -> Sequence[str]:
    return micro(spread.p50), micro(spread.p99), micro(spread.most)


def _note(of: tuple[str, Errors]) -> tuple[str, str]:
    """Return what the errors leave out: they need an answer and exactly one truth."""
    program, errors = of
    parts = [f"{counted(errors.failures)} not answered"] if errors.failures else []
    parts += [f"{errors.unknown} answered after a SYN sent twice, or not captured"] if errors.unknown else []
    return "Go" if program == CLOCK else "prober", " and ".join(parts)


def times(error: float, than: float) -> float:
    """Return how many times `than` the value `error` is. The kernel's stamps resolve nothing below a microsecond."""
    return error / max(than, 1e-6)


def counted(counter: Counter[str]) -> str:
    """Return counts as text: `kernel 498, clock 2`."""
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


def micro(seconds: float) -> str:
    """Return microseconds as text."""
    return f"{1e6 * seconds:,.0f}"
