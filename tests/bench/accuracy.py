"""Measure how far the prober's figures are from the truth, with and without enough CPU; see README.md. Needs root.

    python -m tests.bench.accuracy --help

Exit code 0, goals met or missed; 1 if something could not be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from tests.prober.probes.pki import Authority

from . import accuracy_ends, accuracy_situations, accuracy_timeouts, table
from .accuracy_lab import DELAY, DIRECT, SLOW, lab
from .accuracy_quota import find
from .accuracy_run import Runner, build_clock
from .build import BenchError

PARTS = ("errors", "timeouts", "ends")
ENOUGH = 320  # seconds after which nothing new begins
LIMIT = 355  # seconds after which running processes are ended


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Measure the prober's error against a packet capture. Needs root.")
    parser.add_argument("--only", choices=PARTS, action="append", help="run this part (may be given several times)")
    parser.add_argument("--match", default="", help="of errors, the cases with this text in their name")
    return parser.parse_args()


def run(options: argparse.Namespace, runner: Runner) -> list[str]:
    """Run the requested parts and print the table of each. Return a message for each measurement that failed."""
    wanted = [part for part in PARTS if not options.only or part in options.only]
    broken: list[str] = []
    with contextlib.ExitStack() as stack:
        wires = [DIRECT]
        try:
            stack.enter_context(runner.lab.slow_path())
            wires.append(SLOW)
        except BenchError as why:
            broken.append(f"there is no path of {SLOW.title}: {why}")
        parts: dict[str, Callable[[], tuple[str, list[str]]]] = {
            "errors": lambda: accuracy_situations.measure(runner, wires, options.match, table.progress),
            "timeouts": lambda: accuracy_timeouts.measure(runner, table.progress),
            "ends": lambda: accuracy_ends.measure(runner, table.progress) if SLOW in wires else ("", []),
        }
        for part in wanted:
            text, sentences = parts[part]()
            table.progress("")
            print(text, flush=True)
            broken += sentences
    return broken


class TooLong(Exception):
    """The time limit of the whole bench is over."""


def _stopped(number: int, _frame: FrameType | None) -> None:
    """Leave through the `finally` blocks. Later signals are ignored."""
    for other in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(other, signal.SIG_IGN)
    if number == signal.SIGALRM:
        raise TooLong(f"The bench was ended after {LIMIT} s: the machine has too much else to do.")
    sys.exit(128 + number)


def main() -> int:
    """Run the bench."""
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, _stopped)
    signal.alarm(LIMIT)
    try:
        with tempfile.TemporaryDirectory() as folder, lab() as made:
            authority = Authority(Path(folder) / "authority")
            runner = Runner(made, None, time.monotonic() + ENOUGH, authority)
            try:
                runner.clock, broken = build_clock(), []
            except BenchError as why:
                broken = [str(why)]
            print(
                f"Python {platform.python_version()}, Linux {platform.release()}, cgroup v{find().version}, "
                f"{len(os.sched_getaffinity(0))} cores, machine load {os.getloadavg()[0]:.1f}; truth: AF_PACKET with "
                f"kernel stamps on the prober's device; paths: a veth pair, a TUN relay of {1000 * DELAY:g} ms each way"
            )
            if runner.clock is None:
                print("There is no Go: the clock is Python's alone.")
            broken += run(options, runner)
    except (BenchError, TooLong) as why:
        broken = [str(why)]
    for sentence in broken:
        print(f"broken: {sentence}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
