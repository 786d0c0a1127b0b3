"""Which receiver gets what: each change once, by severity, and only from the hub that may notify."""

from __future__ import annotations

from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from smoker_hub.incident import GRAVITY
from smoker_hub.notify.delivery import Delivery
from smoker_hub.notify.notifier import GAP, Notifier
from smoker_hub.notify.options import receivers
from smoker_hub.notify.receiver import Notice
from tests.conftest import PATIENCE, eventually
from tests.hub.stand_ins import ManualClock

from .receivers import become, delivery, looking, receiver


class Kept(Delivery):
    """A delivery that keeps its messages."""

    def __init__(self, severity: str = "info") -> None:
        (options,) = receivers(f'[{{"type": "webhook", "url": "http://x/", "minSeverity": "{severity}"}}]')
        super().__init__(options)
        self.got: list[tuple[str, str]] = []
        self.notices: list[Notice] = []

    def put(self, message: Any) -> None:
        self.notices += message.notices
        self.got += [(notice.event, notice.view.place) for notice in message.notices]


def closes(hub: Any, found: Any, *still: str) -> None:
    become(found, *still)
    for _ in range(3):
        hub.look()


def test_each_change_is_sent_once() -> None:
    """A change is sent once, however often the findings are compared."""
    with looking("node-2") as (hub, found):
        one = Kept()
        notifier = Notifier(hub, [one])
        for _ in range(3):
            notifier.compare()
        assert one.got == [("open", "node-2")]
        closes(hub, found)
        for _ in range(3):
            notifier.compare()
        assert one.got == [("open", "node-2"), ("close", "node-2")]


def test_a_mild_finding_goes_only_to_receivers_that_accept_it() -> None:
    """A receiver of severe findings gets a finding when it becomes severe, and only then its close."""
    with looking("node-2") as (hub, found):
        mild, grave = Kept("info"), Kept("critical")
        (incident,) = hub.incidents.open
        incident.finding = msgspec.structs.replace(incident.finding, severity="warning")
        notifier = Notifier(hub, [mild, grave])
        notifier.compare()
        assert (mild.got, grave.got) == ([("open", "node-2")], [])
        incident.finding = msgspec.structs.replace(incident.finding, severity="critical")
        notifier.compare()
        assert len(mild.got) == 1
        assert grave.got == [("open", "node-2")]
        closes(hub, found)
        notifier.compare()
        assert mild.got == grave.got == [("open", "node-2"), ("close", "node-2")]


def make_worse(hub: Any, severity: str = "critical") -> None:
    """Make the hub's open finding worse, as its diagnosis would."""
    (incident,) = hub.incidents.open
    incident.see(msgspec.structs.replace(incident.finding, severity=severity), hub.clock.now())


def milder(hub: Any) -> None:
    """Make the hub's open finding a warning that was sent as one."""
    (incident,) = hub.incidents.open
    incident.finding = msgspec.structs.replace(incident.finding, severity="warning")
    incident._worst = GRAVITY["warning"]


def test_an_escalation_is_sent_once_as_an_update() -> None:
    """Receivers that have the finding get an update with its earlier severity. For a stricter receiver it opens."""
    with looking("node-2") as (hub, _):
        milder(hub)
        mild, grave = Kept("info"), Kept("critical")
        notifier = Notifier(hub, [mild, grave])
        notifier.compare()
        make_worse(hub)
        for _ in range(3):
            notifier.compare()
        assert mild.got == [("open", "node-2"), ("escalate", "node-2")]
        assert grave.got == [("open", "node-2")]
        before, view = mild.notices[-1].before, mild.notices[-1].view
        assert before is not None
        assert (before.finding.severity, view.finding.severity) == ("warning", "critical")


def test_an_escalation_before_a_take_over_is_sent_as_an_opening() -> None:
    """A hub that begins to notify sends the open findings as they are, and nothing twice."""
    with looking("node-2") as (hub, _):
        milder(hub)
        make_worse(hub)
        one = Kept()
        notifier = Notifier(hub, [one])
        notifier.compare()
        notifier.compare()
        assert one.got == [("open", "node-2")]


def test_only_the_holder_of_the_lease_notifies() -> None:
    """Another replica sends nothing. When it takes over, it sends what is open and what has just closed."""
    clock, holder = ManualClock(), [False]
    with looking("node-2", clock=clock) as (hub, found):
        one = Kept()
        notifier = Notifier(hub, [one], may_notify=lambda: holder[0])
        notifier.compare()
        assert one.got == []
        holder[0] = True
        notifier.compare()
        assert one.got == [("open", "node-2")]
        holder[0] = False
        closes(hub, found)
        notifier.compare()
        clock.instant += GAP / 2
        holder[0] = True
        notifier.compare()
        notifier.compare()
        assert one.got == [("open", "node-2"), ("close", "node-2")]
        holder[0] = False
        notifier.compare()
        clock.instant += GAP
        holder[0] = True
        notifier.compare()
        assert len(one.got) == 2


def test_a_change_just_before_the_end_is_sent() -> None:
    """A finding that opened with the last look is sent while the hub drains."""
    with looking("node-2") as (hub, _), receiver() as there, delivery(there.url) as one:
        notifier = Notifier(hub, [one])
        notifier.retire()
        notifier.close()
        assert notifier.drain(10.0) == 0
        assert there.got[0].json["event"] == "open"


class Noted:
    """A record that keeps a list of its calls."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def settled(self, receiver: str, notice: Notice) -> None:
        self.got.append(notice.event)

    def forget(self) -> None:
        self.got.append("forget")


def test_a_hub_that_ends_forgets_nothing() -> None:
    """It has given the Lease back when its last message is taken: that is recorded, and no record is lost."""
    holder, noted = [True], Noted()
    with looking("node-2") as (hub, _), receiver() as there, delivery(there.url) as one:
        notifier = Notifier(hub, [one], may_notify=lambda: holder[0], records=[noted])
        notifier.retire()
        notifier.wait_sent(PATIENCE)
        assert len(there.got) == 1, "what waited is sent before the Lease is given back"
        holder[0] = False
        notifier.close()
        assert notifier.drain(10.0) == 0
        assert noted.got == ["open"]


def test_it_runs_by_itself_and_counts() -> None:
    """A change is sent after the hub has looked. The counter has every outcome of every receiver from the start."""
    with looking() as (hub, found), receiver() as there:
        (options,) = receivers(f'[{{"type": "webhook", "name": "x", "url": "{there.url}"}}]')
        notifier = Notifier(hub, [Delivery(options)])
        registry = CollectorRegistry()
        registry.register(notifier)

        def value(outcome: str) -> float | None:
            labels = {"receiver": "x", "outcome": outcome}
            return registry.get_sample_value("smoker_hub_notifications_total", labels)

        assert [value(outcome) for outcome in ("sent", "failed", "dropped")] == [0, 0, 0]
        hub.follow(notifier.compare_soon)
        notifier.start()
        become(found, "node-4")
        hub.look()
        hub.look()
        eventually("it was sent", lambda: value("sent") == 1)
        assert there.got[0].json["finding"]["place"] == "node-4"
        notifier.retire()
        assert notifier.drain(10.0) == 0
