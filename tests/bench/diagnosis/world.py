"""A simulated healthy mesh at one instant, `NOW`: nodes, zones, probers, paths, and the states that they serve.

World(size, number) ─▶ links (who probes whom, and when) ─▶ healthy states, in which a look replaces what differs

It imports the contract and the prober's own choice of peers, and nothing of the engine that it tests.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field

from smoker_diagnosis.state import PEER, SERVICE, Heard, PathState, State
from smoker_prober.peers.pick import picks

NOW = 100_000.0  # seconds on the simulation's clock when the states are read
PACE = "PACE"  # the environment variable that sets another interval and timeout, as `5/1`
INTERVAL, TIMEOUT = map(float, os.environ.get(PACE, "30/5").split("/"))  # seconds, the defaults
PACKETS, SPREAD = 10, min(1.0, INTERVAL / 5)  # of a train; seconds
ROUND = 3 * TIMEOUT + SPREAD + TIMEOUT  # seconds that a round takes at most: three probes and a train
ALLOWED = 1450  # bytes that every path should take
PROBES = ("tcp", "udp", "http")
TURN = {probe: number * INTERVAL / len(PROBES) for number, probe in enumerate(PROBES)}  # seconds, at the echo services
PORTS = {"tcp": 8080, "udp": 8081, "http": 8082}
HOST = "smoker-server"
DURATION = {"tcp": 0.002, "udp": SPREAD + 0.01, "http": 0.004, "dns": 0.002}  # seconds of a probe that succeeds
PEERS = 10
LARGE_MESH = 1000  # nodes from which looks share one world: its states take seconds to make
Prober = tuple[str, str]  # node and network


@dataclass(slots=True, eq=False)
class Link:
    """One path of the mesh without its probe: the probes of one address of a peer in one round."""

    source: str
    target: str
    plane: str
    family: str
    ago: float  # seconds before NOW at which the last round of it began
    place: int  # of its TCP path in the list of the source's state; UDP and HTTP follow
    heard: int  # of the source in the list of what the target's responder heard

    @property
    def local(self) -> bool:
        """Return whether both ends are on one node."""
        return self.source == self.target

    @property
    def ends(self) -> tuple[str, str]:
        """Return the networks of the source and of the target."""
        source, _, target = self.plane.partition("-")
        return source, target or source


@dataclass(slots=True)
class Shape:
    """The properties of a cluster, drawn once for each world."""

    host: bool  # whether there are probers on the host network
    families: tuple[str, ...]
    pod_host_overlay: bool  # whether the CNI carries packets from a pod to another node's address by the overlay
    own_node_exempt: bool  # whether a policy lets a node reach its own pods
    echoes_known: bool  # whether states say where the echo services' pods are
    node_local_dns: bool  # whether each node answers DNS itself, whatever happens to Services
    zones: tuple[int, ...]  # shares of the zones; empty: unknown zones


SHARES: tuple[tuple[int, ...], ...] = ((50, 40, 10), (60, 40), (34, 33, 33), (45, 30, 15, 10), ())


def shape(size: int, number: int) -> Shape:
    """Return the shape of the world `number` of so many nodes. The first worlds differ in what matters most."""
    chance = random.Random(f"shape {size} {number}")
    return Shape(
        host=number % 2 == 1 and size <= LARGE_MESH,
        families=("ipv4", "ipv6") if number % 3 != 1 else ("ipv4",),
        pod_host_overlay=chance.random() < 0.3,
        own_node_exempt=chance.random() < 0.5,
        echoes_known=chance.random() < 0.8,
        node_local_dns=chance.random() < 0.3,
        zones=SHARES[number % len(SHARES)],
    )


@dataclass(slots=True)
class World:
    """The mesh and its healthy states."""

    size: int
    number: int
    shape: Shape
    zones: dict[str, str] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    of_node: dict[str, list[Link]] = field(default_factory=dict)  # those with an end on the node
    states: list[State] = field(default_factory=list)
    place: dict[Prober, int] = field(default_factory=dict)  # of a prober's state in `states`
    clocks: dict[Prober, float] = field(default_factory=dict)  # what its steady clock is ahead of ours
    service_ago: dict[Prober, float] = field(default_factory=dict)  # when the last TCP probe of the Service began
    service_place: dict[Prober, int] = field(default_factory=dict)
    echoes: dict[str, list[str]] = field(default_factory=dict)  # by probe, the nodes of its pods
    dns: list[str] = field(default_factory=list)  # the nodes of the DNS pods
    hub: str = ""  # the node from which the states are fetched

    @property
    def nodes(self) -> list[str]:
        return list(self.zones)

    def overlay(self, plane: str) -> bool:
        """Return whether packets of `plane` between two nodes use the overlay."""
        return plane in ("pod", "host-pod") or (plane == "pod-host" and self.shape.pod_host_overlay)

    def members(self, zone: str) -> list[str]:
        """Return the nodes of `zone`."""
        return [node for node, name in self.zones.items() if name == zone]


def make(size: int, number: int) -> World:
    """Return the world `number` of `size` nodes; the same arguments give the same world."""
    chance = random.Random(f"world {size} {number}")
    world = World(size, number, shape(size, number))
    names = [f"node-{index}" for index in range(1, size + 1)]
    chance.shuffle(names)
    world.zones = _zones(names, world.shape.zones, chance)
    for probe in PROBES:
        world.echoes[probe] = chance.sample(names, min(2, size))
    world.dns = chance.sample(names, 2)
    world.hub = chance.choice(names)
    _build(world, chance)
    return world


def _zones(names: list[str], shares: tuple[int, ...], chance: random.Random) -> dict[str, str]:
    """Draw the zones. Each gets at least one node, if there are enough nodes."""
    if not shares:
        return dict.fromkeys(sorted(names), "")
    letters = [f"zone-{chr(97 + index)}" for index in range(len(shares))]
    found = dict(zip(names, letters, strict=False))
    for name in names[len(letters) :]:
        found[name] = chance.choices(letters, shares)[0]
    return {name: found[name] for name in sorted(names)}


def _build(world: World, chance: random.Random) -> None:
    networks = ("pod", "host") if world.shape.host else ("pod",)
    chosen = picks(world.zones, PEERS)
    probers = [(node, network) for node in world.zones for network in networks]
    paths: dict[Prober, list[PathState]] = {prober: [] for prober in probers}
    heard: dict[Prober, list[Heard]] = {prober: [] for prober in probers}
    rounds = 1 + len(networks) * min(PEERS, world.size - 1) * len(world.shape.families)
    groups = max(-(-rounds // 8), 1)
    for prober in probers:
        world.clocks[prober] = chance.uniform(0.0, 1e6)
        world.of_node.setdefault(prober[0], [])
    for prober in probers:
        node, network = prober
        phase = chance.random() * INTERVAL
        peers = [*sorted(chosen[node]), node]
        for peer, other, family in ((p, n, f) for p in peers for n in networks for f in world.shape.families):
            if (peer, other) == prober:
                continue
            plane = network if network == other else f"{network}-{other}"
            ago = (phase + chance.randrange(groups) * INTERVAL / groups) % INTERVAL
            link = Link(node, peer, plane, family, ago, len(paths[prober]), len(heard[peer, other]))
            world.links.append(link)
            world.of_node[node].append(link)
            if peer != node:
                world.of_node[peer].append(link)
            paths[prober].extend(healthy(world, link))
            begun = NOW - ago + DURATION["tcp"] - (INTERVAL if ago < DURATION["tcp"] else 0.0)
            heard[peer, other].append(Heard(node, plane, family, begun + world.clocks[peer, other]))
        world.service_ago[prober], world.service_place[prober] = phase, len(paths[prober])
        paths[prober].extend(service_paths(world, prober))
    for prober in probers:
        world.place[prober] = len(world.states)
        world.states.append(
            State(
                cluster="simulated",
                node=prober[0],
                network="host" if prober[1] == "host" else "pod",
                zone=world.zones[prober[0]],
                time=1.8e9,
                at=NOW + world.clocks[prober],
                interval=INTERVAL,
                timeout=TIMEOUT,
                api="ok",
                peers=len(probers) - 1,
                paths=paths[prober],
                heard=heard[prober],
                echoes=world.echoes if world.shape.echoes_known else {},
            )
        )


def begins(ago: float) -> list[float]:
    """Return when the last healthy probe with a result began, for TCP, UDP and HTTP, in seconds before `NOW`."""
    found, later = [], 0.0
    for probe in PROBES:
        began, took = ago - later, DURATION[probe]
        found.append(began if began >= took else began + INTERVAL)
        later += took
    return found


def healthy(world: World, link: Link) -> list[PathState]:
    """Return a prober's knowledge of `link` if everything works."""
    clock = NOW + world.clocks[link.source, link.ends[0]]
    tcp, udp, http = begins(link.ago)
    target, plane, family, zone = link.target, link.plane, link.family, world.zones[link.target]
    return [
        PathState(PEER, target, plane, family, "tcp", zone, "success", clock - tcp, 3, rtt_p50=0.001, rtt_p99=0.002),
        PathState(
            *(PEER, target, plane, family, "udp", zone, "success", clock - udp, 3),
            sent=3 * PACKETS,
            large="ok",
            mtu=ALLOWED,
            rtt_p50=0.001,
            rtt_p99=0.002,
        ),
        PathState(PEER, target, plane, family, "http", zone, "success", clock - http, 3, rtt_p50=0.001, rtt_p99=0.002),
    ]


def service_plane(network: str) -> str:
    """Return the plane of paths to the echo services."""
    return "service" if network == "pod" else "host-service"


def service_began(world: World, prober: Prober, probe: str) -> float:
    """Return when the last probe of an echo service began, in seconds before `NOW`: they take turns in an interval."""
    return (world.service_ago[prober] - TURN[probe]) % INTERVAL


def service_paths(world: World, prober: Prober) -> list[PathState]:
    """Return a prober's knowledge of the echo services if everything works."""
    clock = NOW + world.clocks[prober]
    found = []
    for probe in PROBES:
        began = service_began(world, prober, probe)
        ago = began if began >= DURATION[probe] else began + INTERVAL
        target = f"{HOST}:{PORTS[probe]}"
        udp = probe == "udp"
        found.append(
            PathState(
                *(SERVICE, target, service_plane(prober[1]), "", probe, "", "success", clock - ago, 3),
                sent=3 * PACKETS if udp else 0,
                large="ok" if udp else "",
                mtu=ALLOWED if udp else 0,
                rtt_p50=0.001,
                rtt_p99=0.002,
            )
        )
    return found
