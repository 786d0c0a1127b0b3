"""Which peers a node probes: properties over sizes, counts and zones."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from itertools import product

import pytest

from smoker_prober.peers.pick import NEIGHBOURS, pick, picks
from tests.bench.mesh import changed, strongly_connected, turned

SIZES = [*range(2, 41), 100, 300]
COUNTS = [1, 2, 3, 10, 0]
LAYOUTS = ["one", "equal", "unequal", "lonely", "none"]


def zones_of(layout: str, size: int) -> dict[str, str]:
    """Return `size` nodes and their zones."""
    if layout == "lonely":  # two zones of one node each
        return {f"node-{each}": "bc"[each : each + 1] or "a" for each in range(size)}
    zones = {"one": ["a"], "equal": [*"abc"], "unequal": [*"aaaaabaaaaaabaaaaaabaaaaaac"], "none": [""]}[layout]
    return {f"node-{each}": zones[each % len(zones)] for each in range(size)}


cases = pytest.mark.parametrize(("layout", "count"), list(product(LAYOUTS, COUNTS)))


@cases
def test_as_many_in_as_out(layout: str, count: int) -> None:
    """A node probes exactly `count` others, or all if there are fewer, and as many probe it; never itself."""
    for size in SIZES:
        graph = picks(zones_of(layout, size), count)
        many = min(count or size, size - 1)
        assert {len(peers) for peers in graph.values()} == {many}
        assert {len(probers) for probers in turned(graph).values()} == {many}
        assert all(own not in peers and peers <= graph.keys() for own, peers in graph.items())


@cases
def test_connected(layout: str, count: int) -> None:
    """Every node reaches every other along the edges, also with one peer each."""
    assert all(strongly_connected(picks(zones_of(layout, size), count)) for size in SIZES)


@pytest.mark.parametrize("layout", ["equal", "none"])
def test_connected_without_some(layout: str) -> None:
    """Any set of fewer than `count` dead nodes leaves the rest connected."""
    graph = picks(zones_of(layout, 100), 10)
    for trial in range(50):
        dead = set(random.Random(trial).sample(sorted(graph), 9))
        rest = {own: peers - dead for own, peers in graph.items() if own not in dead}
        assert strongly_connected(rest)


@cases
def test_alone(layout: str, count: int) -> None:
    """A single node computes the same as the whole, in whatever order it learned of the others."""
    for size in (2, 3, 12, 40, 300):
        zones = zones_of(layout, size)
        shuffled = dict(random.Random(size).sample(list(zones.items()), size))
        graph = picks(zones, count)
        assert all(pick(own, shuffled, count) == graph[own] for own in list(zones)[:40])


def test_promised() -> None:
    """The choice is the same in every release: during an upgrade both releases must compute the same ring."""
    assert sorted(pick("node-0", zones_of("equal", 30), 4)) == ["node-10", "node-20", "node-22", "node-3"]


def moved(layout: str, size: int, count: int) -> Iterable[int]:
    """Return the edges between others that change for each of the nodes if it joins, as many as if it leaves."""
    zones = zones_of(layout, size)
    graph = picks(zones, count)
    for own in zones:
        yield changed(graph, picks({name: zone for name, zone in zones.items() if name != own}, count))


@pytest.mark.parametrize("count", [1, 2, 3, 10])
@pytest.mark.parametrize("layout", ["one", "none"])
def test_few_moves(layout: str, count: int) -> None:
    """In one zone a node that joins or leaves changes `count` edges of others, which is the minimum."""
    assert set(moved(layout, 100, count)) == {count}


@pytest.mark.parametrize("count", [1, 2, 3, 10])
@pytest.mark.parametrize("layout", ["equal", "unequal", "lonely"])
def test_few_moves_with_zones(layout: str, count: int) -> None:
    """With zones its neighbours move, too, which changes at most six times `count`.

    Exchanges add eight for each pair of zones.
    """
    edges = sorted(moved(layout, 100, count))
    assert edges[-1] <= count * (1 + 6 * 2 * NEIGHBOURS) + 8 * 9
    assert edges[50] <= 2 * count + 12


@pytest.mark.parametrize("count", [3, 4, 10])
@pytest.mark.parametrize("layout", ["equal", "unequal", "lonely"])
def test_pairs_of_zones(layout: str, count: int) -> None:
    """Every zone is probed from every zone, including itself, if `count` is at least the number of zones.

    Not always with three peers or less in fewer than ten nodes: there is too little to exchange.
    """
    for size in [size for size in SIZES if size >= 10 or count > 3]:
        zones = zones_of(layout, size)
        pairs = {(zones[own], zones[peer]) for own, peers in picks(zones, count).items() for peer in peers}
        many = Counter(zones.values())
        assert pairs == {(a, b) for a, b in product(many, repeat=2) if a != b or many[a] > 1}, size


def test_every_zone() -> None:
    """With equal zones and enough peers nearly every node probes every zone; many nodes probe a small zone."""
    for size in (30, 100, 300, 1000):
        zones = zones_of("equal", size)
        whole = sum({zones[peer] for peer in peers} == set("abc") for peers in picks(zones, 10).values())
        assert whole >= 0.99 * size
    zones = zones_of("unequal", 300)
    small = sum(any(zones[peer] == "c" for peer in peers) for peers in picks(zones, 10).values())
    assert small >= 0.8 * 10 * list(zones.values()).count("c")


def test_many_zones() -> None:
    """With more zones than peers nothing is exchanged, and the other properties hold."""
    zones = {f"node-{each}": f"zone-{each % 20}" for each in range(100)}
    graph = picks(zones, 10)
    assert {len(probers) for probers in turned(graph).values()} == {10}
    assert strongly_connected(graph)
