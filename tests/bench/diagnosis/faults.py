"""Kinds of faults: each is a function of a world that returns which packets are lost and which findings are right.

A maker returns None if the world cannot have the fault: no host network, one address family, too few zones, or no node
left. A new kind is a function with `@kind(...)` above it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from smoker_diagnosis.state import State

from .packets import Drop, Packet
from .truth import Accept
from .world import World

NETWORK, OVERLAY = frozenset({"network"}), frozenset({"overlay"})
UNKNOWN = frozenset({"network", "overlay"})
SERVICE, DNS = frozenset({"service"}), frozenset({"dns"})
UDP, LARGE = (("udp",),), (("large",),)
V6 = (("ipv6",),)


@dataclass
class Fault:
    """What happens, and which findings about it are right."""

    name: str
    accept: list[Accept]
    drop: Drop | None = None
    near: frozenset[str] | None = frozenset()  # the nodes whose links it can touch; None: all
    silent: str = "timeout"  # the outcome of a probe that gets no answer
    begin: float = 0.0
    steady: bool = True  # whether it begins at its moment; else it is as old as the world
    wanted: bool = True  # whether it has to be named
    equivalents: bool = True  # whether components that fail the same paths are right, too
    tolerated: list[Accept] = field(default_factory=list)  # named beside it, they are no false names
    broken: frozenset[str] = frozenset()  # nodes whose pods nobody reaches
    reachable: bool = False  # whether the hub gets every state all the same
    gone: frozenset[str] = frozenset()  # nodes whose states are not there
    not_ready: frozenset[str] = frozenset()
    echo: Mapping[str, str] = field(default_factory=dict)  # outcome of the Service by probe, from everywhere
    dns_all: bool = False
    dns_replicas: frozenset[str] = frozenset()
    dns_on: frozenset[str] = frozenset()  # nodes that no DNS pod answers
    service_on: frozenset[str] = frozenset()  # nodes from which no Service is reached
    flapping: int = 0  # paths that fail now and then all day
    change: Callable[[World, Any, random.Random], None] | None = None  # of paths, by place
    edit: Callable[[World, State, random.Random], State] | None = None  # of a whole state


Maker = Callable[[World, random.Random, set[str]], Fault | None]


@dataclass(frozen=True)
class Kind:
    """A row of the table."""

    name: str
    make: Maker
    together: bool  # whether it is drawn for looks with two or three faults
    goal: bool  # whether the goals count it


KINDS: dict[str, Kind] = {}


def kind(name: str, *, together: bool = True, goal: bool = True) -> Callable[[Maker], Maker]:
    """Add a maker to the table."""

    def enter(make: Maker) -> Maker:
        KINDS[name] = Kind(name, make, together, goal)
        return make

    return enter


# Who is meant


def a_node(world: World, chance: random.Random, taken: set[str]) -> str | None:
    """Return a node that has no fault yet."""
    free = [node for node in world.zones if node not in taken]
    if not free:
        return None
    node = chance.choice(free)
    taken.add(node)
    return node


def a_pair(world: World, chance: random.Random, taken: set[str]) -> tuple[str, str] | None:
    """Return a source and a target that it probes, both without a fault so far."""
    for _ in range(200):
        link = chance.choice(world.links)
        if not link.local and not {link.source, link.target} & taken:
            taken.update((link.source, link.target))
            return link.source, link.target
    return None


def some_zones(world: World, chance: random.Random, many: int) -> tuple[str, ...] | None:
    """Return `count` zones in a random order."""
    zones = sorted(set(world.zones.values()))
    return tuple(chance.sample(zones, many)) if len(zones) >= many and zones != [""] else None


def real(world: World, layer: str) -> frozenset[str]:
    """Return the layers that are right for `layer`: without a host network the paths cannot tell them apart."""
    return frozenset({layer}) if world.shape.host else UNKNOWN | {layer}


def layered(world: World, chance: random.Random) -> tuple[frozenset[str], Callable[[Packet], bool]]:
    """Return a layer between nodes, and which packets use it.

    Without a host network the paths cannot tell the layer.
    """
    over = chance.random() < 0.5
    uses: Callable[[Packet], bool] = (lambda p: p.overlay) if over else (lambda p: p.crosses)
    if not world.shape.host:
        return UNKNOWN, uses
    return (OVERLAY if over else NETWORK), uses


def at(node: str, uses: Callable[[Packet], bool], rate: float = 1.0) -> Drop:
    """Return the loss of packets that enter or leave `node`."""
    return lambda p: rate if uses(p) and node in (p.sender, p.receiver) else 0.0


def between(one: str, other: str, uses: Callable[[Packet], bool], rate: float = 1.0) -> Drop:
    """Return the loss between two nodes."""
    return lambda p: rate if uses(p) and {p.sender, p.receiver} == {one, other} else 0.0
