"""Which records a replica sends: only while it holds the Lease, and then also what opened and was not sent before."""

from __future__ import annotations

import json
from collections.abc import Callable

from smoker_hub.hub import Hub
from smoker_hub.notify.delivery import Message
from smoker_hub.notify.memory import LeaseMemory
from smoker_hub.notify.notifier import GAP
from tests.conftest import PATIENCE, eventually
from tests.hub.notify.receivers import Receiver, become, looking, notice, receiver
from tests.hub.stand_ins import ManualClock, Prober, hub_of

from .exports import all_records, exporting, findings, of_event
from .messages import attributes
from .test_exporter import again


def close(hub: Hub, found: list[Prober], there: Receiver) -> None:
    """End the fault of node-2, and wait until the receiver has its close."""
    become(found)
    for _ in range(3):
        hub.look()
    eventually("its close is there", lambda: ("close", "node-2") in findings(there))


def test_a_take_over_sends_open_findings_and_repeats_no_results() -> None:
    """A finding that opened before this replica may send is sent once it may, once. Failed results are not repeated."""
    may = [False]
    with looking() as (hub, found), receiver(200) as there, exporting(hub, there, may_notify=lambda: may[0]):
        become(found, "node-2")
        hub.look()
        hub.look()
        (incident,) = hub.incidents.open
        may[0] = True
        again(found)
        hub.look()
        (opened,) = eventually("what is open is there", lambda: of_event(there, "smoker.finding.open"))
        assert attributes(opened)["smoker.finding.id"] == incident.id
        assert of_event(there, "smoker.result.failed") == []
        become(found, "node-2", "node-3")
        hub.look()
        eventually("what is new is there", lambda: of_event(there, "smoker.result.failed"))
        told = [attributes(record) for record in of_event(there, "smoker.result.failed")]
        assert all("node-3" in (one["smoker.source"], one["smoker.target"]) for one in told)
        close(hub, found, there)
        assert findings(there).count(("open", "node-2")) == 1


def test_a_finding_that_opens_with_the_take_over_is_sent_once() -> None:
    """The look that opens a finding may be the first after the Lease is taken: there is one record."""
    may = [False]
    with looking() as (hub, found), receiver(200) as there, exporting(hub, there, may_notify=lambda: may[0]):
        become(found, "node-2")
        hub.look()
        may[0] = True
        hub.look()
        eventually("it is there", lambda: findings(there))
        close(hub, found, there)
        assert findings(there) == [("open", "node-2"), ("close", "node-2")]


def test_a_finding_that_opens_while_the_lease_is_lost_is_sent_later() -> None:
    """It is sent when this replica takes the Lease again, and not before."""
    may = [True]
    with looking() as (hub, found), receiver(200) as there, exporting(hub, there, may_notify=lambda: may[0]):
        become(found, "node-2")
        hub.look()
        may[0] = False
        hub.look()
        assert hub.incidents.open
        may[0] = True
        hub.look()
        close(hub, found, there)
        assert findings(there) == [("open", "node-2"), ("close", "node-2")]


def milder(left: str) -> str:
    """Return a memory in which the finding was sent as a warning."""
    document = json.loads(left)
    document["sent"][0]["finding"]["severity"] = "warning"
    return json.dumps(document)


def test_a_lease_that_is_regained_repeats_nothing() -> None:
    """Of an open finding and of a close, this replica sends again only what became worse in between."""
    may = [True]
    with (
        looking("node-2") as (hub, found),
        receiver(200) as there,
        exporting(hub, there, may_notify=lambda: may[0]) as export,
    ):

        def look(times: int = 1) -> list[tuple[str, str]]:
            for _ in range(times):
                hub.look()
            export.logs.wait_idle()
            return sorted(findings(there))

        def lose_and_regain(change: Callable[[str], str] = str) -> None:
            left = change(export.memory.text(0))
            may[0] = False
            look()
            export.memory.load(left, 0, hub.clock.wall_time())
            may[0] = True

        become(found, "node-3")
        expected = [("close", "node-2"), ("open", "node-2"), ("open", "node-3")]
        assert look(3) == expected
        lose_and_regain()
        assert look() == expected
        lose_and_regain(milder)
        expected.insert(1, ("escalate", "node-3"))
        assert look() == expected
        lose_and_regain()
        become(found)
        assert look(3) == [("close", "node-2"), ("close", "node-3"), *expected[1:]]


def taken_over(change: Callable[[list[Prober]], object], looks: int, first: int = 200) -> list[tuple[str, str]]:
    """Return the records of findings from two hubs, of which the second takes over and looks so often.

    The first one has sent the opening of node-2 to a collector whose first answer is `first`. `change` is done between
    the two.
    """
    clock = ManualClock()
    with looking("node-2", clock=clock) as (hub, found), receiver(first, 200) as there:
        with exporting(hub, there) as old:
            hub.look()
            old.logs.wait_idle()
            left = old.memory.text(0)
        assert findings(there) == [("open", "node-2")]
        change(found)
        next_hub = hub_of(found, clock)
        with exporting(next_hub, there, left=left) as new:
            for _ in range(looks):
                next_hub.look()
            new.logs.wait_idle()
            assert ('"sent":[]' in new.memory.text(0)) is (not next_hub.incidents.open)
        return findings(there)


def test_the_next_hub_does_not_repeat_an_opening() -> None:
    """A new pod that reads the Lease's memory sends nothing of a finding that lasts, and its close later."""
    assert taken_over(lambda _found: None, 4) == [("open", "node-2")]
    assert taken_over(become, 3) == [("open", "node-2")]


def test_the_next_hub_sends_the_close_of_what_ended_meanwhile() -> None:
    """The finding ends while no hub runs: three looks after the take-over close it."""
    assert taken_over(become, 4) == [("open", "node-2"), ("close", "node-2")]


def test_a_refused_record_is_not_repeated_either() -> None:
    """What a collector refuses for good counts as sent, as with a receiver."""
    assert taken_over(lambda _found: None, 4, first=400) == [("open", "node-2")]


def test_a_record_that_waits_is_sent_by_the_next_hub() -> None:
    """A hub that ends before the collector takes a record leaves it to the next one."""
    clock = ManualClock()
    with looking("node-2", clock=clock) as (hub, found), receiver(200) as there:
        with receiver(503) as busy, exporting(hub, busy) as old:
            hub.look()
            eventually("the collector is asked", lambda: busy.got)
            assert old.drain(PATIENCE) == 0
            left = old.memory.text(0)
        next_hub = hub_of(found, clock)
        with exporting(next_hub, there, left=left) as new:
            next_hub.look()
            next_hub.look()
            new.logs.wait_idle()
        assert findings(there) == [("open", "node-2")]


def test_a_memory_without_the_collector() -> None:
    """An older hub, or one that had no collector, has told it nothing: what is open is sent, and its close."""
    clock = ManualClock()
    with looking("node-2", clock=clock) as (hub, found), receiver(200) as there:
        old = LeaseMemory(["webhook"], clock)
        old.settled("webhook", notice(hub))
        next_hub = hub_of(found, clock)
        with exporting(next_hub, there, left=old.text(0)) as new:
            next_hub.look()
            next_hub.look()
            become(found)
            for _ in range(3):
                next_hub.look()
            new.logs.wait_idle()
        assert findings(there) == [("open", "node-2"), ("close", "node-2")]


def test_a_close_a_moment_before_the_take_over_is_sent() -> None:
    """The replica that sent the opening may be gone before the close; an older close was sent by another one."""
    for ago, expected in ((GAP - 1.0, [("close", "node-2")]), (GAP + 1.0, [])):
        clock, may = ManualClock(), [False]
        with (
            looking("node-2", clock=clock) as (hub, found),
            receiver(200) as there,
            exporting(hub, there, may_notify=lambda may=may: may[0]),  # type: ignore[misc]
        ):
            become(found)
            for _ in range(3):
                hub.look()
            assert hub.incidents.open == []
            clock.instant += ago
            may[0] = True
            hub.look()
            become(found, "node-3")
            hub.look()
            hub.look()
            eventually("the next finding is there", lambda there=there: ("open", "node-3") in findings(there))  # type: ignore[misc]
            assert findings(there) == [*expected, ("open", "node-3")]


def test_an_escalation_is_an_event_of_its_own() -> None:
    """A finding that becomes worse is no second opening, and has the date of the change."""
    clock = ManualClock()
    with looking("node-2", clock=clock) as (hub, _), receiver(200) as there, exporting(hub, there) as export:
        clock.instant += 30.0
        export.logs.put(Message((notice(hub)._replace(event="escalate"),)))
        (record,) = eventually("it is there", lambda: all_records(there))
        assert record.event_name == "smoker.finding.escalate"
        assert record.severity_text == "ERROR"
        assert record.time_unix_nano == record.observed_time_unix_nano
        assert record.body.string_value.startswith("FAULT node-2: ")
