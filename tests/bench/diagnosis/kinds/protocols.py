"""Some packets are lost at a place: those of one protocol, of one address family, or large ones."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.bench.diagnosis.faults import LARGE, UDP, UNKNOWN, V6, Fault, a_node, a_pair, at, between, kind, layered
from tests.bench.diagnosis.packets import Packet
from tests.bench.diagnosis.truth import Accept
from tests.bench.diagnosis.world import World

TCP = (("http", "tcp"),)


def _node(
    world: World, chance: random.Random, taken: set[str], what: str, which: Callable[[Packet], bool], **kept: object
) -> Fault | None:
    node = a_node(world, chance, taken)
    if node is None:
        return None
    layers, uses = layered(world, chance)
    accept = [Accept("node", (node,), layers=layers, **kept)]  # type: ignore[arg-type]
    return Fault(f"{what} at {node}", accept, at(node, lambda p: uses(p) and which(p)), frozenset({node}))


def _pair(
    world: World, chance: random.Random, taken: set[str], what: str, which: Callable[[Packet], bool], **kept: object
) -> Fault | None:
    nodes = a_pair(world, chance, taken)
    if nodes is None:
        return None
    layers, uses = layered(world, chance)
    accept = [Accept("pair", nodes, layers=layers, **kept)]  # type: ignore[arg-type]
    drop = between(*nodes, lambda p: uses(p) and which(p))
    return Fault(f"{what} between {nodes[0]} and {nodes[1]}", accept, drop, frozenset({nodes[0]}))


@kind("UDP at a node")
def udp_node(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    return _node(world, chance, taken, "UDP", lambda p: p.udp, probes=UDP)


@kind("TCP at a node")
def tcp_node(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    return _node(world, chance, taken, "TCP", lambda p: not p.udp, probes=TCP)


@kind("UDP of a pair")
def udp_pair(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    return _pair(world, chance, taken, "UDP", lambda p: p.udp, probes=UDP)


@kind("MTU black hole at a node")
def mtu_node(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    return _node(world, chance, taken, "large packets", lambda p: p.kind == "large", probes=LARGE)


@kind("MTU black hole of a pair")
def mtu_pair(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    return _pair(world, chance, taken, "large packets", lambda p: p.kind == "large", probes=LARGE)


@kind("MTU black hole everywhere", together=False)
def mtu_all(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    layers, uses = layered(world, chance)
    accept = [Accept("all", layers=layers, probes=LARGE)]
    drop = lambda p: float(uses(p) and p.kind == "large")  # noqa: E731
    return Fault("large packets everywhere", accept, drop, None, reachable=True)


@kind("UDP everywhere", together=False)
def udp_all(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    layers, uses = layered(world, chance)
    accept = [Accept("all", layers=layers, probes=UDP)]
    drop = lambda p: float(uses(p) and p.udp)  # noqa: E731
    everybody = frozenset(world.zones)
    return Fault("UDP everywhere", accept, drop, None, reachable=True, broken=everybody)


@kind("IPv6 at a node")
def ipv6_node(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    if len(world.shape.families) < 2:
        return None
    return _node(world, chance, taken, "IPv6", lambda p: p.family == "ipv6", families=V6)


@kind("IPv6 everywhere", together=False)
def ipv6_all(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    if len(world.shape.families) < 2:
        return None
    layers, uses = layered(world, chance)
    accept = [Accept("all", layers=layers or UNKNOWN, families=V6)]
    return Fault("IPv6 everywhere", accept, lambda p: float(uses(p) and p.family == "ipv6"), None, reachable=True)
