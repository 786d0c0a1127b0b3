"""The hub as a process: its receivers and its collector from the environment, until its end."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE, Start, eventually
from tests.hub.otlp.exports import findings
from tests.hub.otlp.messages import records as log_records
from tests.hub.stand_ins import Prober

from .receivers import become, receiver, states


@pytest.fixture
def there() -> Iterator[list[Prober]]:
    """Probers that report node-2 as dead."""
    found = [Prober(state) for state in states("node-2") if state.network == "pod"]
    yield found
    for each in found:
        each.server.stop(timeout=0)


@pytest.fixture
def peers(there: list[Prober]) -> str:
    """The value of PEERS for these probers."""
    return ",".join(f"{each.state.node}=127.0.0.1:{each.address.port}" for each in there)


def started(start: Start, peers: str, **more: object) -> Any:
    return start("smoker-hub", HTTP_PORT=0, PEERS=peers, INTERVAL=0.5, CLUSTER_NAME="blue", **more)


def test_waiting_messages_are_sent_at_shutdown(start: Start, peers: str) -> None:
    """SIGTERM cuts short the pause that a receiver asked for, and the message arrives before the process ends."""
    with receiver(503, 200, fields="Retry-After: 300\r\n") as there:
        hub = started(start, peers, NOTIFY=json.dumps([{"type": "webhook", "url": there.url}]))
        eventually("the first attempt is there", lambda: there.got)
        assert hub.stop() == 0
        assert [request.json["finding"]["place"] for request in there.got] == ["node-2", "node-2"]
        assert "smoker-hub stopped cut=0" in hub.stderr


def test_notifications_and_otlp_finish_together(start: Start, peers: str) -> None:
    """A webhook and a collector get the finding, and the metrics count both."""
    with receiver(200) as hook, receiver(200) as collector:
        notify = json.dumps([{"type": "webhook", "url": hook.url, "name": "mine"}])
        hub = started(start, peers, NOTIFY=notify, OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=collector.url)
        eventually("the message is there", lambda: hook.got)

        def opened() -> bool:
            return any(one.event_name == "smoker.finding.open" for each in collector.got for one in log_records(each))

        eventually("the record is there", opened)
        counted = 'smoker_hub_notifications_total{outcome="sent",receiver="mine"} 1.0'
        eventually("it is counted", lambda: counted in hub.get("/metrics")[1])
        assert 'smoker_hub_otlp_total{outcome="failed",signal="logs"} 0.0' in hub.get("/metrics")[1]


def test_mistakes_end_the_start(start: Start, peers: str) -> None:
    """One sentence contains the mistakes of every receiver, of the collector and of the files."""
    wrong = json.dumps([{"type": "mail"}, {"type": "slack"}])
    said = start("smoker-hub", ready=False, HTTP_PORT=0, PEERS=peers, NOTIFY=wrong)
    assert said.popen.wait(PATIENCE) == 2
    assert "entry 1 has the type 'mail'" in said.stderr
    assert "entry 2 has no url" in said.stderr
    missing = json.dumps([{"type": "slack", "urlFile": "/nothing/here"}])
    later = {"NOTIFY": missing, "OTEL_EXPORTER_OTLP_ENDPOINT": "collector"}
    said = start("smoker-hub", ready=False, HTTP_PORT=0, PEERS=peers, **later)
    assert said.popen.wait(PATIENCE) == 2
    assert "the receiver slack: /nothing/here cannot be read" in said.stderr
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL" in said.stderr


def looks(hub: Any) -> float:
    """Return how often the hub has looked."""
    (line,) = [each for each in hub.get("/metrics")[1].splitlines() if each.startswith("smoker_hub_looks_total ")]
    return float(line.split()[1])


def recorded(folder: Path) -> list[str]:
    """Return the findings that the history has as sent."""
    with sqlite3.connect(f"{(folder / 'history.db').as_uri()}?mode=ro", uri=True) as db:
        found = [name for (name,) in db.execute("SELECT id FROM sent")]
    db.close()
    return found


def test_a_killed_hub_sends_each_change_once(start: Start, there: list[Prober], peers: str, tmp_path: Path) -> None:
    """After SIGKILL during a fault nothing is sent again while it lasts. If it ends meanwhile, one close is sent.

    This holds for a webhook and for an OTLP collector.
    """
    with receiver() as hook, receiver() as collector:
        options = {
            "NOTIFY": json.dumps([{"type": "webhook", "url": hook.url}]),
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": collector.url,
            "HISTORY_FOLDER": tmp_path,
        }
        hub = started(start, peers, **options)
        eventually("the opening is sent to both and recorded", lambda: hook.got and len(recorded(tmp_path)) == 2)
        hub.stop(signal.SIGKILL)

        hub = started(start, peers, **options)
        eventually("it has looked often enough to open a finding, or to close one", lambda: looks(hub) >= 5)
        assert "FAULT node-2: " in hub.stderr + hub.stdout
        assert [request.json["event"] for request in hook.got] == ["open"]
        assert findings(collector) == [("open", "node-2")]
        hub.stop(signal.SIGKILL)

        become(there)
        hub = started(start, peers, **options)
        eventually("the close is sent and recorded", lambda: len(hook.got) > 1 and not recorded(tmp_path))
        before = looks(hub)
        eventually("it has looked on", lambda: looks(hub) >= before + 3)
        assert hub.stop() == 0
        assert findings(collector) == [("open", "node-2"), ("close", "node-2")]

        first, last = hook.got
        opened, closed = first.json["finding"], last.json["finding"]
        assert (last.json["event"], closed["id"], closed["phase"]) == ("close", opened["id"], "closed")
        assert abs(closed["opened"] - opened["opened"]) < 0.1
        keys = {request.headers["idempotency-key"] for request in hook.got}
        assert {key.replace("-close-", "-open-") for key in keys} == {first.headers["idempotency-key"]}


def test_a_disabled_export_is_said_once(start: Start, peers: str) -> None:
    """With OTEL_SDK_DISABLED the collector gets nothing until the end, and one line says why."""
    with receiver(200) as collector:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_METRIC_EXPORT_INTERVAL": "20"}
        hub = started(start, peers, OTEL_SDK_DISABLED="true", **endpoint)
        eventually("the finding is open", lambda: "smoker_finding_open{" in hub.get("/metrics")[1])
        assert hub.stop() == 0
        assert collector.got == []
    assert hub.stderr.count("OTEL_SDK_DISABLED is true: nothing is sent over OTLP") == 1
