"""The hub's metrics; docs/metrics.md lists every series."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from smoker_common.metrics import counter, gauge
from smoker_diagnosis import text
from smoker_hub.hub import Hub

MOST = 50  # findings that have series of their own


class HubMetrics(Collector):
    """What the hub knows now."""

    def __init__(self, hub: Hub, notifies: Callable[[], bool] = lambda: True) -> None:
        self._hub, self._notifies = hub, notifies

    def collect(self) -> Iterable[Metric]:
        hub, collected = self._hub, self._hub.collected
        shown = hub.incidents.open[:MOST]
        labels = [
            {
                "finding": each.id,
                "scope": text.place(each.finding)[:200],
                "layer": each.finding.layer,
                "kind": each.finding.kind,
                "severity": each.finding.severity,
            }
            for each in shown
        ]
        yield gauge("smoker_finding_open", "An open finding; always 1", [(label, 1.0) for label in labels])
        sure = [({"finding": each.id}, each.finding.confidence) for each in shown]
        yield gauge("smoker_finding_confidence_ratio", "How sure the diagnosis is of an open finding", sure)
        silent = len(collected.silent)
        probers = [({"state": "answering"}, float(collected.asked - silent)), ({"state": "silent"}, float(silent))]
        yield gauge("smoker_hub_probers", "Probers that the hub asks, by whether they answer", probers)
        yield counter("smoker_hub_looks_total", "Looks at all probers", [({}, float(hub.looks))])
        yield gauge("smoker_hub_look_seconds", "How long the last look at all probers took", [({}, hub.took)])
        blind: list[tuple[dict[str, str], float]] = [({}, float(hub.blind))]
        yield gauge("smoker_hub_blind", "1 while fewer than half of the probers answer the hub", blind)
        notifies: list[tuple[dict[str, str], float]] = [({}, float(self._notifies()))]
        yield gauge("smoker_hub_notifies", "1 where this replica is the one that notifies", notifies)
