"""Part two: probes with a short limit and little CPU: whose answer had come, and who called it a timeout."""

from __future__ import annotations

from collections.abc import Callable

from . import table
from .accuracy_errors import judge
from .accuracy_frames import exchanges
from .accuracy_lab import DIRECT
from .accuracy_run import CLOCK, WORKER, Load, Runner
from .accuracy_situations import programs
from .build import BenchError

HEADER = (
    *("probe", "by", "probes", "answered in time", "false timeouts", "over the limit by the clock"),
    *("success, though late", "throttled", "goal"),
)
LIMIT = 0.05  # seconds
QUOTA = "50m"
TOGETHER, BURSTS = 50, 20


def measure(runner: Runner, say: Callable[[str], None]) -> tuple[str, list[str]]:
    """Return the table, and a message for each case that failed."""
    rows: list[list[str]] = []
    broken: list[str] = []
    for probe in ("tcp", "udp"):
        say(f"false timeouts: {probe}")
        try:
            seen = runner.run(DIRECT, Load(probe, TOGETHER, BURSTS, QUOTA, timeout=LIMIT), programs(runner, probe))
        except BenchError as why:
            broken.append(f"false timeouts, {probe}: {why}")
            continue
        truth = exchanges(seen.near, DIRECT.probed)
        for name, probed in seen.probed.items():
            verdicts = judge(probed, truth, LIMIT)
            rows.append(
                [
                    probe,
                    "Go" if name == CLOCK else "prober",
                    str(verdicts.probes),
                    str(verdicts.answered),
                    str(verdicts.false),
                    str(verdicts.clock),
                    str(verdicts.forgiven),
                    str(seen.throttled[name]),
                    table.at_most(verdicts.false, 0) if name == WORKER else "",
                ]
            )
    title = f"Timeouts with a limit of {1000 * LIMIT:g} ms at a quota of {QUOTA}, {TOGETHER} probes at once"
    return table.render(title, HEADER, rows), broken
