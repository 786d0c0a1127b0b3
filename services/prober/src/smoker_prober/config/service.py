"""Targets out of the settings: the echo services behind one host, and the fixed ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from smoker_prober.config import targets as fixed
from smoker_prober.peers.peer import Ports
from smoker_prober.process import Settings
from smoker_prober.target import OTHER, Path, Target


def hosts(settings: Settings) -> dict[str, Mapping[str, Target]]:
    """By a name of their own, a target for each probe, by the probe's name, and one for the train where there is one.

    The echo services' is that of their host, one of TARGETS' has its plane too: they never meet.
    """
    found: dict[str, Mapping[str, Target]] = {settings.server_host: targets(settings, settings.server_host)}
    plane = OTHER if settings.network == "pod" else f"{settings.network}-{OTHER}"
    for name, (probe, target) in fixed.parse(settings.targets).items():
        found[f"{name} {plane}"] = {probe: replace(target, peer=Path(name, plane))}
    return found


def targets(settings: Settings, host: str) -> dict[str, Target]:
    """A target for each probe of the echo services on `host`, and one for the train."""
    ports = Ports(settings.tcp_port, settings.udp_port, settings.http_port, settings.stamp_port)
    found = {probe: Target(host, port) for probe, port in ports.of(settings.probes).items()}
    if settings.network == "pod":
        return found
    return {
        probe: Target(host, target.port, Path(target.authority, f"{settings.network}-service"))
        for probe, target in found.items()
    }
