"""Faults of Services, of the echo services behind them, and of the DNS."""

from __future__ import annotations

import random

from tests.bench.diagnosis.faults import DNS, SERVICE, Fault, a_node, kind
from tests.bench.diagnosis.truth import Accept
from tests.bench.diagnosis.world import PROBES, World

EVERY = ((), PROBES, tuple(sorted(PROBES)))


@kind("Service range dead on a node")
def service_on_node(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """kube-proxy is gone. The DNS is a Service as well, unless the node itself answers DNS queries."""
    node = a_node(world, chance, taken)
    if node is None:
        return None
    layers = SERVICE if world.shape.node_local_dns else SERVICE | DNS
    accept = [Accept("node", (node,), layers=layers, probes=EVERY)]
    return Fault(f"Services on {node}", accept, service_on=frozenset({node}))


@kind("echo service down")
def echo_down(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    probe, outcome = chance.choice(PROBES), chance.choice(("refused", "timeout"))
    accept = [Accept("service", layers=SERVICE, probes=((probe,),))]
    return Fault(f"{probe} echo service", accept, echo={probe: outcome})


@kind("all echo services down", together=False)
def echoes_down(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    accept = [Accept("service", layers=SERVICE, probes=EVERY)]
    return Fault("echo services", accept, echo=dict.fromkeys(PROBES, "timeout"))


@kind("DNS dead", together=False)
def dns_dead(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    return Fault("DNS", [Accept("all", layers=DNS, probes=(*EVERY, ("dns",)))], dns_all=True)


@kind("one DNS replica dead", together=False)
def dns_replica(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    if world.shape.node_local_dns:
        return None
    node = chance.choice(world.dns)
    probes = (*EVERY, ("dns",))
    accept = [Accept("all", layers=DNS, probes=probes), Accept("node", (node,), layers=DNS, probes=probes)]
    return Fault(f"DNS replica on {node}", accept, dns_replicas=frozenset({node}))


@kind("DNS from one node")
def dns_on_node(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    node = a_node(world, chance, taken)
    if node is None:
        return None
    accept = [Accept("node", (node,), layers=DNS, probes=(*EVERY, ("dns",)))]
    return Fault(f"DNS from {node}", accept, dns_on=frozenset({node}))
