"""Targets that the settings name: the echo services behind one host, and TARGETS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from smoker_diagnosis.state import SERVICE
from smoker_prober.config import targets as externals
from smoker_prober.probes import PROBES
from smoker_prober.probes.followups import path_mtu, train
from smoker_prober.process import Settings
from smoker_prober.target import EXTERNAL, OTHER, POD, Path, Target, service_path

Hosts = Mapping[str, tuple[Target, ...]]  # by a name of their own, the targets of a round


class Ports(NamedTuple):
    """The ports on which a peer, or the echo services, answer."""

    tcp: int
    udp: int
    http: int
    stamp: int


def hosts(settings: Settings) -> dict[str, tuple[Target, ...]]:
    """Return the targets of the echo services and each of TARGETS, by names that never collide.

    The name of the echo services is their host. The name of an external target has its plane, too.
    """
    found = {settings.server_host: service(settings, settings.server_host)}
    plane = _plane(settings, OTHER)
    for name, each in externals.parse(settings.targets).items():
        target = Target(each.probe, each.host, each.port, Path(EXTERNAL, name, plane), each.options)
        found[f"{name} {plane}"] = (target,)
    return found


def service(settings: Settings, host: str) -> tuple[Target, ...]:
    """Return the targets of the echo services on `host`."""
    ports = Ports(settings.tcp_port, settings.udp_port, settings.http_port, settings.stamp_port)
    plane = _plane(settings, SERVICE)
    return echoes(settings, host, ports, lambda port: service_path(host, port, plane))


def echoes(settings: Settings, host: str, ports: Ports, path_to: Callable[[int], Path]) -> tuple[Target, ...]:
    """Return a target for each probe of the settings, in the order of a round. `path_to` names the path to a port."""
    numbers = ports._asdict()
    return tuple(
        Target(
            probe,
            host,
            numbers[probe],
            path_to(numbers[probe]),
            followups=_after_udp(settings, ports.stamp) if probe == "udp" else (),
        )
        for probe in PROBES
        if probe in settings.probes
    )


def _after_udp(settings: Settings, stamp_port: int) -> tuple[Any, ...]:
    """Return the options of what follows a UDP probe that was answered."""
    found: list[Any] = []
    if settings.udp_packets:
        found.append(train.Options(stamp_port, settings.udp_packets, train.spread(settings.test_interval)))
    if settings.mtu_interval:
        found.append(path_mtu.Options(every=max(1, round(settings.mtu_interval / settings.test_interval))))
    return tuple(found)


def _plane(settings: Settings, place: str) -> str:
    """Return the plane from this prober's network to `place`."""
    return place if settings.network == POD else f"{settings.network}-{place}"
