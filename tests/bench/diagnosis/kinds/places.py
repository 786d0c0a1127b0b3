"""All packets are lost at a place: a node, a pair, zones, everywhere."""

from __future__ import annotations

import random

from tests.bench.diagnosis.faults import (
    NETWORK,
    OVERLAY,
    UNKNOWN,
    Fault,
    a_node,
    a_pair,
    at,
    between,
    kind,
    layered,
    real,
    some_zones,
)
from tests.bench.diagnosis.packets import Packet
from tests.bench.diagnosis.truth import Accept
from tests.bench.diagnosis.world import World


@kind("node dead")
def node_dead(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    node = a_node(world, chance, taken)
    if node is None:
        return None
    accept = [Accept("node", (node,), layers=real(world, "network"))]
    drop = at(node, lambda p: p.crosses)
    return Fault(f"network of {node}", accept, drop, frozenset({node}), broken=frozenset({node}))


@kind("node overlay dead")
def node_overlay(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    node = a_node(world, chance, taken)
    if node is None:
        return None
    accept = [Accept("node", (node,), layers=real(world, "overlay"))]
    drop = at(node, lambda p: p.overlay)
    return Fault(f"overlay of {node}", accept, drop, frozenset({node}), broken=frozenset({node}))


@kind("into a node")
def into_node(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """Packets into a node are lost, requests and replies alike."""
    node = a_node(world, chance, taken)
    if node is None:
        return None
    layers, uses = layered(world, chance)
    return Fault(
        f"all packets into {node}",
        [Accept("into", (node,), layers=layers), Accept("node", (node,), layers=layers)],
        lambda p: float(uses(p) and p.receiver == node),
        frozenset({node}),
        broken=frozenset({node}),
    )


@kind("out of a node")
def out_of_node(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """Packets out of a node are lost, requests and replies alike."""
    node = a_node(world, chance, taken)
    if node is None:
        return None
    layers, uses = layered(world, chance)
    return Fault(
        f"all packets out of {node}",
        [Accept("out_of", (node,), layers=layers), Accept("node", (node,), layers=layers)],
        lambda p: float(uses(p) and p.sender == node),
        frozenset({node}),
        broken=frozenset({node}),
    )


@kind("new flows into a node")
def new_into_node(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """A stateful filter: replies to the node's own requests still pass."""
    node = a_node(world, chance, taken)
    if node is None:
        return None
    layers, uses = layered(world, chance)
    return Fault(
        f"new flows into {node}",
        [Accept("into", (node,), layers=layers)],
        lambda p: float(uses(p) and p.receiver == node and not p.reply),
        frozenset({node}),
        broken=frozenset({node}),
    )


@kind("new flows out of a node")
def new_out_of_node(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    node = a_node(world, chance, taken)
    if node is None:
        return None
    layers, uses = layered(world, chance)
    return Fault(
        f"new flows out of {node}",
        [Accept("out_of", (node,), layers=layers)],
        lambda p: float(uses(p) and p.sender == node and not p.reply),
        frozenset({node}),
    )


@kind("pair")
def pair(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    nodes = a_pair(world, chance, taken)
    if nodes is None:
        return None
    layers, uses = layered(world, chance)
    accept = [Accept("pair", nodes, layers=layers)]
    return Fault(f"between {nodes[0]} and {nodes[1]}", accept, between(*nodes, uses), frozenset({nodes[0]}))


@kind("pair, one way")
def one_way(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """Packets from one node to another are lost: requests and replies."""
    nodes = a_pair(world, chance, taken)
    if nodes is None:
        return None
    layers, uses = layered(world, chance)
    return Fault(
        f"all packets from {nodes[0]} to {nodes[1]}",
        [Accept("one_way", nodes, layers=layers), Accept("pair", nodes, layers=layers)],
        lambda p: float(uses(p) and (p.sender, p.receiver) == nodes),
        frozenset({nodes[0]}),
    )


@kind("pair, new flows one way")
def new_one_way(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    nodes = a_pair(world, chance, taken)
    if nodes is None:
        return None
    layers, uses = layered(world, chance)
    return Fault(
        f"new flows from {nodes[0]} to {nodes[1]}",
        [Accept("one_way", nodes, layers=layers)],
        lambda p: float(uses(p) and (p.sender, p.receiver) == nodes and not p.reply),
        frozenset({nodes[0]}),
    )


@kind("zone cut off", together=False)
def zone(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    zones = some_zones(world, chance, 2)
    if zones is None:
        return None
    layers, uses = layered(world, chance)
    accept = [Accept("zone", zones=zones[:1], layers=layers)]
    if len(set(world.zones.values())) == 2:
        accept += [Accept("zone", zones=zones[1:], layers=layers), Accept("zone_pair", zones=zones, layers=layers)]
    here = frozenset(world.members(zones[0]))
    drop = lambda p: float(uses(p) and (p.sender in here) != (p.receiver in here))  # noqa: E731
    return Fault(f"{zones[0]} and the others", accept, drop, here)


@kind("zone pair", together=False)
def zone_pair(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    zones = some_zones(world, chance, 3)
    if zones is None:
        return None
    layers, uses = layered(world, chance)
    return Fault(
        f"between {zones[0]} and {zones[1]}",
        [Accept("zone_pair", zones=zones[:2], layers=layers)],
        lambda p: float(uses(p) and {world.zones[p.sender], world.zones[p.receiver]} == {*zones[:2]}),
        frozenset(world.members(zones[0])),
    )


@kind("zone pair, one way", together=False)
def zone_one_way(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    return _zone_one_way(world, chance, new=False)


@kind("zone pair, new flows one way", together=False)
def new_zone_one_way(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    return _zone_one_way(world, chance, new=True)


def _zone_one_way(world: World, chance: random.Random, *, new: bool) -> Fault | None:
    zones = some_zones(world, chance, 2)
    if zones is None:
        return None
    layers, uses = layered(world, chance)

    def drop(packet: Packet) -> float:
        way = world.zones[packet.sender], world.zones[packet.receiver]
        return float(uses(packet) and way == zones and not (new and packet.reply))

    accept = [Accept("zone_one_way", zones=zones, layers=layers)]
    if not new:
        accept.append(Accept("zone_pair", zones=zones, layers=layers))
        if len(set(world.zones.values())) == 2:
            accept += [Accept("zone", zones=(each,), layers=layers) for each in zones]
    what = "new flows" if new else "all packets"
    return Fault(f"{what} from {zones[0]} to {zones[1]}", accept, drop, frozenset(world.members(zones[0])))


@kind("inside a zone", together=False)
def inside_zone(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    zones = [zone for zone in sorted(set(world.zones.values())) if zone and len(world.members(zone)) > 1]
    here = {(link.source, link.target) for link in world.links if not link.local}
    zones = [zone for zone in zones if any({world.zones[one], world.zones[other]} == {zone} for one, other in here)]
    if not zones:
        return None
    zone, (layers, uses) = chance.choice(zones), layered(world, chance)
    members = frozenset(world.members(zone))
    accept = [Accept("inside_zone", zones=(zone,), layers=layers)]
    if len(set(world.zones.values())) == 1:
        accept.append(Accept("all", layers=layers))
    drop = lambda p: float(uses(p) and p.sender in members and p.receiver in members)  # noqa: E731
    return Fault(f"inside {zone}", accept, drop, members)


@kind("all nodes, overlay", together=False)
def all_overlay(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    accept = [Accept("all", layers=OVERLAY if world.shape.host else UNKNOWN)]
    everybody = frozenset(world.zones)
    return Fault("overlay of all nodes", accept, lambda p: float(p.overlay), None, reachable=True, broken=everybody)


@kind("all nodes, network", together=False)
def all_network(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    accept = [Accept("all", layers=NETWORK if world.shape.host else UNKNOWN)]
    everybody = frozenset(world.zones)
    return Fault("network of all nodes", accept, lambda p: float(p.crosses), None, reachable=True, broken=everybody)
