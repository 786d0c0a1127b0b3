"""The tables of `make bench-hub` in docs/hub.md and docs/costs.md, each between two marks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.hub.world import LOOK
from tests.marked import put_inside

DOCS = Path(__file__).parents[3] / "docs"
HUB, COSTS = DOCS / "hub.md", DOCS / "costs.md"
BEGIN, END = "<!-- table of bench-hub: begin -->", "<!-- table of bench-hub: end -->"
PROBER_MIB, PROBER_SERIES = 30, 490  # of one prober, as docs/costs.md has them above its table
OF_HUB = "| probers | paths | CPU a look | thousandths of a core | memory (RSS) |\n|---|---|---|---|---|"
OF_COSTS = "| nodes | hub: CPU | hub: memory | probers: memory together | series |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Measured:
    """What the hub took with one number of probers. Seconds, KiB of memory, bytes."""

    probers: int
    paths: int
    cpu: float  # CPU of a look, the median
    longest: float  # from the begin of a look to its end
    rss: int
    slowest: float  # the first answer to the page that took longest
    matrix: int

    @property
    def millicores(self) -> float:
        """Return thousandths of a core, with a look every `LOOK` seconds."""
        return 1000 * self.cpu / LOOK


def of_hub(rows: Sequence[Measured], made: str) -> str:
    """Return the text for docs/hub.md; `made` says where it comes from."""
    lines = [
        f"| {each.probers:,} | {each.paths:,} | {each.cpu:.2g} s | {each.millicores:.0f} | {each.rss / 1024:.0f} MiB |"
        for each in rows
    ]
    most = max(rows, key=lambda each: each.probers)
    said = (
        f"On a machine of {os.cpu_count()} cores at a load of {os.getloadavg()[1]:.0f}: "
        f"the longest look at {most.probers:,} probers took {most.longest:.1f} s, "
        f"the slowest answer to the page {most.slowest:.1f} s, and the matrix had {most.matrix / 1000:.0f} kB."
    )
    return "\n".join([OF_HUB, *lines, "", said, "", made])


def of_costs(rows: Sequence[Measured]) -> str:
    """Return the table for docs/costs.md. What probers take is counted, not measured here."""
    lines = [
        f"| {each.probers:,} | {each.millicores:.0f} | {each.rss / 1024:.0f} MiB "
        f"| {_memory(PROBER_MIB * each.probers)} | {PROBER_SERIES * each.probers:,} |"
        for each in rows
    ]
    return "\n".join([OF_COSTS, *lines])


def publish(rows: Sequence[Measured], made: str, hub: Path = HUB, costs: Path = COSTS) -> None:
    """Put the rows into both pages, in place of those of the run before."""
    put_inside(hub, BEGIN, END, of_hub(rows, made))
    put_inside(costs, BEGIN, END, of_costs(rows))


def _memory(mib: float) -> str:
    return f"{mib:.0f} MiB" if mib < 1000 else f"{mib / 1024:.0f} GiB"
