"""Gives the hub's data to the collector: failed results soon after each look, metrics once per interval.

The notifier sends the findings through `logs`, so that a collector gets each change once, like a receiver.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version

import gevent
from gevent.event import Event
from loguru import logger
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from smoker_common.metrics import counter
from smoker_common.work import BaseWork
from smoker_hub.hub import Hub
from smoker_hub.otlp import collected
from smoker_hub.otlp.encode import Gauge, Value, encode_metrics
from smoker_hub.otlp.logs import Logs
from smoker_hub.otlp.options import Otlp
from smoker_hub.otlp.sender import OUTCOMES, Sender
from smoker_hub.otlp.variables import Signal

POINTS = 5_000  # points of one request


class Exporter(BaseWork, Collector):
    """Exports while `may_notify` returns true, so that only one of several replicas does.

    `logs` is None where no logs are sent. The notifier starts and drains it.
    """

    def __init__(self, hub: Hub, otlp: Otlp, *, may_notify: Callable[[], bool] = lambda: True) -> None:
        self._hub, self._interval, self._may_notify = hub, otlp.interval, may_notify
        self._about: dict[str, Value] = {
            "service.name": "smoker-hub",
            "service.version": version("smoker-hub"),
            "service.instance.id": os.environ.get("HOSTNAME", ""),
            "k8s.cluster.name": hub.cluster,
            "k8s.namespace.name": os.environ.get("NAMESPACE", ""),
            **otlp.resource,
        }
        self._failed = collected.FailedResults()
        self._ending = Event()
        self.logs = None if otlp.logs is None else Logs(otlp.logs, self._about, hub.clock)
        self._metrics = None if otlp.metrics is None else Sender("metrics", otlp.metrics, self._ending.wait)
        self._greenlet: gevent.Greenlet[[Sender], None] | None = None

    def look(self, _changed: Sequence[object] = ()) -> None:
        """Send the failed results of the last look."""
        if self.logs is None:
            return
        failed = list(self._failed.look(self._hub))  # results that another replica has sent do not count as new later
        if self._may_notify():
            self.logs.add(failed)

    def start(self) -> None:
        """Begin to send metrics."""
        if self._metrics is not None:
            self._greenlet = gevent.spawn(self._run, self._metrics)

    def _run(self, sender: Sender) -> None:
        while not self._ending.wait(self._interval):
            if self._may_notify() and self._hub.looked is not None:
                self._export(sender)

    def _export(self, sender: Sender) -> None:
        """Send the metrics of now, and survive any failure."""
        at = self._hub.clock.wall_time()
        for part in parts(collected.gauges(self._hub)):
            count = sum(len(gauge.points) for gauge in part)
            try:
                sender.send(encode_metrics(self._about, part, at), count)
            except Exception:
                sender.counts["failed"] += count
                logger.exception("sending to the OTLP collector failed unexpectedly", signal="metrics")

    def drain(self, seconds: float) -> int:  # noqa: ARG002  the metrics of a moment are not worth a wait
        """Stop sending metrics."""
        self._ending.set()
        if self._greenlet is not None:
            self._greenlet.kill()
        return 0

    def collect(self) -> Iterator[Metric]:
        """Yield the hub's counter of what is exported."""
        senders: dict[Signal, Sender] = {}
        if self.logs is not None:
            senders["logs"] = self.logs.sender
        if self._metrics is not None:
            senders["metrics"] = self._metrics
        counts: list[tuple[dict[str, str], float]] = [
            ({"signal": signal, "outcome": outcome}, float(sender.counts[outcome]))
            for signal, sender in senders.items()
            for outcome in OUTCOMES
        ]
        yield counter(
            "smoker_hub_otlp_total", "Log records and metric points for the OTLP collector, by outcome", counts
        )


def parts(gauges: Iterable[Gauge]) -> Iterator[list[Gauge]]:
    """Yield `gauges` in requests of at most `POINTS` points."""
    part: list[Gauge] = []
    room = POINTS
    for gauge in gauges:
        rest = gauge.points
        while rest:
            part.append(gauge._replace(points=rest[:room]))
            rest, room = rest[room:], room - len(rest[:room])
            if not room:
                yield part
                part, room = [], POINTS
    if part:
        yield part
