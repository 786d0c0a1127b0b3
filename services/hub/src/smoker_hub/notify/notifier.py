"""Decides who gets what: compares the open findings with what each receiver was sent.

A receiver gets a finding once when it opens, once each time that it becomes worse, and once when it closes. What was
sent is recorded, in the history and in the Lease, so that this holds after a restart and in the next hub, too. A hub
that begins to notify and has no record sends what is open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

import gevent
from gevent.event import Event
from loguru import logger
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from smoker_common.metrics import counter
from smoker_common.work import BaseWork
from smoker_hub.notify.delivery import OUTCOMES, Delivery, Message, Outlet
from smoker_hub.notify.receiver import Happening, Notice
from smoker_hub.web import now
from smoker_hub.web.views import View

if TYPE_CHECKING:
    from smoker_hub.hub import Hub
    from smoker_hub.incident import Incident

TICK = 1.0  # seconds between two comparisons, beside those that a change brings
GAP = 60.0  # seconds before a hub begins to notify; what closed within them may not have been sent by another replica


class Record(Protocol):
    """Keeps what was sent beyond the end of this process, for the one after it."""

    def settled(self, receiver: str, notice: Notice) -> None:
        """Record that `receiver` took a message, or refused it for good."""

    def forget(self) -> None:
        """Forget all: another hub notifies."""


class Known(NamedTuple):
    """What a receiver knows of an incident. `view`: as it was last sent, None where another replica sent it."""

    incident: Incident
    escalations: int
    view: View | None


class Before(NamedTuple):
    """What each receiver knows when this hub begins to notify. `more`: whether they were sent more than that."""

    known: Mapping[str, Mapping[str, Known]]
    more: bool


class _Sent:
    """What one receiver was sent."""

    def __init__(self, delivery: Outlet, now: float, known: Mapping[str, Known]) -> None:
        self.delivery = delivery
        self.open = dict(known)
        self.repeated = now  # the instant of the last message with all open findings


class Notifier(BaseWork, Collector):
    """Sends the changes of `hub` to the receivers of `deliveries`, and to `others`, while `may_notify` allows it.

    `records` keep what was sent; `known`: what a record of the time before this start has, by receiver. `take_over`
    gets what each receiver knows and returns what the holder before this hub had sent beyond that, None if unknown.
    """

    def __init__(
        self,
        hub: Hub,
        deliveries: Iterable[Delivery],
        *,
        others: Iterable[Outlet] = (),
        external_url: str = "",
        may_notify: Callable[[], bool] = lambda: True,
        records: Sequence[Record] = (),
        known: Mapping[str, Mapping[str, Known]] = MappingProxyType({}),
        take_over: Callable[[Mapping[str, Mapping[str, Known]]], Before | None] = lambda _known: None,
    ) -> None:
        self._hub, self._may_notify, self._external_url = hub, may_notify, external_url.rstrip("/")
        self._records, self._before, self._began = records, take_over, hub.clock.now()
        self._deliveries = list(deliveries)
        outlets: list[Outlet] = [*self._deliveries, *others]
        self._receivers = [_Sent(each, self._began, known.get(each.name, {})) for each in outlets]
        for each in outlets:
            each.settled = partial(self._settled, each.name)
        self._notifies = self._retired = False
        self.ended = Event()  # set when nothing more is sent
        self._news = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def compare_soon(self, _change: object = None) -> None:
        """Compare soon, because something has changed."""
        self._news.set()

    def compare(self) -> None:
        """Queue the changes that the receivers have not been sent."""
        may = bool(self._may_notify())
        began, ended = may and not self._notifies, self._notifies and not may
        self._notifies = may
        if not may:
            if ended or self._hub.clock.now() - self._began > GAP:  # a Lease is not taken at once after a start
                self._forget()
            return
        before = self._before({each.delivery.name: each.open for each in self._receivers}) if began else None
        for receiver in self._receivers:
            if began:
                self._take_over(receiver, before)
            self._changes(receiver)
            self._repeat(receiver)

    def _forget(self) -> None:
        """Forget what was sent: another replica notifies."""
        if any(receiver.open for receiver in self._receivers):
            for record in self._records:
                record.forget()
        for receiver in self._receivers:
            receiver.open.clear()

    def _settled(self, receiver: str, message: Message) -> None:
        if self._notifies and not message.repeat:
            for record, notice in product(self._records, message.notices):
                record.settled(receiver, notice)

    def _take_over(self, receiver: _Sent, before: Before | None) -> None:
        """Go on where the hub before this one stopped.

        Where that is not known, treat findings that closed a moment ago as sent, so that their end is sent.
        """
        if before is not None:
            receiver.open.update(before.known.get(receiver.delivery.name, {}))
            if not before.more:
                return
        since = self._hub.clock.now() - GAP
        closed = [each for each in self._hub.incidents.recent() if (each.closed or 0.0) >= since]
        wanted = (each for each in closed if receiver.delivery.wants(each.finding))
        for each in wanted:
            receiver.open.setdefault(each.id, Known(each, each.escalations, None))

    def _changes(self, receiver: _Sent) -> None:
        opened = {each.id: each for each in self._hub.incidents.open}
        for key, known in list(receiver.open.items()):
            if opened.get(key) is not known.incident:
                receiver.delivery.put(Message((self._notice(receiver, "close", known.incident),)))
                del receiver.open[key]
        for key, incident in opened.items():
            if key in receiver.open:
                if incident.escalations > receiver.open[key].escalations:
                    receiver.delivery.put(Message((self._notice(receiver, "escalate", incident),)))
            elif receiver.delivery.wants(incident.finding):
                receiver.delivery.put(Message((self._notice(receiver, "open", incident),)))

    def _repeat(self, receiver: _Sent) -> None:
        """Send all open findings again if the receiver's type needs it and its queue is empty."""
        delivery, instant = receiver.delivery, self._hub.clock.now()
        if not delivery.repeat or not delivery.idle or instant - receiver.repeated < delivery.repeat:
            return
        receiver.repeated = instant
        known = list(receiver.open.values())[: delivery.most]
        if notices := tuple(self._notice(receiver, "open", each.incident) for each in known):
            delivery.put(Message(notices, repeat=True))

    def _notice(self, receiver: _Sent, event: Happening, incident: Incident) -> Notice:
        """Return the notices for `receiver`, and note them as sent."""
        page = f"{self._external_url}/?view=finding&id={incident.id}" if self._external_url else ""
        view, known = now.view(self._hub, incident), receiver.open.get(incident.id)
        receiver.open[incident.id] = Known(incident, incident.escalations, view)
        return Notice(event, view, page, known.view if known is not None else None)

    def start(self) -> None:
        """Begin to compare and to send."""
        for receiver in self._receivers:
            receiver.delivery.start()
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            self._news.wait(TICK)
            self._news.clear()
            self._compare()

    def _compare(self) -> None:
        try:
            self.compare()
        except Exception:
            logger.exception("comparing findings with the messages that were sent failed unexpectedly")

    def retire(self) -> None:
        """Send what the last look may have changed, and start nothing new: this hub soon gives the Lease back."""
        if self._retired:
            return
        self._retired = True
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
        self._compare()

    def wait_sent(self, seconds: float) -> None:
        """Wait until nothing waits to be sent, for at most `seconds`."""
        waits = [gevent.spawn(receiver.delivery.wait_idle) for receiver in self._receivers]
        gevent.joinall(waits, timeout=seconds)
        gevent.killall(waits)

    def drain(self, seconds: float) -> int:
        """Send the waiting messages, for at most `seconds` each receiver. Return how many were not sent."""
        drains = [gevent.spawn(receiver.delivery.drain, seconds) for receiver in self._receivers]
        try:
            gevent.joinall(drains, raise_error=True)
        finally:
            self.ended.set()
        return sum(int(drain.get()) for drain in drains)

    def collect(self) -> Iterator[Metric]:
        """Yield the hub's counter of notifications."""
        counts: list[tuple[dict[str, str], float]] = [
            ({"receiver": each.name, "outcome": outcome}, float(each.counts[outcome]))
            for each in self._deliveries
            for outcome in OUTCOMES
        ]
        if counts:
            yield counter("smoker_hub_notifications_total", "Messages to receivers, by outcome", counts)
