"""Situations without a fault: nothing may be named."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from smoker_diagnosis.state import PathState, State
from tests.bench.diagnosis.faults import Fault, a_node, kind
from tests.bench.diagnosis.world import World

from .probers import leaving, left


def _nothing(name: str, **what: Any) -> Fault:
    return Fault(name, [], wanted=False, equivalents=False, **what)


@kind("healthy: nothing", together=False)
def nothing(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    return _nothing("nothing")


@kind("healthy: new node", together=False)
def new_node(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """A node has probed only some of its peers, and only some of them have probed it."""
    node = a_node(world, chance, taken)
    if node is None:
        return None

    def change(world: World, paths: Any, chance: random.Random) -> None:
        for link in world.of_node[node]:
            _fresh(world, paths, chance, link, unknown=link.source != node)

    return _nothing(f"{node} is new", change=change)


@kind("healthy: rollout", together=False)
def rollout(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """Half of the probers are new pods; some do not serve their state yet."""
    fresh = frozenset(chance.sample(sorted(world.zones), max(world.size // 2, 1)))
    gone = frozenset(node for node in fresh if chance.random() < 0.1)

    def change(world: World, paths: Any, chance: random.Random) -> None:
        for link in world.links:
            if link.source in fresh or link.target in fresh:
                _fresh(world, paths, chance, link, unknown=False)

    return _nothing("rollout", change=change, gone=gone)


@kind("healthy: drained node is gone", together=False)
def drained(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    node = a_node(world, chance, taken)
    if node is None:
        return None
    lost = frozenset({node})
    marked = lost if chance.random() < 0.5 else frozenset[str]()
    return _nothing(
        f"{node} is drained", gone=lost, not_ready=marked, change=leaving(node), edit=left(node, failing=False)
    )


@kind("healthy: starved prober", together=False)
def starved(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """A prober reports a lack of CPU for many of its probes, and a timeout for a few."""
    node = a_node(world, chance, taken)
    if node is None:
        return None

    def edit(_world: World, state: State, chance: random.Random) -> State:
        if state.node != node or state.network != "pod":
            return state
        return msgspec.structs.replace(state, starved=True, paths=[_starve(path, chance) for path in state.paths])

    return _nothing(f"prober of {node} is starved", edit=edit)


def _starve(path: PathState, chance: random.Random) -> PathState:
    luck = chance.random()
    if luck < 0.5:
        return msgspec.structs.replace(path, last="local_error", attempts=chance.randint(0, 2))
    if luck < 0.7:
        failures = {"timeout": chance.randint(1, 2)}
        return msgspec.structs.replace(path, last="timeout", failures=failures, streak=1, since=path.at)
    return path


@kind("healthy: flapping paths", together=False)
def flapping(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """One to three paths fail now and then all day. A finding that names exactly such a path is not false."""
    return _nothing("flapping paths", flapping=min(chance.randint(1, 3), len(world.links)))


def _fresh(world: World, paths: Any, chance: random.Random, link: Any, *, unknown: bool) -> None:
    """Give a path one result or none. If the peer may be unknown, leave the path out at random."""
    place = world.place[link.source, link.ends[0]]
    luck = chance.random()
    for offset in range(3):
        path = world.states[place].paths[link.place + offset]
        few = msgspec.structs.replace(path, attempts=1, sent=min(path.sent, 10))
        if luck < 0.5:
            few = PathState(path.role, path.target, path.plane, path.family, path.probe, path.zone)
        paths.setdefault(place, {})[link.place + offset] = None if unknown and luck < 0.2 else few
