"""Measure whether a prober and the echoes grow in the long run: memory and descriptors over many rounds.

python -m tests.bench.soak [--minutes 20] [--warm 16]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import table
from .build import HERE, BenchError
from .scale import echoes
from .server import Server, free_port, launched, ready_by_http

NORMAL, TIMES = 30.0, 50  # seconds between two rounds by default, and how often as many the soak does
EVERY = 2.0  # seconds between two looks
SLOPE_GOAL = 1.0  # MiB an hour
HEADER = ("process", "what", "PSS MiB begin", "end", "MiB/h", "descriptors begin", "end", "verdict")


@dataclass
class Track:
    """The measurements of one process."""

    name: str
    server: Server
    times: list[float] = field(default_factory=list)  # hours
    pss: list[float] = field(default_factory=list)  # MiB; RSS counts shared pages in full
    descriptors: list[int] = field(default_factory=list)

    def look(self, now: float) -> None:
        """Measure it now."""
        self.times.append(now / 3600)
        self.pss.append(self.server.memory().pss / 1024)
        self.descriptors.append(self.server.descriptors())

    @property
    def slope(self) -> float:
        """Return the growth in MiB per hour."""
        return slope(self.times, self.pss)

    @property
    def kept(self) -> int:
        """Return how many more descriptors are open at the end, by the least of a tenth of the looks at each end."""
        tenth = max(len(self.descriptors) // 10, 1)
        return min(self.descriptors[-tenth:]) - min(self.descriptors[:tenth])


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the growth of `values` per unit of `times`, by least squares. Raises StatisticsError for one value."""
    return statistics.linear_regression(times, values).slope


def row(track: Track, what: str, *, judged: bool) -> list[str]:
    """Return a line of the table."""
    ends = [f"{track.pss[0]:.1f}", f"{track.pss[-1]:.1f}", f"{track.slope:+.2f}"]
    verdict = f"{table.at_most(track.slope, SLOPE_GOAL, ' MiB/h')}; {track.kept:+d} descriptors" if judged else ""
    return [track.name, what, *ends, str(track.descriptors[0]), str(track.descriptors[-1]), verdict]


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="how long, after the warm-up (20)")
    parser.add_argument(
        "--warm", type=float, default=16.0, help="minutes before that: a session of STAMP lasts for 15 (16)"
    )
    chosen = parser.parse_args()
    interval, core = NORMAL / TIMES, min(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, contextlib.ExitStack() as started:
        logs = Path(folder)
        ports, servers = started.enter_context(echoes(logs, core))
        admin = free_port()
        extra = {**ports, "ADMIN_PORT": str(admin), "TEST_INTERVAL": str(interval), "NODE_NAME": "bench"}
        extra |= {"SERVER_HOST": "localhost", "LISTEN_ADDRESS": "127.0.0.1"}
        command = [str(Path(sys.executable).with_name("smoker-prober")), "run"]
        prober = started.enter_context(launched("prober", command, extra, core, logs, admin, ready_by_http(admin)))
        prober.wait_ready()
        script = [sys.executable, str(HERE / "baseline" / "bare_prober.py"), "1", ports["TCP_PORT"], ports["UDP_PORT"]]
        bare = started.enter_context(
            launched("bare", [*script, str(interval)], {}, core, logs, 0, lambda: True)  # the same rate
        )
        tracks = [Track("prober", prober), *(Track(each.name, each) for each in servers), Track("bare gevent", bare)]
        begun = time.monotonic()
        until = begun + 60 * (chosen.warm + chosen.minutes)
        while (now := time.monotonic()) < until:
            if now - begun >= 60 * chosen.warm:
                for track in tracks:
                    track.look(now - begun)
            time.sleep(EVERY)
        lines = prober.log.read_text().splitlines()
        failed, answered = sum(" FAILED " in each for each in lines), sum(" SUCCESS " in each for each in lines)
        expected = 3 * 60 * (chosen.warm + chosen.minutes) / interval
        if failed or answered < 0.9 * expected:
            raise BenchError(f"of {expected:.0f} probes {answered} succeeded and {failed} failed: {prober.last_line()}")
        rate = f"every {interval:g} s"
        rows = [row(track, rate, judged=track.server is not bare) for track in tracks]
    title = f"{chosen.minutes:g} minutes at {TIMES} times the normal rate, {chosen.warm:g} minutes of warm-up before"
    print(table.render(title, HEADER, rows))
    print(f"\n{answered} probes answered, {failed} failed")
    grown = [each.name for each in tracks[:-1] if each.slope > SLOPE_GOAL or each.kept > 0]
    print(f"grows: {', '.join(grown)}" if grown else "nothing grows")
    return bool(grown)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as why:
        sys.exit(f"broken: {why}")
