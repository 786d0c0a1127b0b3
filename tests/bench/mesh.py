"""Simulate the mesh of peers: edges, churn and the time to see a fault, with the real picker and a virtual clock.

python -m tests.bench.mesh [--nodes 10,100,1000,5000]
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product

from smoker_prober.peers.pick import pick, picks
from smoker_prober.schedule import next_tick, phase, place

from . import table

Graph = Mapping[str, frozenset[str]]  # whom each node probes
Picker = Callable[[Mapping[str, str], int], Graph]

COUNT, ZONES = 10, ("a", "b", "c")
ROUNDS = 1 + COUNT  # of a prober: the Service, and each peer in one family
INTERVAL, TIMEOUT = 30.0, 5.0  # seconds, as by default
CHURN_GOAL = 3 * COUNT  # edges among the others, in the middle of the trials; COUNT is the least there can be
MOVES, FAULTS, ZONE_FAULTS = 50, 1000, 50  # trials: joins, and leaves; nodes, and links; of each pair of zones
LAYOUTS = {"equal": "abc", "45, 45, 10 %": 9 * "ab" + 2 * "c", "80, 17, 3 %": 80 * "a" + 17 * "b" + 3 * "c"}
UNEQUAL = 1000  # nodes with which the layouts other than the first are looked at, too
MESH = (
    *("nodes", "zones", "connected", "out", "in", "all zones", "at best"),
    *("pairs", "join", "leave", "pick ms", "of hashing"),
)
SEEN = ("nodes", "fault", "trials", "first: median s", "max s", "third prober: median s", "max s")


@dataclass
class DetectionTimes:
    """Seconds from each fault to the first failed result and to that of the third prober; inf for never."""

    first: list[float] = field(default_factory=list)
    third: list[float] = field(default_factory=list)

    def add(self, paths: Iterable[tuple[str, str]], at: float) -> None:
        """Count a fault at `at` seconds that breaks `paths`, each from prober to peer."""
        seen: dict[str, float] = {}
        for prober, peer in paths:
            seen[prober] = min(seen.get(prober, math.inf), fires(prober, peer, at) + TIMEOUT - at)
        waits = [*sorted(seen.values()), *[math.inf] * 3]
        self.first.append(waits[0])
        self.third.append(waits[2])


@dataclass(frozen=True)
class Standing:
    """The measured properties of a mesh."""

    out: tuple[int, int]  # least and most edges of a node
    into: tuple[int, int]
    connected: bool
    everywhere: float  # share of the nodes that probe every zone
    best: float  # what that share could be if no node were probed by more
    direct: float  # share of the ordered pairs that are probed at all
    join: list[int]  # edges among the others that came or went, for each trial
    leave: list[int]
    waits: dict[str, DetectionTimes]  # by fault


def cluster(number: int, layout: str = "abc") -> dict[str, str]:
    """Return `number` nodes and their zones, which repeat the order of `layout`."""
    return {f"node-{each}": layout[each % len(layout)] for each in range(number)}


def fires(prober: str, peer: str, now: float) -> float:
    """Return when `prober`'s first round to `peer` after `now` begins, as the schedule of many targets computes it."""
    return next_tick(now, INTERVAL, place(prober, peer, ROUNDS, INTERVAL))


def turned(graph: Graph) -> dict[str, set[str]]:
    """Return the nodes that probe each node."""
    into: dict[str, set[str]] = {name: set() for name in graph}
    for prober, peers in graph.items():
        for peer in peers:
            into[peer].add(prober)
    return into


def reached(graph: Mapping[str, Iterable[str]]) -> int:
    """Return how many nodes can be reached from the first."""
    begin = next(iter(graph))
    seen, left = {begin}, [begin]
    while left:
        new = set(graph[left.pop()]) - seen
        seen |= new
        left.extend(new)
    return len(seen)


def strongly_connected(graph: Graph) -> bool:
    """Return whether every node can be reached from every other."""
    return reached(graph) == len(graph) == reached(turned(graph))


def changed(before: Graph, after: Graph) -> int:
    """Return how many edges were added or removed among the nodes that are in both."""
    both = before.keys() & after.keys()
    return sum(len((before[name] ^ after[name]) & both) for name in both)


def span(edges: Mapping[str, Iterable[str]]) -> tuple[int, int]:
    """Return the least and the largest number of edges of a node."""
    numbers = [len(set(peers)) for peers in edges.values()]
    return min(numbers), max(numbers)


def moves(picker: Picker, zones: Mapping[str, str], graph: Graph, chance: random.Random) -> tuple[list[int], list[int]]:
    """Return what joins and leaves change."""
    joins = [{**zones, f"new-{trial}": chance.choice(list(zones.values()))} for trial in range(MOVES)]
    gone = chance.sample(sorted(zones), min(MOVES, len(zones)))
    leaves = [{name: zone for name, zone in zones.items() if name != each} for each in gone]
    return [changed(graph, picker(new, COUNT)) for new in joins], [changed(graph, picker(new, COUNT)) for new in leaves]


def faults(zones: Mapping[str, str], graph: Graph, chance: random.Random) -> dict[str, DetectionTimes]:
    """Return how soon each kind of fault is seen. A dead link is one that is probed."""
    into, names = turned(graph), sorted(zones)
    node, link, pair = DetectionTimes(), DetectionTimes(), DetectionTimes()
    for _ in range(FAULTS):
        at, dead, prober = chance.uniform(0, 1e6), chance.choice(names), chance.choice(names)
        node.add(((each, dead) for each in into[dead]), at)
        link.add([(prober, chance.choice(sorted(graph[prober])))], at)
    for source, target in permutations(ZONES, 2):
        near = [name for name in names if zones[name] == source]
        paths = [(name, peer) for name in near for peer in graph[name] if zones[peer] == target]
        for _ in range(ZONE_FAULTS):
            pair.add(paths, chance.uniform(0, 1e6))
    return {"dead node": node, "dead link": link, "dead pair of zones": pair}


def standing(picker: Picker, zones: Mapping[str, str]) -> Standing:
    """Make the mesh and measure it."""
    graph, chance = picker(zones, COUNT), random.Random(len(zones))
    pairs = len(zones) * (len(zones) - 1)
    everywhere = sum({zones[peer] for peer in peers} == set(ZONES) for peers in graph.values())
    smallest = min(Counter(zones.values()).values())
    return Standing(
        span(graph),
        span(turned(graph)),
        strongly_connected(graph),
        everywhere / len(zones),
        min(COUNT * smallest / len(zones), 1.0),
        sum(map(len, graph.values())) / pairs,
        *moves(picker, zones, graph, chance),
        faults(zones, graph, chance),
    )


def verdicts(found: Standing, nodes: int) -> dict[str, bool]:
    """Return each goal of the mesh, and whether it is met."""
    count, seen = min(COUNT, nodes - 1), found.waits
    churn = max(statistics.median(found.join), statistics.median(found.leave))
    return {
        f"{count} out, {count} in": found.out == found.into == (count, count),
        "strongly connected": found.connected,
        f"a move changes ≤ {CHURN_GOAL} others' edges": churn <= CHURN_GOAL,
        "three see a dead node in a round": max(seen["dead node"].third) <= INTERVAL + TIMEOUT,
        "three see a dead pair of zones in a round": max(seen["dead pair of zones"].third) <= INTERVAL + TIMEOUT,
    }


def cost(zones: Mapping[str, str]) -> tuple[float, float]:
    """Return the seconds of one choice, and of hashing and sorting the names alone: the best of five each."""

    def best(work: Callable[[], object]) -> float:
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            work()
            took.append(time.perf_counter() - begun)
        return min(took)

    own = next(iter(zones))
    return best(lambda: pick(own, zones, COUNT)), best(lambda: sorted(phase(name, 1.0) for name in zones))


def mesh_row(nodes: int, layout: str, found: Standing, took: tuple[float, float]) -> list[str]:
    """Return a line of the first table."""
    edges = [f"{low}-{high}" for low, high in (found.out, found.into)]
    shares = [f"{100 * each:.1f}%" for each in (found.everywhere, found.best, found.direct)]
    churn = [f"{statistics.median(each):g} (max {max(each)})" for each in (found.join, found.leave)]
    asked = [f"{1000 * took[0]:.2f}", f"{took[0] / took[1]:.1f}x"]
    return [f"{nodes:,}", layout, "yes" if found.connected else "no", *edges, *shares, *churn, *asked]


def seen_rows(nodes: int, found: Standing) -> list[list[str]]:
    """Return lines of the second table."""

    def told(waits: Sequence[float]) -> list[str]:
        return [f"{each:.1f}" if each < math.inf else "never" for each in (statistics.median(waits), max(waits))]

    return [
        [f"{nodes:,}", name, f"{len(waits.first)}", *told(waits.first), *told(waits.third)]
        for name, waits in found.waits.items()
    ]


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", default="10,100,1000,5000", help="how many, separated by commas (10,100,1000,5000)")
    meshes, seen, said, missed = [], [], [], False
    numbers = [int(text) for text in parser.parse_args().nodes.split(",")]
    equal, *others = LAYOUTS
    for nodes, layout in [*product(numbers, [equal]), *product({UNEQUAL} & {*numbers}, others)]:
        zones = cluster(nodes, LAYOUTS[layout])
        found = standing(picks, zones)
        graph = picks(zones, COUNT)
        same = all(graph[own] == pick(own, zones, COUNT) for own in sorted(zones)[:100])
        goals = {**verdicts(found, nodes), "a node alone finds its part": same}
        meshes.append(mesh_row(nodes, layout, found, cost(zones)))
        seen.extend(seen_rows(nodes, found) if layout == equal else [])
        told = "; ".join(f"{goal} {'met' if met else 'missed'}" for goal, met in goals.items())
        said.append(f"{nodes:,} nodes, zones {layout}: {told}")
        missed |= not all(goals.values())
    print(table.render(f"{COUNT} peers a node, {len(ZONES)} zones; every node is looked at", MESH, meshes))
    print("\nall zones: nodes that probe each zone; at best: how many could, by the size of the smallest zone")
    print(f"pairs: ordered pairs that are probed; join, leave: others' edges that came or went, {MOVES} trials each")
    title = f"From a fault to a failed result: a round every {INTERVAL:g} s, timeout {TIMEOUT:g} s, zones {equal}"
    print(table.render(title, SEEN, seen))
    print("\nA dead link is one that is probed, by one prober: the others are not seen at all.\n")
    print("\n".join(said))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
