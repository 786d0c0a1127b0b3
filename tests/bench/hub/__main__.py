"""Measure a look at 10, 100, 1,000 and 5,000 simulated probers, and how soon the hub's page answers meanwhile.

    python -m tests.bench.hub [--probers 10,1000] [--looks 10] [--write]

The probers are served over HTTP on loopback by processes of their own. Each state changes from look to look, as in a
cluster: a sixth of its paths has a new result after five seconds. On a busy machine looks take longer, and still find
as many new results. The CPU of a look has what follows it until the next one, such as the writing of the history.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence

from tests.bench import table
from tests.bench.hub.page import HUB, Measured, publish
from tests.bench.hub.world import LOOK
from tests.origin import origin

SERVERS = 2  # processes that serve the probers
WARM = 2  # looks that are not counted: the first reads every state whole
TOOK_GOAL, RSS_GOAL = 5.0, 300.0  # seconds of a look, MiB: with 5,000 probers
PAGE_GOAL, MATRIX_GOAL = 1.0, 200.0  # seconds of any first answer to the page, kB of the matrix: with 5,000 probers
HEADER = ("probers", "paths", "first look s", "look s", "longest s", "CPU s a look", "CPU %", "RSS MiB", "PSS MiB")
ANSWERS = ("RSS after answers MiB", "page s", "slowest answer s", "matrix kB", "history MB")
LIMIT = 600  # seconds for one row
PROBERS = "10,100,1000,5000"


@contextlib.contextmanager
def served(many: int) -> Iterator[list[int]]:
    """Serve simulated probers, and yield the ports."""
    with contextlib.ExitStack() as stack:
        ports = []
        for share in range(SERVERS):
            command = [sys.executable, "-m", "tests.bench.hub.probers", str(many), str(share), str(SERVERS)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.callback(process.wait, 30)
            stack.callback(process.stdin.close)  # type: ignore[union-attr]
            ports.append(process)
        yield [int(process.stdout.readline()) for process in ports]  # type: ignore[union-attr]


def row(many: int, looks: int) -> tuple[list[str], Measured, bool]:
    """Return the row, what the documents have of it, and whether it is well and meets the goals.

    It is well if each look reached every prober and found nothing, and the history is whole.
    """
    with served(many) as ports:
        command = [sys.executable, "-m", "tests.bench.hub.worker", str(many), str(looks + WARM)]
        done = subprocess.run(
            [*command, ",".join(map(str, ports))], check=True, stdout=subprocess.PIPE, text=True, timeout=LIMIT
        )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    last = found.pop()
    page, slowest, matrix = last["answers"]
    counted = found[WARM:]
    took, used = [each["took"] for each in counted], [each["cpu"] for each in counted]
    rss = max(each["rss"] for each in [*found, last])
    cells = [
        f"{many:,}",
        f"{counted[-1]['paths']:,}",
        f"{found[0]['took']:.2f}",
        f"{statistics.median(took):.2f}",
        f"{max(took):.2f}",
        f"{statistics.median(used):.3f}",
        f"{100 * statistics.median(used) / LOOK:.1f}",
        table.mib(rss),
        table.mib(max(each["pss"] for each in [*found, last])),
        table.mib(last["rss"]),
        f"{page:.3f}",
        f"{slowest:.3f}",
        f"{matrix / 1000:.1f}",
        f"{last['history'] / 1e6:.1f}",
    ]
    well = not last["lost"] and all(each["heard"] == many and not each["open"] for each in counted)
    goals = max(took) <= TOOK_GOAL and rss <= RSS_GOAL * 1024
    goals = goals and slowest <= PAGE_GOAL and matrix <= MATRIX_GOAL * 1000
    measured = Measured(many, counted[-1]["paths"], statistics.median(used), max(took), rss, slowest, matrix)
    return cells, measured, well and goals


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if every look reached all probers, found nothing and met the goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probers", default=PROBERS)
    parser.add_argument("--looks", type=int, default=8)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/hub.md and docs/costs.md")
    chosen = parser.parse_args(arguments)
    if chosen.write and chosen.probers != PROBERS:
        parser.error("--write needs all rows: those of --probers would replace the whole table")
    made = origin("tests.bench.hub", sys.argv[1:] if arguments is None else arguments, HUB)
    rows, figures, well = [], [], True
    for many in map(int, chosen.probers.split(",")):
        print(f"{many} probers", file=sys.stderr, flush=True)
        cells, measured, met = row(many, chosen.looks)
        rows.append(cells)
        figures.append(measured)
        well = well and met
    print(table.render("Looks of the hub, one every 5 s", HEADER + ANSWERS, rows))
    goals = (
        f"a look {TOOK_GOAL:g} s, RSS {RSS_GOAL:g} MiB, a first answer {PAGE_GOAL:g} s, the matrix {MATRIX_GOAL:g} kB"
    )
    print(f"\nGoals, at most: {goals}: {'met' if well else 'MISSED'}")
    if chosen.write:
        publish(figures, made)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
