"""Gives the hub's data to the senders: logs soon after each look, metrics once per interval."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from typing import NamedTuple

import gevent
from gevent.event import Event
from loguru import logger
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from smoker_common.metrics import counter
from smoker_common.work import BaseWork
from smoker_hub.hub import Hub
from smoker_hub.incident import Incident
from smoker_hub.incidents import Change
from smoker_hub.notify.notifier import GAP
from smoker_hub.otlp import collected
from smoker_hub.otlp.encode import Gauge, Record, Value, encode_logs, encode_metrics
from smoker_hub.otlp.options import Options, Otlp
from smoker_hub.otlp.sender import OUTCOMES, Sender
from smoker_hub.otlp.variables import Signal

QUEUE = 4_096  # records that may wait; beyond that the oldest is dropped
BATCH = 512  # records of one request
POINTS = 5_000  # points of one request


class _Sent(NamedTuple):
    """What this replica last queued of a finding: a full queue or a receiver that is away can still drop it."""

    escalations: int
    closed: bool


class Exporter(BaseWork, Collector):
    """Exports while `may_notify` returns true, so that only one of several replicas does.

    A replica that begins to export sends what is open, without what it has queued itself: a Lease can be lost and
    regained. What another replica has sent in between is sent again.
    """

    def __init__(self, hub: Hub, otlp: Otlp, *, may_notify: Callable[[], bool] = lambda: True) -> None:
        self._hub, self._otlp, self._may_notify = hub, otlp, may_notify
        self._about: dict[str, Value] = {
            "service.name": "smoker-hub",
            "service.version": version("smoker-hub"),
            "service.instance.id": os.environ.get("HOSTNAME", ""),
            "k8s.cluster.name": hub.cluster,
            "k8s.namespace.name": os.environ.get("NAMESPACE", ""),
            **otlp.resource,
        }
        self._waiting: deque[Record] = deque()
        self._failed = collected.FailedResults()
        self._news, self._idle, self._ending = Event(), Event(), Event()
        self._idle.set()
        options: dict[Signal, Options | None] = {"logs": otlp.logs, "metrics": otlp.metrics}
        self._senders = {
            signal: Sender(signal, of_signal, self._ending.wait)
            for signal, of_signal in options.items()
            if of_signal is not None
        }
        # Whether findings are sent as they change. Without a Lease there is no other replica.
        self._sends = may_notify()
        self._sent: dict[tuple[str, float | None], _Sent] = {}  # by the finding's id and when it opened
        self._in_flight = 0  # records of the batch that is being sent
        self._greenlets: list[gevent.Greenlet[[], None]] = []

    def tell(self, change: Change) -> None:
        """Send a finding that opened, became worse or closed."""
        self._sends = self._sends and self._may_notify()  # the next look sends what this one leaves out
        if self._sends:
            self._put_changes([change])

    def look(self, _changed: Sequence[object] = ()) -> None:
        """Send the failed results of the last look; after another replica, first what is open."""
        if "logs" not in self._senders:
            return
        before, self._sends = self._sends, self._may_notify()
        failed = list(self._failed.look(self._hub))  # results that another replica has sent do not count as new later
        if not self._sends:
            return
        if not before:
            self._put_changes(list(self._unsent()))
        self._put(failed)

    def _unsent(self) -> Iterator[Change]:
        """Yield what this replica has not sent, and the one before it perhaps neither.

        That is what is open or closed a moment ago.
        """
        incidents, since = self._hub.incidents, self._hub.clock.now() - GAP
        for incident in incidents.recent():
            sent = self._sent.get(_key(incident))
            if (incident.closed or 0.0) >= since and not (sent and sent.closed):
                yield Change("close", incident)
        for incident in incidents.open:
            sent = self._sent.get(_key(incident))
            if sent is None:
                yield Change("open", incident)
            elif incident.escalations > sent.escalations:
                yield Change("escalate", incident)

    def _put_changes(self, changes: Sequence[Change]) -> None:
        """Queue the records of `changes`, and note them as sent."""
        for each in changes:
            self._sent[_key(each.incident)] = _Sent(each.incident.escalations, each.kind == "close")
        known = {_key(each) for each in [*self._hub.incidents.open, *self._hub.incidents.recent()]}
        self._sent = {key: sent for key, sent in self._sent.items() if key in known}
        self._put(collected.of_change(self._hub, each) for each in changes)

    def _put(self, records: Iterable[Record]) -> None:
        if "logs" not in self._senders:
            return
        for record in records:
            self._waiting.append(record)
        over = len(self._waiting) - QUEUE
        if over > 0:
            for _ in range(over):
                self._waiting.popleft()
            self._senders["logs"].counts["dropped"] += over
            logger.warning("records for the OTLP collector were dropped because too many were waiting", count=over)
        if self._waiting:
            self._idle.clear()
            self._news.set()

    def start(self) -> None:
        """Begin to send."""
        if "logs" in self._senders:
            self._greenlets.append(gevent.spawn(self._logs))
        if "metrics" in self._senders:
            self._greenlets.append(gevent.spawn(self._metrics))

    def _logs(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                self._in_flight = len(batch)
                self._send("logs", partial(encode_logs, self._about, batch), len(batch))
                self._in_flight = 0
            self._idle.set()

    def _metrics(self) -> None:
        while not self._ending.wait(self._otlp.interval):
            if self._may_notify() and self._hub.looked is not None:
                self._export()

    def _export(self) -> None:
        at = self._hub.clock.wall_time()
        for part in parts(collected.gauges(self._hub)):
            count = sum(len(gauge.points) for gauge in part)
            self._send("metrics", partial(encode_metrics, self._about, part, at), count)

    def _send(self, signal: Signal, encode: Callable[[], bytes], count: int) -> None:
        """Send a batch, and survive any failure."""
        sender = self._senders[signal]
        try:
            sender.send(encode(), count)
        except Exception:
            sender.counts["failed"] += count
            logger.exception("sending to the OTLP collector failed unexpectedly", signal=signal)

    def drain(self, seconds: float) -> int:
        """Send the waiting records within `seconds`, without pauses. Return how many were not sent."""
        self._ending.set()
        self._idle.wait(seconds)
        gevent.killall(self._greenlets)
        left = len(self._waiting) + self._in_flight
        if left:
            self._senders["logs"].counts["dropped"] += left
            logger.warning("records for the OTLP collector were not sent before the hub ended", count=left)
        self._waiting.clear()
        return left

    def collect(self) -> Iterator[Metric]:
        """Yield the hub's counter of what is exported."""
        counts: list[tuple[dict[str, str], float]] = [
            ({"signal": signal, "outcome": outcome}, float(sender.counts[outcome]))
            for signal, sender in self._senders.items()
            for outcome in OUTCOMES
        ]
        yield counter(
            "smoker_hub_otlp_total", "Log records and metric points for the OTLP collector, by outcome", counts
        )


def _key(incident: Incident) -> tuple[str, float | None]:
    return incident.id, incident.opened


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
