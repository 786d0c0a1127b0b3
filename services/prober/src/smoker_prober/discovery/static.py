"""Targets out of the settings: the echo services behind one host."""

from __future__ import annotations

from collections.abc import Mapping

from smoker_prober.settings import Settings
from smoker_prober.target import Target


def hosts(settings: Settings) -> dict[str, Mapping[str, Target]]:
    """By the host's name, a target for each probe, by the probe's name."""
    return {settings.server_host: targets(settings, settings.server_host)}


def targets(settings: Settings, host: str) -> dict[str, Target]:
    """A target for each probe of the echo services on `host`."""
    ports = {"tcp": settings.tcp_port, "udp": settings.udp_port, "http": settings.http_port}
    return {probe: Target(host, port) for probe, port in ports.items()}
