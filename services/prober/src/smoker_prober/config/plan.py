"""The plan: what a prober probes, how often and how. A file says it, and it changes while the prober runs.

    interval: 30s
    service: {host: smoker-server, probes: [tcp, udp, http]}
    mesh: {peers: 10}
    targets:
      - {name: shop, url: https://shop.example/health, interval: 1m}

Each key is declared once: as a field with its default, check and help text, and the variable that wins over the file.
The file's reader, `check`, the JSON Schema, the chart's values and the tables in the documentation come from here.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, make_dataclass
from typing import Any, NamedTuple

from smoker_common.kinds import Kind, duration, host, level, name, one_of, port, some_of, whole
from smoker_prober.bandwidth.wire import MOST_BYTES, MOST_SECONDS
from smoker_prober.config import cluster_dns
from smoker_prober.config import targets as externals
from smoker_prober.config.target_list import INTERVAL, TIMEOUT, TargetList, with_options
from smoker_prober.config.targets import External
from smoker_prober.probes import ECHOED, PROBES, option_kinds
from smoker_prober.probes.options import Option, key_of


def planned(default: Any, kind: Kind | type, help: str, variable: str = "") -> Any:
    """Declare a key. `variable` names the environment variable that wins over it."""
    metadata = {"option": Option(kind, help), "variable": variable}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


_ECHOES = some_of(*ECHOED)


@dataclass(frozen=True)
class EchoPorts:
    """The ports of the echo services."""

    tcp: int = planned(8080, port, "the port of the TCP echo", "TCP_PORT")
    udp: int = planned(8081, port, "the port of the UDP echo", "UDP_PORT")
    http: int = planned(8082, port, "the port of the HTTP echo", "HTTP_PORT")
    stamp: int = planned(8062, port, "the port of the STAMP reflector", "STAMP_PORT")


@dataclass(frozen=True)
class Service:
    """The echo services."""

    host: str = planned("smoker-server", host, "the host of the echo Services", "SERVER_HOST")
    ports: EchoPorts = planned(EchoPorts(), EchoPorts, "their ports")
    probes: tuple[str, ...] = planned(
        ECHOED, _ECHOES, "the kinds of probes sent to the echo services and peers; a train follows udp", "PROBES"
    )


@dataclass(frozen=True)
class MeshPlan:
    """The peers."""

    peers: int = planned(10, whole(0, 10_000), "number of nodes to probe; 0: all", "MESH_PEERS")
    probes: tuple[str, ...] = planned(
        ECHOED, _ECHOES, "the kinds of probes sent to the echo services and peers; a train follows udp", "PROBES"
    )


@dataclass(frozen=True)
class Replicas:
    """The pods of the DNS."""

    namespace: str = planned("kube-system", name, "the namespace of the DNS", "DNS_NAMESPACE")
    service: str = planned("", name, "the Service of the DNS, to probe each of its pods; unset: none", "DNS_SERVICE")


@dataclass(frozen=True)
class Dns:
    """The cluster's DNS."""

    name: str = planned("", cluster_dns.NAME, "the name to look up in the cluster's DNS; unset: none", "DNS_NAME")
    replicas: Replicas = planned(Replicas(), Replicas, "the pods of the DNS")


@dataclass(frozen=True)
class Bandwidth:
    """The measurements of the bandwidth between peers."""

    enabled: bool = planned(
        False, option_kinds.switch, "whether to measure the bandwidth to peers, one pair in the cluster at a time"
    )
    every: float = planned(3600.0, duration(3600, 604_800), "time between two measurements of one prober")
    bytes: int = planned(MOST_BYTES, whole(64 * 1024, MOST_BYTES), "most bytes in each direction")
    duration: float = planned(MOST_SECONDS, duration(0.05, MOST_SECONDS), "longest time of each direction")


@dataclass(frozen=True)
class Udp:
    """What follows a UDP probe of an echo service or a peer."""

    packets: int = planned(
        10, whole(0, 1000), "packets in the train that follows each UDP probe; 0: no train", "UDP_PACKETS"
    )
    mtu_interval: float = planned(
        30.0,
        duration(0, 86400),
        "time between two large packets that check the MTU, each after a UDP probe; 0: none",
        "MTU_INTERVAL",
    )
    flows: bool = planned(
        True,
        option_kinds.switch,
        "whether packets from 16 source ports to a peer follow lost ones, to find flows that always fail",
        "FLOWS",
    )
    kept_flow: bool = planned(
        True,
        option_kinds.switch,
        "whether one flow to the UDP echo service is kept, to find stale connection tracking",
        "KEPT_FLOW",
    )


#: A group for each probe that has options: what its targets begin with.
Defaults = make_dataclass(
    "Defaults",
    [
        ("udp", Udp, planned(Udp(), Udp, "the UDP probe of echo services and peers")),
        *(
            (name, Any, planned(PROBES[name].options(), PROBES[name].options, f"targets of the probe {name}"))
            for name in with_options()
        ),
    ],
    frozen=True,
)


@dataclass(frozen=True)
class Plan:
    """What to probe. Durations are seconds."""

    interval: float = planned(
        30.0, INTERVAL, "time from the start of one round to the start of the next", "TEST_INTERVAL"
    )
    timeout: float = planned(5.0, TIMEOUT, "time limit of one probe, name resolution included", "TEST_TIMEOUT")
    latency: str = planned(
        "network",
        one_of("network", "duration"),
        "the latency in result lines: the network's round-trip time, or the duration of the probe",
        "LATENCY",
    )
    log_level: str = planned("INFO", level, "the lowest level to log", "LOG_LEVEL")
    service: Service = planned(Service(), Service, "the echo services")
    mesh: MeshPlan = planned(MeshPlan(), MeshPlan, "the peers")
    dns: Dns = planned(Dns(), Dns, "the cluster's DNS")
    bandwidth: Bandwidth = planned(Bandwidth(), Bandwidth, "the bandwidth between peers")
    probes: Any = planned(Defaults(), Defaults, "options by probe")  # before `targets`, which begin with them
    trace: bool = planned(
        True,
        option_kinds.switch,
        "whether a trace follows a probe that keeps failing, to learn the last hop that answers",
        "TRACE",
    )
    targets: Mapping[str, External] = planned(
        {},
        TargetList(externals.kind.allowed, externals.parse),
        "external targets, each with its probe",
        "TARGETS",
    )
    api_server: bool = planned(
        False,
        option_kinds.switch,
        "whether to probe the API server's certificate, at the address at which pods ask it",
        "PROBE_API_SERVER",
    )

    @property
    def echoed(self) -> tuple[str, ...]:
        """Return the probes that run, of the echo services, of peers and of targets, in the order of a round."""
        used = {*self.service.probes, *self.mesh.probes, *(each.probe for each in self.targets.values())}
        used |= {"tls"} if self.api_server else set()
        used |= {"dns"} if self.dns.name else set()
        return tuple(probe for probe in PROBES if probe in used)


class Key(NamedTuple):
    """A key of the plan that is no group: its name in the file, the fields that lead to it, its declaration."""

    name: str
    fields: tuple[str, ...]
    option: Option
    default: Any
    variable: str


def keys(group: Any = None, before: tuple[str, ...] = ()) -> Iterator[Key]:
    """Yield every key of the plan, those of its groups in their place."""
    group = Plan() if group is None else group
    for each in dataclasses.fields(group):
        found: Option | None = each.metadata.get("option")
        if found is None:
            continue
        names = (*before, each.name)
        default = getattr(group, each.name)
        if isinstance(found.kind, Kind):
            name = ".".join(map(key_of, names))
            yield Key(name, names, found, default, each.metadata.get("variable", ""))
        else:
            yield from keys(default, names)


def value_of(plan: Plan, fields: tuple[str, ...]) -> Any:
    """Return the value at the end of `fields`."""
    return functools.reduce(getattr, fields, plan)


def differences(before: Plan, now: Plan) -> list[str]:
    """Return the names of the keys in which two plans differ."""
    return [key.name for key in keys() if value_of(before, key.fields) != value_of(now, key.fields)]


def replaced(group: Any, fields: tuple[str, ...], value: Any) -> Any:
    """Return `group` with another value at the end of `fields`."""
    first, *others = fields
    inner = replaced(getattr(group, first), tuple(others), value) if others else value
    return dataclasses.replace(group, **{first: inner})
