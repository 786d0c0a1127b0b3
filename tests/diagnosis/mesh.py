"""A mesh for tests: every path works until a test changes it. It shares no code with the mesh of tests/bench."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.state import PEER, RESOLVER, SERVICE, Heard, Left, PathState, State

AT, INTERVAL, TIMEOUT, TRAIN = 1000.0, 30.0, 5.0, 30
PROBES = ("tcp", "udp", "http")


class Link(NamedTuple):
    """One path without its probe."""

    source: str
    target: str
    plane: str
    family: str = "ipv4"

    @property
    def crosses(self) -> bool:
        return self.source != self.target

    def touches(self, *nodes: str) -> bool:
        """Return whether it crosses nodes, and begins or ends on one of `nodes`."""
        return self.crosses and bool({self.source, self.target} & {*nodes})

    def between(self, one: str, other: str) -> bool:
        return {self.source, self.target} == {one, other}


Where = Callable[[Link], bool]


@dataclass
class Cluster:
    """Nodes, and the states of their probers."""

    nodes: Sequence[str]
    peers: int = 10  # that each node probes, the next ones in a ring
    host: bool = True
    families: Sequence[str] = ("ipv4",)
    zones: Mapping[str, str] = field(default_factory=dict)
    services: bool = True
    dns: Sequence[str] = ()  # targets of DNS pods: nodes, `node-1/2` for a second one there

    def __post_init__(self) -> None:
        self.paths: dict[Link, dict[str, PathState]] = {}
        self.to_services: dict[tuple[str, str], dict[str, PathState]] = {}
        self.heard: dict[tuple[str, str], list[Heard]] = {}
        self.to_dns: dict[Link, PathState] = {}
        self.changes: dict[str, dict[str, Any]] = {}  # of states, by node
        networks = ("pod", "host") if self.host else ("pod",)
        many = min(self.peers, len(self.nodes) - 1)
        for number, node in enumerate(self.nodes):
            near = [self.nodes[(number + step) % len(self.nodes)] for step in range(many + 1)]
            for network in networks:
                self._add(node, network, near, networks)
                self._add_dns(node, network)
                if self.services:
                    plane = "service" if network == "pod" else "host-service"
                    self.to_services[node, network] = {
                        probe: PathState(SERVICE, f"echo:{port}", plane, "", probe, "", "success", AT - 20.0, 3)
                        for probe, port in zip(PROBES, (8080, 8081, 8082), strict=True)
                    }

    def _add(self, node: str, network: str, near: Iterable[str], networks: Sequence[str]) -> None:
        for peer in near:
            for other in networks:
                if (peer, other) == (node, network):
                    continue
                for family in self.families:
                    link = Link(node, peer, network if network == other else f"{network}-{other}", family)
                    zone = self.zones.get(peer, "")
                    self.paths[link] = {
                        probe: PathState(PEER, peer, link.plane, family, probe, zone, "success", AT - 20.0, 3)
                        for probe in PROBES
                    }
                    udp = self.paths[link]["udp"]
                    self.paths[link]["udp"] = msgspec.structs.replace(udp, sent=TRAIN, large="ok", mtu=1450)
                    self.heard.setdefault((peer, other), []).append(Heard(node, link.plane, family, AT - 20.0))

    def _add_dns(self, node: str, network: str) -> None:
        host = network == "host"
        for target in self.dns:
            self._look_up(Link(node, target, "host-pod" if host else "pod", ""))
        if self.dns:
            self._look_up(Link(node, "kubernetes.default", "host-service" if host else "service", ""))

    def _look_up(self, link: Link) -> None:
        self.to_dns[link] = PathState(RESOLVER, link.target, link.plane, "", "dns", "", "success", AT - 20.0, 3)

    def fail_dns(self, where: Where, *, rounds: int = 3, outcome: str = "timeout", partly: int = 0) -> Cluster:
        """Make the look-ups of the paths in `where` fail; in `partly` of them one query was answered."""
        for link, state in self.to_dns.items():
            if where(link):
                self.to_dns[link] = msgspec.structs.replace(failed(state, rounds, outcome, 20.0), partly=partly)
        return self

    def fail(
        self,
        where: Where,
        probes: Sequence[str] = PROBES,
        *,
        rounds: int = 3,
        outcome: str = "timeout",
        ago: float = 20.0,
    ) -> Cluster:
        """Make `probes` fail on the paths in `where`, for so many rounds; the last probe began `ago` seconds ago."""
        for link, states in self.paths.items():
            if where(link):
                for probe in probes:
                    states[probe] = failed(states[probe], rounds, outcome, ago)
        return self

    def fail_services(
        self, nodes: Iterable[str], probes: Sequence[str] = PROBES, *, rounds: int = 3, outcome: str = "timeout"
    ) -> Cluster:
        """Make `probes` fail on the paths from `nodes` to the echo services."""
        chosen = set(nodes)
        for (node, _), states in self.to_services.items():
            if node in chosen:
                for probe in probes:
                    states[probe] = failed(states[probe], rounds, outcome, 20.0)
        return self

    def lose(self, where: Where, lost: int, *, sent: int = TRAIN, requests: int = 0, replies: int = 0) -> Cluster:
        """Make the trains of the paths in `where` lose `lost` of 30 packets, or of `sent`."""
        for link, states in self.paths.items():
            if where(link):
                states["udp"] = msgspec.structs.replace(
                    states["udp"], sent=sent, lost=lost, requests_lost=requests, replies_lost=replies
                )
        return self

    def hang(self, node: str, network: str = "pod", *, rounds: int = 2) -> Cluster:
        """Make a prober accept connections and answer nothing."""
        self.fail(lambda link: link.target == node and link.plane.rpartition("-")[2] == network, rounds=rounds)
        for link, states in self.paths.items():
            if link.target == node and link.plane.rpartition("-")[2] == network:
                for probe in ("tcp", "http"):
                    states[probe] = msgspec.structs.replace(states[probe], connected=True)
        return self

    def black_hole(self, where: Where) -> Cluster:
        """Make large packets be lost on the paths in `where`."""
        for link, states in self.paths.items():
            if where(link):
                large = failed(states["udp"], 3, "mtu", 20.0)
                states["udp"] = msgspec.structs.replace(large, large="black_hole", passes=1280, failures={})
        return self

    def unheard(self, where: Where) -> Cluster:
        """Make the responders hear nothing over the paths in `where` since before their last probe."""
        for (node, network), entries in self.heard.items():
            for number, entry in enumerate(entries):
                link = Link(entry.node, node, entry.plane, entry.family)
                if where(link) and entry.plane.rpartition("-")[2] == network:
                    entries[number] = msgspec.structs.replace(entry, at=AT - 300.0)
        return self

    def change(self, node: str, **changes: Any) -> Cluster:
        """Change the states of `node`."""
        self.changes.setdefault(node, {}).update(changes)
        return self

    def leave(self, node: str, *, failing: bool) -> Cluster:
        """Make `node` not ready: nobody probes it, and its state is missing."""
        probers = {link.source for link in self.paths if link.target == node and link.crosses}
        for source in probers:
            self.change(source, left=[Left(node, "pod", AT - 60.0, failing)])
        self.paths = {link: states for link, states in self.paths.items() if node not in (link.source, link.target)}
        self.nodes = [each for each in self.nodes if each != node]
        return self

    def states(self, without: Iterable[str] = ()) -> list[State]:
        """Return the states, except those of the nodes in `without`."""
        by_prober: dict[tuple[str, str], list[PathState]] = {}
        for link, states in self.paths.items():
            by_prober.setdefault((link.source, link.plane.partition("-")[0]), []).extend(states.values())
        for link, state_of in self.to_dns.items():
            network = "host" if link.plane.startswith("host") else "pod"
            by_prober.setdefault((link.source, network), []).append(state_of)
        found = []
        for node in self.nodes:
            for network in ("pod", "host") if self.host else ("pod",):
                if node in without:
                    continue
                paths = by_prober.get((node, network), []) + list(self.to_services.get((node, network), {}).values())
                state = State(
                    node=node,
                    network="host" if network == "host" else "pod",
                    cluster="test",
                    zone=self.zones.get(node, ""),
                    at=AT,
                    interval=INTERVAL,
                    timeout=TIMEOUT,
                    paths=paths,
                    heard=self.heard.get((node, network), []),
                    dns_pods={target: f"kube-system/coredns-{target}" for target in self.dns},
                )
                found.append(msgspec.structs.replace(state, **self.changes.get(node, {})))
        return found

    def findings(self, without: Iterable[str] = ()) -> list[Finding]:
        """Return the findings of the diagnosis."""
        return diagnose(self.states(without))


def failed(path: PathState, rounds: int, outcome: str, ago: float) -> PathState:
    """Return `path` after so many failures in a row."""
    failures = {outcome: min(rounds, 3)}
    since = AT - ago - (rounds - 1) * INTERVAL
    return msgspec.structs.replace(path, last=outcome, at=AT - ago, failures=failures, streak=rounds, since=since)


def nodes(count: int) -> list[str]:
    """Return so many names."""
    return [f"node-{number}" for number in range(1, count + 1)]


def two_zones(names: Sequence[str], *, first: int) -> dict[str, str]:
    """Return zone a for the first nodes and zone b for the others."""
    return {name: "a" if number < first else "b" for number, name in enumerate(names)}


def three_zones(names: Sequence[str], first: int, second: int) -> dict[str, str]:
    """Return zone a for the first nodes, zone b for the next ones, and zone c for the others."""
    return {name: "a" if n < first else "b" if n < first + second else "c" for n, name in enumerate(names)}


def named(findings: Iterable[Finding]) -> list[tuple[str, str, tuple[str, ...], str]]:
    """Return kind, kind of scope, nodes or zones, and layer of the findings that name a fault."""
    return [
        (each.kind, each.scope.kind, each.scope.nodes or each.scope.zones, each.layer)
        for each in findings
        if each.kind != "unknown"
    ]
