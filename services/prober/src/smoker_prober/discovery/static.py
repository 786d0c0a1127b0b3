"""Targets out of the settings: the echo services behind one host."""

from __future__ import annotations

from smoker_prober.settings import Settings
from smoker_prober.target import Target


def targets(settings: Settings) -> dict[str, Target]:
    """A target for each probe, by the probe's name."""
    ports = {"tcp": settings.tcp_port, "udp": settings.udp_port, "http": settings.http_port}
    return {probe: Target(settings.server_host, port) for probe, port in ports.items()}
