"""Targets that the plan names: the echo services behind one host, and external targets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from smoker_diagnosis.state import PEER, SERVICE, Role
from smoker_prober.config import api_server
from smoker_prober.config.cluster_dns import by_service
from smoker_prober.config.plan import Plan
from smoker_prober.probes import PROBES
from smoker_prober.probes.followups import path_mtu, trace, train
from smoker_prober.probes.followups.base import Flows, KeptFlow
from smoker_prober.probes.trace import PORT
from smoker_prober.settings import Settings
from smoker_prober.target import EXTERNAL, OTHER, POD, Path, Target, service_path

ROOM = 2  # timeouts between two rounds that are spread, at least: the slowest usual probe ends before the next begins

Hosts = Mapping[str, tuple[Target, ...]]  # by a name of their own, the targets of a round


class Ports(NamedTuple):
    """The ports on which a peer, or the echo services, answer."""

    tcp: int
    udp: int
    http: int
    stamp: int
    bandwidth: int = 0  # of peers alone; 0: the peer serves no transfers


def hosts(settings: Settings) -> dict[str, tuple[Target, ...]]:
    """Return the targets of the echo services, the external targets and the API server, by names that never collide.

    The name of the echo services is their host. The name of an external target has its plane, too.
    """
    host = settings.plan.service.host
    found = {host: service(settings, host)}
    if settings.process.in_a_mesh and settings.plan.interval >= len(found[host]) * ROOM * settings.plan.timeout:
        found = spread(host, found[host])
    if settings.plan.dns.name:
        found[f"dns {SERVICE}"] = (by_service(settings.plan.dns.name, settings.process.network),)
    plane = _plane(settings, OTHER)
    for name, each in settings.plan.targets.items():
        path = Path(EXTERNAL, name, plane)
        target = Target(
            each.probe,
            each.host,
            each.port,
            path,
            each.options,
            interval=each.interval,
            timeout=each.timeout,
            on_failure=_traced(settings.plan),
        )
        found[f"{name} {plane}"] = (target,)
    own = api_server.target(plane) if settings.plan.api_server else None
    if own is not None:
        found.setdefault(f"{own} {plane}", (own,))  # a target of this name in TARGETS comes first
    return found


def spread(host: str, echoed: tuple[Target, ...]) -> dict[str, tuple[Target, ...]]:
    """Return a round for each of the echo services, evenly spread over the interval.

    In a mesh many paths show whether the network of a node works, but only these show whether Services work there. So
    the first of them fails within a third of the interval. With short intervals they stay one round: the next one comes
    soon enough, and the lines keep the order of a round even where a probe is not answered.
    """
    return {
        f"{host} {target.probe}": (replace(target, spread=number / len(echoed)),)
        for number, target in enumerate(echoed)
    }


def service(settings: Settings, host: str) -> tuple[Target, ...]:
    """Return the targets of the echo services on `host`."""
    own, plane = settings.plan.service, _plane(settings, SERVICE)
    ports = Ports(own.ports.tcp, own.ports.udp, own.ports.http, own.ports.stamp)
    return echoes(settings.plan, own.probes, host, ports, lambda port: service_path(host, port, plane))


def echoes(
    plan: Plan, probes: Collection[str], host: str, ports: Ports, path_to: Callable[[int], Path]
) -> tuple[Target, ...]:
    """Return a target for each of `probes`, in the order of a round. `path_to` names the path to a port.

    Paths to a Service are not traced: its address is translated on the node, and so are the addresses of the hops.
    """
    numbers = ports._asdict()
    paths = {probe: path_to(numbers[probe]) for probe in PROBES if probe in probes}
    return tuple(
        Target(
            probe,
            host,
            numbers[probe],
            path,
            followups=_after_udp(plan, ports.stamp, path.role) if probe == "udp" else (),
            on_failure=_traced(plan, ports.udp) if path.role == PEER else (),
        )
        for probe, path in paths.items()
    )


def _after_udp(plan: Plan, stamp_port: int, role: Role) -> tuple[Any, ...]:
    """Return the options of what follows a UDP probe that was answered. Flows to a Service end at several pods."""
    found: list[Any] = []
    udp = plan.probes.udp
    if udp.packets:
        found.append(train.Options(stamp_port, udp.packets, train.spread(plan.interval)))
    if udp.flows and role == PEER:
        found.append(Flows())
    if udp.mtu_interval:
        found.append(path_mtu.Options(every=max(1, round(udp.mtu_interval / plan.interval))))
    if udp.kept_flow and role == SERVICE:
        found.append(KeptFlow())  # last: it keeps its source port
    return tuple(found)


def _traced(plan: Plan, port: int = PORT) -> tuple[Any, ...]:
    """Return the options of what follows a failure that lasts. `port`: where a packet of a trace may be answered."""
    return (trace.Options(port),) if plan.trace else ()


def _plane(settings: Settings, place: str) -> str:
    """Return the plane from this prober's network to `place`."""
    return place if settings.process.network == POD else f"{settings.process.network}-{place}"
