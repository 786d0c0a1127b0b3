"""Filters at the ends: NetworkPolicies of one node's pods and of all pods, a firewall of a node. They are stateful."""

from __future__ import annotations

import random

from tests.bench.diagnosis.faults import Fault, a_node, kind, real
from tests.bench.diagnosis.packets import Packet
from tests.bench.diagnosis.truth import Accept
from tests.bench.diagnosis.world import World

SILENT = ("timeout", "timeout", "refused")  # what a filter does: most drop


def _exempt(world: World, packet: Packet) -> bool:
    """Return whether a node may reach its own pod although policies apply."""
    return not packet.crosses and packet.from_pod != packet.into_pod and world.shape.own_node_exempt


@kind("into the pods of a node closed")
def into_pods(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    node = a_node(world, chance, taken)
    if node is None:
        return None
    return Fault(
        f"into the pods of {node}",
        [Accept("into", (node,), layers=real(world, "into_pods"))],
        lambda p: float(p.into_pod and p.receiver == node and not p.reply and not _exempt(world, p)),
        frozenset({node}),
        chance.choice(SILENT),
        broken=frozenset({node}),
    )


@kind("out of the pods of a node closed")
def out_of_pods(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    node = a_node(world, chance, taken)
    if node is None:
        return None
    return Fault(
        f"out of the pods of {node}",
        [Accept("out_of", (node,), layers=real(world, "out_of_pods"))],
        lambda p: float(p.from_pod and p.sender == node and not p.reply and not _exempt(world, p)),
        frozenset({node}),
        chance.choice(SILENT),
    )


@kind("pods of a node closed both ways")
def pods(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    node = a_node(world, chance, taken)
    if node is None:
        return None

    def drop(packet: Packet) -> float:
        enters = packet.into_pod and packet.receiver == node
        leaves = packet.from_pod and packet.sender == node
        return float((enters or leaves) and not packet.reply and not _exempt(world, packet))

    accept = [Accept("node", (node,), layers=real(world, "pods"))]
    return Fault(f"pods of {node}", accept, drop, frozenset({node}), broken=frozenset({node}))


@kind("into all pods closed", together=False)
def into_all(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    return Fault(
        "into all pods",
        [Accept("all", layers=real(world, "into_pods"))],
        lambda p: float(p.into_pod and p.kind != "dns" and not p.reply and not _exempt(world, p)),
        None,
        chance.choice(SILENT),
        reachable=True,
        tolerated=[Accept("service", layers=frozenset({"service"}))],
    )


@kind("out of all pods closed", together=False)
def out_of_all(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    return Fault(
        "out of all pods",
        [Accept("all", layers=real(world, "out_of_pods"))],
        lambda p: float(p.from_pod and not p.reply and not _exempt(world, p)),
        None,
        "timeout",
        reachable=True,
        tolerated=[Accept("all", layers=frozenset({"dns"}))],
    )


@kind("host firewall of a node")
def host_firewall(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """New flows to the host's own ports are dropped; pods of the node may be exempt."""
    node = a_node(world, chance, taken) if world.shape.host else None
    if node is None:
        return None
    return Fault(
        f"host ports of {node}",
        [Accept("into", (node,), layers=frozenset({"hosts"}))],
        lambda p: float(not p.into_pod and p.receiver == node and not p.reply and not _exempt(world, p)),
        frozenset({node}),
        chance.choice(SILENT),
    )


@kind("host firewall everywhere", together=False)
def host_firewalls(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    if not world.shape.host:
        return None
    return Fault(
        "host ports of all nodes",
        [Accept("all", layers=frozenset({"hosts"}))],
        lambda p: float(not p.into_pod and not p.reply and not _exempt(world, p)),
        None,
        chance.choice(SILENT),
        reachable=True,
    )
