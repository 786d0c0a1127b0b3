"""The cluster's DNS servers as the probers of a healthy mesh ask them, by the Service and at each pod.

A look-up sends two queries at once. Either of them, or its answer, is lost as often as the packets of a train.
"""

from __future__ import annotations

import dataclasses
import random

import msgspec

from smoker_diagnosis.state import RESOLVER, PathState

from .packets import CONFIRMED, PATIENCE, Found
from .world import DURATION, NOW, PACKETS, TIMEOUT, Prober, World, service_plane

SERVICE = "kubernetes.default"
QUERIES = 2  # A and AAAA
LOST = 2 / PACKETS  # share of the packets of a train that loses some: one to three of them


def added(world: World) -> World:
    """Return `world` with the paths to the DNS servers, at the end of each state. Faults do not affect them."""
    states = list(world.states)
    names = {node: f"kube-system/coredns-{node}" for node in world.dns}
    for prober, number in world.place.items():
        whole = [*states[number].paths, *_paths(world, prober)]
        states[number] = msgspec.structs.replace(states[number], paths=whole, dns_pods=names)
    return dataclasses.replace(world, states=states)


def _paths(world: World, prober: Prober) -> list[PathState]:
    """Return a prober's knowledge of the DNS servers if everything works."""
    _, network = prober
    at = NOW + world.clocks[prober] - world.service_ago[prober]
    direct = "pod" if network == "pod" else "host-pod"
    asked = [(SERVICE, service_plane(network)), *((pod, direct) for pod in world.dns)]
    return [PathState(RESOLVER, target, plane, "", "dns", "", "success", at, 3) for target, plane in asked]


def look_up(chance: random.Random, when: float, background: float, *, confirm: bool) -> list[Found]:
    """Return the result of a look-up, and of the one that confirms a failure.

    `background`: the share of look-ups that fail by chance; the same share of trains loses packets.
    """
    loss = background * LOST
    first = _ask(chance, when, 1.0 if chance.random() < background else loss)
    if first.outcome == "success" or not confirm:
        return [first]
    return [first, _ask(chance, first.ended + CONFIRMED, loss, PATIENCE)._replace(confirms=True)]


def _ask(chance: random.Random, when: float, loss: float, timeout: float = TIMEOUT) -> Found:
    answered = sum(chance.random() >= loss for _ in range(QUERIES))
    if answered == QUERIES:
        return Found(when, when + DURATION["dns"], "success")
    return Found(when, when + timeout, "timeout", partly=answered > 0)
