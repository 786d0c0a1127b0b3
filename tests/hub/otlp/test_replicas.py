"""Which records a replica sends: only while it holds the Lease, and then also what opened before."""

from __future__ import annotations

from typing import Any

from smoker_hub.hub import Hub
from smoker_hub.incidents import Change
from smoker_hub.notify.notifier import GAP
from tests.conftest import eventually
from tests.hub.notify.receivers import Receiver, become, looking, receiver
from tests.hub.stand_ins import ManualClock, Prober

from .messages import attributes
from .test_exporter import again, all_records, exporting, of_event


def findings(there: Receiver) -> list[tuple[str, Any]]:
    """Return the records of findings, and the place of each."""
    of_findings = [each for each in all_records(there) if each.event_name.startswith("smoker.finding.")]
    return [
        (each.event_name.removeprefix("smoker.finding."), attributes(each)["smoker.finding.place"])
        for each in of_findings
    ]


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


def test_a_lease_that_is_regained_repeats_nothing() -> None:
    """Of an open finding and of a close, this replica sends again only what became worse in between."""
    may = [True]
    with looking("node-2") as (hub, found), receiver(200) as there, exporting(hub, there, may_notify=lambda: may[0]):

        def look(*, holds: bool) -> None:
            may[0] = holds
            hub.look()

        become(found, "node-3")
        for _ in range(3):
            hub.look()
        expected = [("open", "node-3"), ("close", "node-2")]
        eventually("both are there", lambda: sorted(findings(there)) == sorted(expected))
        look(holds=False)
        look(holds=True)
        look(holds=False)
        (incident,) = hub.incidents.open
        incident.escalations += 1  # while no replica sends
        for holds in (True, False, True):
            look(holds=holds)
        become(found)
        for _ in range(3):
            hub.look()
        expected += [("escalate", "node-3"), ("close", "node-3")]
        eventually("its close is there", lambda: ("close", "node-3") in findings(there))
        assert sorted(findings(there)) == sorted(expected)


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
    with looking("node-2", clock=clock) as (hub, _), receiver(200) as there, exporting(hub, there) as exporter:
        clock.instant += 30.0
        exporter.tell(Change("escalate", hub.incidents.open[0]))
        (record,) = eventually("it is there", lambda: all_records(there))
        assert record.event_name == "smoker.finding.escalate"
        assert record.severity_text == "ERROR"
        assert record.time_unix_nano == record.observed_time_unix_nano
        assert record.body.string_value.startswith("FAULT node-2: ")
