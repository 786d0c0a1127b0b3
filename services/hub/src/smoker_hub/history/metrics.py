"""The metrics of the history; docs/metrics.md lists every series."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from smoker_common.metrics import counter, gauge
from smoker_hub.history.recorder import History


class HistoryMetrics(Collector):
    """Metrics of the history: its size, its oldest entry, and lost entries."""

    def __init__(self, history: History) -> None:
        self._history = history

    def collect(self) -> Iterable[Metric]:
        history = self._history
        works = "Whether the history can be written"
        yield gauge("smoker_hub_history_works", works, [({}, float(history.works))])
        size = "Size of the history with its write-ahead log"
        yield gauge("smoker_hub_history_bytes", size, [({}, float(history.size.bytes))])
        oldest: list[tuple[dict[str, str], float]] = [] if history.size.oldest is None else [({}, history.size.oldest)]
        about = "Time of the oldest look that is kept, in seconds since the epoch"
        yield gauge("smoker_hub_history_oldest_timestamp_seconds", about, oldest)
        lost = "Entries of the history that were dropped because its queue was full"
        yield counter("smoker_hub_history_dropped_total", lost, [({}, float(history.counts["dropped"]))])
        anew = "How often an empty history replaced a corrupt or full one"
        yield counter("smoker_hub_history_renewed_total", anew, [({}, float(history.counts["began"]))])
