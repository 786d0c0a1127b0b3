"""Measure CPU and memory of a prober with 10, 100 and 1,000 hosts, and what a scrape of it does to other requests.

python -m tests.bench.scale [--hosts 10,1000]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.metrics_page import values

from . import table
from .build import HERE, BenchError
from .server import Server, free_port, launched, ready_by_http

INTERVAL = 30  # seconds, as by default
WARM = 31  # seconds until every first round has ended and the second is under way
CPU_GOAL, OWN_GOAL, BLOCK_GOAL = 4.5, 40.0, 50.0  # % of a core, MiB, ms: with 1,000 hosts, TCP and UDP
HEADER = (
    *("hosts", "what", "results/s", "CPU %", "of bare", "own MiB", "series", "late > 10 ms", "scrape ms"),
    "others wait ms",
)


@dataclass(frozen=True)
class Load:
    """The probes, and the number of hosts."""

    hosts: int
    probes: str
    packets: int

    def __str__(self) -> str:
        return self.probes.replace(",", "+") + (f", trains of {self.packets}" if self.packets else "")


@dataclass(frozen=True)
class Cost:
    """The measured cost."""

    cpu: float  # share of a core
    own: float  # MiB of memory that it shares with no other process
    results: float = 0.0  # a second
    late: float = 0.0  # share of the rounds that began more than 10 ms late
    series: int = 0
    scrape: float = 0.0  # seconds
    wait: float = 0.0  # the longest that another request to the prober took meanwhile, in seconds


@contextlib.contextmanager
def echoes(logs: Path, core: int) -> Iterator[tuple[dict[str, str], list[Server]]]:
    """Run the three echoes on every loopback address; yield the variables with their ports."""
    ports = {f"{name}_PORT": str(free_port()) for name in ("TCP", "UDP", "HTTP", "STAMP")}
    servers: list[Server] = []
    with contextlib.ExitStack() as started:
        for name in ("tcp", "udp", "http"):
            admin = free_port()
            extra = {**ports, "ADMIN_PORT": str(admin), "LISTEN_ADDRESS": "0.0.0.0", "LOG_LEVEL": "ERROR"}
            command = [str(Path(sys.executable).with_name(f"smoker-{name}-echo"))]
            echo = launched(f"{name}-echo", command, extra, core, logs, admin, ready_by_http(admin))
            servers.append(started.enter_context(echo))
            servers[-1].wait_ready()
        yield ports, servers


def cpu(server: Server) -> float:
    """Return the CPU seconds so far, from schedstat. The ticks of stat are too coarse for a few per cent."""
    return int(Path(f"/proc/{server.process.pid}/schedstat").read_text().split()[0]) / 1e9


def cost_over(server: Server, seconds: float) -> float:
    """Return the share of a core that it takes for so many seconds from now."""
    begun, used = time.monotonic(), cpu(server)
    time.sleep(seconds)
    return (cpu(server) - used) / (time.monotonic() - begun)


def measure(load: Load, ports: dict[str, str], logs: Path, core: int) -> Cost:
    """Measure a prober with this load in its second and third round."""
    admin = free_port()
    extra = {**ports, "ADMIN_PORT": str(admin), "TEST_INTERVAL": str(INTERVAL), "NODE_NAME": "bench"}
    extra |= {"UDP_PACKETS": str(load.packets), "LISTEN_ADDRESS": "127.0.0.1"}
    command = [sys.executable, "-m", "tests.bench.scale_worker", str(load.hosts), load.probes]
    with launched("prober", command, extra, core, logs, admin, ready_by_http(admin)) as prober:
        prober.wait_ready()
        time.sleep(WARM)
        before = prober.log.read_text()
        share = cost_over(prober, INTERVAL)
        lines = prober.log.read_text()[len(before) :]
        own = prober.memory().own / 1024
        metrics, scrape, wait = scraped(admin)
        failed, answered = lines.count(" FAILED "), lines.count(" SUCCESS ")
        if failed or not answered:
            raise BenchError(f"{load.hosts} hosts, {load}: {failed} probes failed: {prober.last_line()}")
        return Cost(
            share,
            own,
            answered / INTERVAL,
            late_share(metrics),
            sum(not line.startswith("#") for line in metrics.splitlines()),
            scrape,
            wait,
        )


def bare(hosts: int, ports: dict[str, str], logs: Path, core: int) -> Cost:
    """Measure the prober that one would write first, with the same hosts over TCP and UDP."""
    script = [
        sys.executable,
        str(HERE / "baseline" / "bare_prober.py"),
        str(hosts),
        ports["TCP_PORT"],
        ports["UDP_PORT"],
    ]
    with launched("bare", script, {}, core, logs, 0, lambda: True) as prober:
        time.sleep(INTERVAL + 1)
        return Cost(cost_over(prober, INTERVAL), prober.memory().own / 1024)


def get(port: int, path: str) -> str:
    """Return an answer of the admin port."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return str(answer.read().decode())


def scraped(port: int) -> tuple[str, float, float]:
    """Return the metrics, the time of the scrape, and the longest /livez meanwhile. The best of three."""
    best: tuple[str, float, float] | None = None
    for _ in range(3):
        waits: list[float] = []
        done = threading.Event()

        def ask(waits: list[float] = waits, done: threading.Event = done) -> None:
            while not done.is_set():
                begun = time.monotonic()
                get(port, "/livez")
                waits.append(time.monotonic() - begun)

        asking = threading.Thread(target=ask)
        asking.start()
        begun = time.monotonic()
        text = get(port, "/metrics")
        took = time.monotonic() - begun
        done.set()
        asking.join()
        if best is None or max(waits) < best[2]:
            best = text, took, max(waits)
    assert best is not None
    return best


def late_share(metrics: str) -> float:
    """Return the share of rounds that began more than 10 ms late."""
    found = values(metrics)
    rounds = found["smoker_prober_lateness_seconds_count"]
    return 1 - found['smoker_prober_lateness_seconds_bucket{le="0.01"}'] / rounds


def row(load: Load, cost: Cost, base: Cost | None) -> list[str]:
    """Return a line of the table."""
    of_bare = f"{cost.cpu / base.cpu:.1f}x" if base else ""
    figures = [f"{cost.results:.1f}", f"{100 * cost.cpu:.2f}", of_bare, f"{cost.own:.1f}", f"{cost.series}"]
    told = [f"{100 * cost.late:.1f}%", f"{1000 * cost.scrape:.0f}", f"{1000 * cost.wait:.1f}"]
    return [f"{load.hosts:,}", str(load), *figures, *told]


def goals(load: Load, cost: Cost) -> str:
    """Return which goals are met."""
    share, own = table.at_most(100 * cost.cpu, CPU_GOAL, " %"), table.at_most(cost.own, OWN_GOAL, " MiB")
    return f"{load}: CPU {share}; own memory {own}; others wait {table.at_most(1000 * cost.wait, BLOCK_GOAL, ' ms')}"


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hosts", default="10,100,1000", help="how many, separated by commas (10,100,1000)")
    numbers = [int(text) for text in parser.parse_args().hosts.split(",")]
    allowed = sorted(os.sched_getaffinity(0))
    most, rows, verdict = max(numbers), [], []
    loads = [Load(most, "tcp,udp", 0), Load(most, "tcp,udp", 10), *(Load(n, "tcp,udp,http", 10) for n in numbers)]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, echoes(Path(folder), allowed[0]) as (ports, _):
        logs, core = Path(folder), allowed[-1]
        base = bare(most, ports, logs, core)
        bare_figures = ["", f"{100 * base.cpu:.2f}", "1.0x", f"{base.own:.1f}"]
        rows.append([f"{most:,}", "bare gevent: tcp+udp", *bare_figures, *[""] * 4])
        for load in loads:
            cost = measure(load, ports, logs, core)
            rows.append(row(load, cost, base if load.hosts == most else None))
            if load.probes == "tcp,udp" and most == 1000:
                verdict.append(goals(load, cost))
    print(f"machine load {os.getloadavg()[0]:.1f}; the prober on core {core}, the echoes on core {allowed[0]}")
    print(table.render(f"A prober with many hosts, a round every {INTERVAL} s", HEADER, rows))
    print("\n".join(["", *verdict]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as why:
        sys.exit(f"broken: {why}")
