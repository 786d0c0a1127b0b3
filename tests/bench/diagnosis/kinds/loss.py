"""Packets are lost at a rate: into a node, out of it, of a pair, of a whole zone."""

from __future__ import annotations

import random

from tests.bench.diagnosis.faults import Fault, a_node, a_pair, at, between, kind, layered, some_zones
from tests.bench.diagnosis.truth import LOSS, Accept
from tests.bench.diagnosis.world import World

HEAVY = 0.5  # from here on PINGs fail as well, and nobody can say where loss ends


def _into(rate: float) -> None:
    @kind(f"loss {rate:.0%} into a node")
    def into(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
        return _of_node(world, chance, taken, rate, into=True)

    @kind(f"loss {rate:.0%} out of a node")
    def out(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
        return _of_node(world, chance, taken, rate, into=False)

    # Of some thirty packets of a path a few per cent are none or one: no goal.
    @kind(f"loss {rate:.0%} of a pair", goal=rate >= 0.2, together=rate >= 0.2)
    def pair(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
        nodes = a_pair(world, chance, taken)
        if nodes is None:
            return None
        layers, uses = layered(world, chance)
        right = frozenset({LOSS}) | (layers if rate >= HEAVY else frozenset())
        accept = [Accept("pair", nodes, layers=right), Accept("one_way", nodes, layers=right)]
        accept.append(Accept("one_way", nodes[::-1], layers=right))
        name = f"{rate:.0%} loss between {nodes[0]} and {nodes[1]}"
        return Fault(name, accept, between(*nodes, uses, rate), frozenset({nodes[0]}))


def _of_node(world: World, chance: random.Random, taken: set[str], rate: float, *, into: bool) -> Fault | None:
    node = a_node(world, chance, taken)
    if node is None:
        return None
    layers, uses = layered(world, chance)
    right = frozenset({LOSS}) | (layers if rate >= HEAVY else frozenset())
    return Fault(
        f"{rate:.0%} loss {'into' if into else 'out of'} {node}",
        [Accept("node", (node,), layers=right), Accept("into" if into else "out_of", (node,), layers=right)],
        lambda p: rate if uses(p) and (p.receiver if into else p.sender) == node else 0.0,
        frozenset({node}),
    )


for _rate in (0.03, 0.08, 0.2, 0.5):
    _into(_rate)


@kind("loss 95% with answered PINGs at a node")
def trains(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """Single packets pass, and most packets that follow closely are lost."""
    node = a_node(world, chance, taken)
    if node is None:
        return None
    _, uses = layered(world, chance)
    accept = [Accept("node", (node,), layers=frozenset({LOSS}))]
    return Fault(
        f"95 % loss of trains at {node}",
        accept,
        lambda p: 0.95 if p.kind == "train" and uses(p) and node in (p.sender, p.receiver) else 0.0,
        frozenset({node}),
    )


@kind("loss 95% of all packets at a node", goal=False, together=False)
def almost_all(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """Now and then a probe succeeds, so it looks like a hard fault as well."""
    node = a_node(world, chance, taken)
    if node is None:
        return None
    layers, uses = layered(world, chance)
    accept = [Accept(kind, (node,), layers=frozenset({LOSS}) | layers) for kind in ("node", "into", "out_of")]
    return Fault(f"95 % loss at {node}", accept, at(node, uses, 0.95), frozenset({node}))


@kind("loss 8% between zones", together=False)
def zones_lose(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    zones = some_zones(world, chance, 2)
    if zones is None:
        return None
    _, uses = layered(world, chance)
    layers = frozenset({LOSS})
    accept = [Accept("zone_pair", zones=zones, layers=layers), Accept("zone_one_way", zones=zones, layers=layers)]
    if len(set(world.zones.values())) == 2:
        accept += [Accept("zone", zones=(each,), layers=layers) for each in zones]
    return Fault(
        f"8 % loss between {zones[0]} and {zones[1]}",
        accept,
        lambda p: 0.08 if uses(p) and {world.zones[p.sender], world.zones[p.receiver]} == {*zones} else 0.0,
        frozenset(world.members(zones[0])),
    )


@kind("loss 8% everywhere", together=False)
def all_lose(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    _, uses = layered(world, chance)
    accept = [Accept("all", layers=frozenset({LOSS}))]
    return Fault("8 % loss everywhere", accept, lambda p: 0.04 if uses(p) else 0.0, None, reachable=True)
