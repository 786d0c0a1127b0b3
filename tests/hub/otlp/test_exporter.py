"""From the hub's looks to the requests to a collector."""

from __future__ import annotations

from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from smoker_diagnosis.state import LastFailure
from smoker_hub.otlp.encode import Gauge
from smoker_hub.otlp.exporter import POINTS, parts
from smoker_hub.otlp.logs import BATCH, QUEUE
from tests.conftest import eventually
from tests.hub.notify.receivers import become, looking, receiver
from tests.hub.stand_ins import WALL, ManualClock, Prober

from .exports import exporting, of_event
from .messages import attributes, points, records


def again(found: list[Prober]) -> None:
    """Make every prober send its state again, without changes."""
    for prober in found:
        prober.state = msgspec.structs.replace(prober.state, interval=prober.state.interval + 1e-6)


def test_findings_and_failed_results_are_logs() -> None:
    """A finding is a log when it opens and closes. Each failed result is one log, however often a state is sent."""
    clock = ManualClock()
    with looking(clock=clock) as (hub, found), receiver(200) as there, exporting(hub, there):
        become(found, "node-2")
        hub.look()
        failed = sum(path.last == "timeout" for state in hub.collected.states for path in state.paths)
        again(found)
        hub.look()
        (opened,) = eventually("the finding is there", lambda: of_event(there, "smoker.finding.open"))
        assert opened.severity_text == "ERROR"
        assert opened.body.string_value.startswith("FAULT node-2: ")
        about = attributes(opened)
        assert (about["smoker.finding.place"], about["smoker.finding.nodes"]) == ("node-2", ["node-2"])
        assert about["smoker.finding.id"] == hub.incidents.open[0].id
        eventually("the results are there", lambda: len(of_event(there, "smoker.result.failed")) == failed)
        one = attributes(of_event(there, "smoker.result.failed")[0])
        assert one["error.type"] == "timeout"
        assert "node-2" in (one["smoker.source"], one["smoker.target"])
        assert {"smoker.plane", "smoker.probe", "network.type"} <= one.keys()
        become(found)
        for _ in range(3):
            hub.look()
        (closed,) = eventually("its closing is there", lambda: of_event(there, "smoker.finding.close"))
        assert (closed.severity_text, closed.body.string_value[:14]) == ("INFO", "CLOSED node-2:")
        assert len(of_event(there, "smoker.result.failed")) == failed


def flapped(prober: Prober, at: float, count: int) -> None:
    """Make a prober's first path work again after its last of `count` failures, `at` its clock."""
    first, *rest = prober.state.paths
    failure = LastFailure(at, "timeout", count, "no answer within 5 s")
    works = msgspec.structs.replace(first, last_failure=failure)
    prober.state = msgspec.structs.replace(prober.state, paths=[works, *rest])


def test_a_failure_that_is_over_is_sent() -> None:
    """A failure whose confirmation succeeded before the look is sent once.

    Of several the last is sent, with their number.
    """
    with looking(clock=ManualClock()) as (hub, found), receiver(200) as there, exporting(hub, there):
        hub.look()
        prober, at = found[0], found[0].state.at
        flapped(prober, at - 3.0, 1)
        hub.look()
        again(found)
        hub.look()
        prober.raw = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
        hub.look()
        prober.raw = b""
        flapped(prober, at - 1.0, 4)
        hub.look()
        eventually("both are there", lambda: len(of_event(there, "smoker.result.failed")) >= 2)
        one, other = of_event(there, "smoker.result.failed")
        assert attributes(one)["smoker.source"] == prober.state.node
        assert [attributes(each)["smoker.failures"] for each in (one, other)] == [1, 3]
        assert attributes(one)["error.message"] == "no answer within 5 s"
        assert other.time_unix_nano - one.time_unix_nano == 2 * 10**9


def test_failures_before_the_hub_started_are_not_sent() -> None:
    """A hub that starts sends present failures, and not those of the ten minutes before."""
    with looking(clock=ManualClock()) as (hub, found), receiver(200) as there:
        for prober in found:
            flapped(prober, prober.state.at - 3.0, 1)
        hub.look()
        with exporting(hub, there):
            hub.look()
            flapped(found[0], found[0].state.at - 1.0, 2)
            hub.look()
            (record,) = eventually("the new one is there", lambda: of_event(there, "smoker.result.failed"))
            assert attributes(record)["smoker.failures"] == 1


def test_an_older_prober_reports_its_last_result() -> None:
    """A state of an older prober has no last failure: a path that fails now is sent with its cause."""
    with looking(clock=ManualClock()) as (hub, found), receiver(200) as there, exporting(hub, there):
        hub.look()
        become(found, "node-2")
        assert not any(path.last_failure for prober in found for path in prober.state.paths)
        hub.look()
        records_of = eventually("they are there", lambda: of_event(there, "smoker.result.failed"))
        assert attributes(records_of[0])["smoker.failures"] == 1


def test_a_result_has_the_date_of_its_probe() -> None:
    """The date is that of the probe and not of the look, by the ages of the result and of the state."""
    clock = ManualClock()
    with looking(clock=clock) as (hub, found), receiver(200) as there, exporting(hub, there):
        become(found, "node-2")
        hub.look()
        record = eventually("one is there", lambda: of_event(there, "smoker.result.failed"))[0]
        assert record.observed_time_unix_nano == int(WALL + clock.instant) * 10**9
        assert record.time_unix_nano == int(WALL + clock.instant - 20) * 10**9


def test_roll_ups_of_nodes_are_metrics() -> None:
    """Metrics have a point for each node, and the numbers of open findings and of probers."""
    with looking("node-2") as (hub, _), receiver(200) as there, exporting(hub, there, metrics=True):
        eventually("an export is there", lambda: there.got)
        found = points(there.got[0])
    names = {point["smoker.node"]: value for point, value in found["smoker.node.paths.failing"]}
    assert len(names) == 12
    assert names["node-2"] == max(names.values()) > 0
    assert {point["smoker.finding.severity"]: value for point, value in found["smoker.findings.open"]}["critical"] == 1
    assert {point["state"]: value for point, value in found["smoker.hub.probers"]} == {"answering": 24, "silent": 0}
    assert all(0 <= value <= 1 for _, value in found["smoker.node.failure.ratio"])


def test_the_queue_is_bounded_and_counted(records: list[str]) -> None:
    """While a collector hangs the oldest records are dropped. Records that are left at the end are counted, too."""
    with looking() as (hub, _), receiver(0) as there, exporting(hub, there) as export:
        registry = CollectorRegistry()
        registry.register(export.exporter)

        def count(outcome: str) -> float | None:
            return registry.get_sample_value("smoker_hub_otlp_total", {"signal": "logs", "outcome": outcome})

        assert [count(outcome) for outcome in ("sent", "rejected", "failed", "dropped")] == [0, 0, 0, 0]
        one = exporter_record()
        export.logs.add([one])
        eventually("it is asked", lambda: there.got)
        export.logs.add([one] * (QUEUE + 7))
        assert count("dropped") == 7
        assert any("too many were waiting" in line and "'count': 7" in line for line in records)
        assert export.logs.drain(0.01) == QUEUE + 1
        assert count("dropped") == QUEUE + 8


def exporter_record() -> Any:
    from smoker_hub.otlp.encode import Record  # noqa: PLC0415

    return Record(0.0, 0.0, 13, "x", "x", {})


def test_shutdown_sends_waiting_records() -> None:
    """At the end waiting records are sent in batches within the size limit."""
    with looking() as (hub, _), receiver(200) as there, exporting(hub, there) as export:
        export.logs.add([exporter_record()] * (BATCH + 1))
        assert export.logs.drain(10.0) == 0
    assert [len(records(request)) for request in there.got] == [BATCH, 1]


def test_points_come_in_requests_of_bounded_size() -> None:
    """With any number of nodes no point is left out."""
    many = Gauge("a", "1", "", [({"n": str(number)}, float(number)) for number in range(2 * POINTS + 3)])
    few = Gauge("b", "1", "", [({}, 1.0)])
    found = list(parts([many, Gauge("c", "1", "", []), few]))
    assert [[(gauge.name, len(gauge.points)) for gauge in part] for part in found] == [
        [("a", POINTS)],
        [("a", POINTS)],
        [("a", 3), ("b", 1)],
    ]
