"""The last transfer to each peer, as metrics. docs/metrics.md lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from smoker_common.metrics import Value, counter, gauge
from smoker_prober.probes.bandwidth import Details, Rates
from smoker_prober.result import Outcome, Result

SUCCESS, FAILURE = "success", "failure"


class BandwidthMetrics(Collector):
    """Shows the transfers that `last` returns, by node, and counts all. It registers itself in `registry`."""

    def __init__(self, registry: CollectorRegistry, last: Callable[[], Mapping[str, Result]]) -> None:
        self._last = last
        self._counts: Counter[str] = Counter()
        registry.register(self)

    def keep(self, result: Result) -> None:
        """Count the result of a transfer."""
        self._counts[SUCCESS if result.outcome is Outcome.SUCCESS else FAILURE] += 1

    def collect(self) -> Iterable[Metric]:
        """Yield the families."""
        yield gauge(
            "smoker_bandwidth_bytes_per_second",
            "Bytes per second of the last transfer, by the sender's kernel (tcp_info) or the receiver's clock",
            self._rates(),
        )
        yield gauge(
            "smoker_bandwidth_retransmits",
            "Segments sent again in the last transfer",
            [(labels, float(rates.retransmits)) for labels, rates in self._each()],
        )
        yield gauge(
            "smoker_bandwidth_timestamp_seconds",
            "When the last transfer that succeeded began",
            [({"target": node}, result.start) for node, result in self._last().items()],
        )
        yield counter(
            "smoker_bandwidth_transfers_total",
            "Transfers that this prober began",
            [({"outcome": outcome}, float(self._counts[outcome])) for outcome in (SUCCESS, FAILURE)],
        )

    def _each(self) -> Iterator[tuple[dict[str, str], Rates]]:
        for node, result in self._last().items():
            if isinstance(result.details, Details):
                for direction, rates in result.details.directions:
                    yield {"target": node, "direction": direction}, rates

    def _rates(self) -> list[Value]:
        return [
            ({**labels, "method": method}, value)
            for labels, rates in self._each()
            for method, value in (("tcp_info", rates.tcp_info), ("clock", rates.clock))
            if value is not None
        ]
