"""How many confirmations the probers send when everything fails at one moment, by the real budget and schedule.

python -m tests.bench.storm [--nodes 10,100,1000,5000]

Each prober has ten peers in two families and three probes, and a virtual clock. The worst case after that is a mesh in
which every path works and fails in turn: each of its failures is a new one.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from smoker_prober.peers.pick import picks
from smoker_prober.probes.followups.confirm import AFTER, MOST, SPREAD, Budget
from smoker_prober.schedule import next_tick, place

from . import table
from .mesh import COUNT, INTERVAL, TIMEOUT, cluster

FAMILIES, PROBES = ("ipv4", "ipv6"), ("tcp", "udp", "http")
HOSTS = 1 + COUNT * len(FAMILIES)  # of a prober: the echo services, and each peer in each family; each has a round
ROUNDS = 4  # rounds after the fault
FAULT = 1000.0  # seconds on the virtual clock
TITLE = "Confirmations after everything fails at one moment, by round of 30 s"
HEADER = ("nodes", "fails", "probes", "of a prober", "of all", "of probes", "busiest second", "next rounds")


@dataclass
class Storm:
    """The confirmations of a cluster, by round after the fault, and by second."""

    probes: int = 0  # of all probers in one round
    most: int = 0  # confirmations of one prober in a round
    rounds: Counter[int] = field(default_factory=Counter)
    seconds: Counter[int] = field(default_factory=Counter)

    def add(self, failures: Iterable[float]) -> None:
        """Add a prober whose paths fail anew at these instants, in their order."""
        budget, own = Budget(INTERVAL), Counter[int]()
        for at in failures:
            if budget.has_room(at):
                budget.spend(at)
                own[int((at - FAULT) // INTERVAL)] += 1
                self.seconds[int(at + AFTER + SPREAD / 2 - FAULT)] += 1
        self.most = max(self.most, *own.values(), 0)
        self.rounds.update(own)


def failures(node: str, peers: Iterable[str], every: int) -> Iterator[float]:
    """Yield the instants at which a path of `node` fails for the first time in a row: in one of `every` rounds."""
    names = [f"{peer} {family}" for peer in peers for family in FAMILIES]
    for name in ["echoes", *names]:
        first = next_tick(FAULT, INTERVAL, place(node, name, HOSTS, INTERVAL))
        for number in range(0, ROUNDS, every):
            for step in range(1, len(PROBES) + 1):  # the probes of a round follow each other, each after its timeout
                yield first + number * INTERVAL + step * TIMEOUT


def storm(nodes: int, every: int) -> Storm:
    """Return the storm of a cluster of so many nodes."""
    found = Storm(nodes * HOSTS * len(PROBES))
    for node, peers in picks(cluster(nodes), COUNT).items():
        found.add(sorted(failures(node, peers, every)))
    return found


def row(nodes: int, name: str, every: int) -> list[str]:
    """Return a row of the table."""
    found = storm(nodes, every)
    worst = max(found.rounds.values())
    then = ", ".join(f"{found.rounds[number]:,}" for number in range(1, ROUNDS + 1))
    share = f"{100 * worst / found.probes:.0f} %"
    busiest = f"{max(found.seconds.values()):,}"
    return [f"{nodes:,}", name, f"{found.probes:,}", str(found.most), f"{worst:,}", share, busiest, then]


def main() -> int:
    """Return 0 where no prober sends more than its budget in a round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="10,100,1000,5000")
    sizes = list(map(int, parser.parse_args().nodes.split(",")))
    kinds = {"for good": ROUNDS, "every other round": 2}
    rows = [row(nodes, name, every) for nodes in sizes for name, every in kinds.items()]
    print(table.render(TITLE, HEADER, rows))
    well = all(int(each[3]) <= MOST for each in rows)
    print(f"\nA prober sends at most {MOST} in a round: {'met' if well else 'MISSED'}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
