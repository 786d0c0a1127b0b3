"""The hub as a process: its receivers and its collector from the environment, up to its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import PATIENCE, Start, eventually
from tests.hub.otlp.messages import records as log_records
from tests.hub.stand_ins import Prober

from .receivers import receiver, states


@pytest.fixture
def peers() -> Iterator[str]:
    """PEERS, of probers that say that node-2 is dead."""
    found = [Prober(state) for state in states("node-2") if state.network == "pod"]
    yield ",".join(f"{each.state.node}=127.0.0.1:{each.address.port}" for each in found)
    for each in found:
        each.server.stop(timeout=0)


def started(start: Start, peers: str, **more: object) -> Any:
    return start("smoker-hub", HTTP_PORT=0, PEERS=peers, INTERVAL=0.5, CLUSTER_NAME="blue", **more)


def test_what_waits_is_sent_at_the_end(start: Start, peers: str) -> None:
    """SIGTERM cuts the pause of a receiver that asked for one, and the message arrives before the process ends."""
    with receiver(503, 200, fields="Retry-After: 300\r\n") as there:
        hub = started(start, peers, NOTIFY=json.dumps([{"type": "webhook", "url": there.url}]))
        eventually("the first attempt is there", lambda: there.got)
        assert hub.stop() == 0
        assert [request.json["finding"]["place"] for request in there.got] == ["node-2", "node-2"]
        assert "smoker-hub stopped cut=0" in hub.stderr


def test_both_ways_out_at_once(start: Start, peers: str) -> None:
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
    """One sentence has those of every receiver, or of the collector and of the files."""
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
