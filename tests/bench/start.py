"""Measure the time from the fork to the first 200 on /readyz (to the first answer, for servers without /readyz)."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from . import table
from .build import BenchError
from .server import SMOKER, Bench, running

GOAL_MS = 500
TIMES = 5


def measure(bench: Bench, servers: Sequence[str], say: Callable[[str], None]) -> tuple[str, list[str]]:
    """Return the table, and a message for each service that did not start."""
    rows = []
    broken = []
    for service in ("tcp", "udp", "http", "prober"):
        for server in servers:
            if service == "prober" and server != SMOKER:
                continue
            say(f"start: {bench.label(server)} {service}")
            try:
                times = [_once(bench, server, service) for _ in range(TIMES)]
            except BenchError as why:
                broken.append(str(why))
                continue
            median = statistics.median(times)
            spread = f"{min(times):.0f}-{max(times):.0f}"
            goal = table.at_most(median, GOAL_MS, " ms") if server == SMOKER else ""
            rows.append([service, bench.label(server), f"{median:.0f}", spread, goal])
    title = f"Start to ready, ms, median of {TIMES}"
    return table.render(title, ("service", "server", "median", "range", "goal"), rows), broken


def _once(bench: Bench, server: str, service: str) -> float:
    # The prober is ready whether or not its targets answer; port 1 refuses at once.
    targets = {"SERVER_HOST": "127.0.0.1", "TCP_PORT": 1, "UDP_PORT": 1, "HTTP_PORT": 1, "NODE_NAME": "bench"}
    environment = targets if service == "prober" else {}
    with running(bench, server, service, **environment) as started:
        return 1000 * started.wait_ready()
