"""Export the counts of echo servers as metrics. docs/metrics.md lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from smoker_common.admission import ALL, CLIENT
from smoker_common.metrics import Value, counter, gauge
from smoker_echo.counts import Counts

CONNECTED = ("tcp", "http")
ASKED = ("udp", "http")
#: The reasons of refusals, by protocol. Each has a series from the start.
REASONS = {
    "tcp": (ALL, CLIENT),
    "udp": ("echo_port", "low_port", "rate"),
    "stamp": ("echo_port", "low_port", "malformed", "rate"),
    "http": ("malformed", ALL, CLIENT, "status_4xx", "status_5xx"),
}


class Counting(Protocol):
    """A server with counts."""

    @property
    def counts(self) -> Counts:
        """Return the counts so far."""


class EchoMetrics(Collector):
    """Sums up the counts of `servers` by protocol (`tcp`, `udp`, `stamp`, `http`)."""

    def __init__(self, servers: Mapping[str, Sequence[Counting]]) -> None:
        self._servers = servers

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families that apply to the protocols of `servers`."""
        counts = {name: sum((server.counts for server in each), Counts()) for name, each in self._servers.items()}

        def of(field: str, among: Iterable[str]) -> list[Value]:
            return [({"protocol": name}, getattr(counts[name], field)) for name in counts if name in among]

        if connected := [name for name in counts if name in CONNECTED]:
            yield counter("smoker_echo_connections_total", "Connections accepted", of("connections", connected))
            yield gauge("smoker_echo_open_connections", "Connections open now", of("open", connected))
        if asked := [name for name in counts if name in ASKED]:
            yield counter("smoker_echo_requests_total", "Datagrams or requests answered", of("requests", asked))
        if "stamp" in counts:
            reflected: list[Value] = [({}, counts["stamp"].requests)]
            yield counter("smoker_echo_reflected_total", "STAMP packets reflected", reflected)
        yield counter("smoker_echo_received_bytes_total", "Payload bytes received", of("received", counts))
        yield counter("smoker_echo_sent_bytes_total", "Payload bytes sent", of("sent", counts))
        if refusals := list(_refusals(counts)):
            yield counter(
                "smoker_echo_refused_total",
                "Requests, datagrams and connections refused on purpose, by reason",
                refusals,
            )
        failed = "Connections, datagrams and requests that ended in an error"
        yield counter("smoker_echo_failed_total", failed, of("failed", counts))


def _refusals(counts: Mapping[str, Counts]) -> Iterator[Value]:
    for name, each in counts.items():
        for reason in REASONS.get(name, ()):
            yield {"protocol": name, "reason": reason}, each.refused[reason]
