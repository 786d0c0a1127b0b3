"""A real Alertmanager accepts the hub's alerts, keeps them while they are repeated, and resolves them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from smoker_hub.notify.alertmanager import LASTS, Alertmanager
from smoker_hub.notify.delivery import Message
from smoker_hub.notify.notifier import Notifier
from smoker_hub.notify.options import receivers
from tests.alertmanager import ask, serving
from tests.conftest import eventually
from tests.hub.stand_ins import ManualClock

from .receivers import PAGE, become, delivery, looking, notice
from .test_notifier import make_worse, milder


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("alertmanager")) as url:
        yield url


def alerts(url: str) -> list[dict[str, Any]]:
    """Return the active alerts."""
    found: list[dict[str, Any]] = ask(url, "alerts", active="true")
    return found


class Today(ManualClock):
    """Clocks that a test moves from the present date: Alertmanager compares dates with its own."""

    def wall_time(self) -> float:
        return time.time() + self.instant - 1000.0


def test_an_alert_is_there_until_it_closes(alertmanager: str) -> None:
    """There is one alert with its labels, annotations and page, until the finding closes."""
    with looking("node-2", clock=Today()) as (hub, found), delivery(alertmanager, "alertmanager") as one:
        notifier = Notifier(hub, [one], external_url="https://smoker.example/")
        notifier.compare()
        (alert,) = eventually("the alert is there", lambda: alerts(alertmanager))
        finding = hub.incidents.open[0].finding
        assert alert["labels"] == {
            "alertname": "SmokerFault",
            "finding": finding.id,
            "scope": "node-2",
            "layer": finding.layer,
            "kind": finding.kind,
            "severity": finding.severity,
            "cluster": "blue",
        }
        assert alert["annotations"]["summary"].startswith("FAULT node-2: ")
        assert "\nnext: kubectl " in alert["annotations"]["description"]
        assert alert["generatorURL"] == PAGE + finding.id
        become(found)
        for _ in range(3):
            hub.look()
        notifier.compare()
        eventually("the alert is resolved", lambda: not alerts(alertmanager))
        eventually("both are counted", lambda: one.counts == {"sent": 2})


def test_an_escalation_is_one_alert(alertmanager: str) -> None:
    """The alert of the old severity ends in the message that brings the new one, and the close ends that."""
    with looking("node-5", clock=Today()) as (hub, found), delivery(alertmanager, "alertmanager") as one:
        milder(hub)
        notifier = Notifier(hub, [one])
        notifier.compare()
        eventually("the warning is there", lambda: severities(alertmanager) == ["warning"])
        make_worse(hub)
        notifier.compare()
        eventually("it alone is critical", lambda: severities(alertmanager) == ["critical"])
        become(found)
        for _ in range(3):
            hub.look()
        notifier.compare()
        eventually("the alert is resolved", lambda: not alerts(alertmanager))


def severities(url: str) -> list[str]:
    return [alert["labels"]["severity"] for alert in alerts(url)]


def test_an_open_finding_is_repeated_every_minute(alertmanager: str) -> None:
    """Each repetition moves the alert's end to four minutes ahead."""
    clock = Today()
    with looking("node-3", clock=clock) as (hub, _), delivery(alertmanager, "alertmanager") as one:
        notifier = Notifier(hub, [one])
        notifier.compare()
        (first,) = eventually("the alert is there", lambda: alerts(alertmanager))
        eventually("nothing waits", lambda: one.idle)
        notifier.compare()
        assert one.idle
        clock.instant += 61.0
        notifier.compare()
        eventually("it was repeated", lambda: one.counts["sent"] == 2)
        (second,) = alerts(alertmanager)
        assert second["labels"] == first["labels"]
        assert second["endsAt"] > first["endsAt"]
        assert second["startsAt"][:19] == first["startsAt"][:19] or second["fingerprint"] == first["fingerprint"]


def test_a_refusal_is_logged(alertmanager: str, records: list[str]) -> None:
    """The receiver's reason for a refusal is logged, and the message is not sent again."""
    with looking("node-2") as (hub, _), delivery(alertmanager + "/nothing-here", "alertmanager") as one:
        one.put(Message((notice(hub),)))
        eventually("it was given up", lambda: one.counts["failed"] == 1)
        (line,) = (line for line in records if "could not be sent" in line)
        assert "status 404" in line
        assert "'attempts': 1" in line


def test_the_end_of_an_alert_is_counted_from_each_attempt(tmp_path: Path) -> None:
    """An attempt minutes after the change still says that the alert continues."""
    (options,) = receivers('[{"type": "alertmanager", "url": "http://am:9093/", "labels": {"team": "net"}}]')
    form = Alertmanager(options)
    with looking("node-2") as (hub, _):
        (alert,) = json.loads(form.body([notice(hub)], 1_800_000_000.0))
    ends = datetime.fromisoformat(alert["endsAt"]).timestamp()
    assert ends == 1_800_000_000.0 + LASTS
    assert alert["labels"]["team"] == "net"
    assert "generatorURL" not in alert
    assert form.url("http://am:9093/") == "http://am:9093/api/v2/alerts"
