"""Compare the echo servers with a server in Go (or C) and with a bare gevent loop; see README.md.

    python -m tests.bench.bench_echo --help

Exit code 0, goals met or missed; 1 if something could not be measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import idle, memory, start, throughput
from .build import BenchError, build_baseline, build_load
from .server import BARE, BASELINE, SMOKER, Bench

PARTS = ("start", "rss", "throughput", "idle")
SERVERS = {"smoker": SMOKER, "baseline": BASELINE, "bare": BARE}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Measure the echo servers; loopback only.")
    parser.add_argument("--only", choices=PARTS, action="append", help="run this part (may be given several times)")
    parser.add_argument("--servers", default="smoker,baseline,bare", help="which of smoker,baseline,bare")
    parser.add_argument("--match", default="", help="of throughput, the loads with this text in their name")
    parser.add_argument("--rounds", type=int, default=3, help="of throughput (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="a round of throughput (%(default)s)")
    parser.add_argument("--load-seconds", type=float, default=4.0, help="each of the loads of rss (%(default)s)")
    parser.add_argument("--loads", type=int, default=2, help="how many loads of rss, to see a slope (%(default)s)")
    parser.add_argument("--connections", type=int, default=10_000, help="of idle (%(default)s)")
    parser.add_argument(
        "--bin", type=Path, default=Path(sys.executable).parent, help="where the services' commands are"
    )
    parsed = parser.parse_args()
    unknown = [name for name in parsed.servers.split(",") if name not in SERVERS]
    if (
        unknown
        or parsed.rounds < 1
        or parsed.loads < 2
        or not 0.1 <= parsed.seconds <= 60
        or not 1 <= parsed.load_seconds <= 60
    ):
        parser.error("--servers are smoker, baseline, bare; --rounds at least 1, --loads 2; seconds at most 60")
    return parsed


def cores() -> tuple[int, int]:
    """Return the core of the server and the core of the load."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def progress(text: str) -> None:
    """Print a line that the next one overwrites, only on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def run(options: argparse.Namespace, bench: Bench) -> list[str]:
    """Run the requested parts and print the table of each. Return a message for each measurement that failed."""
    servers = [SERVERS[name] for name in options.servers.split(",")]
    parts: dict[str, Callable[[], tuple[str, list[str]]]] = {
        "start": lambda: start.measure(bench, servers, progress),
        "throughput": lambda: throughput.measure(
            bench, servers, options.rounds, options.seconds, progress, options.match
        ),
        "rss": lambda: memory.measure(bench, servers, options.loads, options.load_seconds, progress),
        "idle": lambda: idle.measure(bench, servers, options.connections, progress),
    }
    broken: list[str] = []
    for name, measure in parts.items():
        if options.only and name not in options.only:
            continue
        text, sentences = measure()
        progress("")
        print(text, flush=True)
        broken += sentences
    return broken


def main() -> int:
    """Run the bench."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped at the end
    server_core, load_core = cores()
    with tempfile.TemporaryDirectory(prefix="bench-") as logs:
        try:
            bench = Bench(options.bin, build_load(), build_baseline(), Path(logs), server_core)
            os.sched_setaffinity(0, {load_core})  # this process and the load it starts
            print(
                f"Python {platform.python_version()}, Linux {platform.release()}, baseline {bench.baseline.language}; "
                f"servers on core {server_core}, load on core {load_core}; machine load {os.getloadavg()[0]:.1f}"
            )
            if server_core == load_core:
                print("There is one core only: the load and the servers share it, and the ratios are too close to 1.")
            broken = run(options, bench)
        except BenchError as why:
            broken = [str(why)]
    for sentence in broken:
        print(f"broken: {sentence}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
