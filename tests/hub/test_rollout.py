"""Two hubs, one after the other or side by side for some seconds, with what they share: the Lease and no file."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from smoker_common.listen import tcp_listener
from smoker_common.settings import parse
from smoker_common.work import Work
from smoker_hub import assembly, lease
from smoker_hub.history.store import NAME as FILE
from smoker_hub.places import FixedPlaces
from smoker_hub.settings import Settings
from smoker_kube.api import Api
from tests.conftest import eventually
from tests.hub.leases import NAMESPACE, Leases, leases
from tests.hub.notify.receivers import Receiver, become, receiver, states
from tests.hub.otlp.exports import findings
from tests.hub.stand_ins import HOST, Prober

NAME = "smoker-hub"


@dataclass
class Pod:
    """A hub that runs."""

    work: Work
    registry: CollectorRegistry

    def value(self, series: str) -> float:
        return self.registry.get_sample_value(series) or 0.0

    def looks(self, times: int = 3) -> None:
        """Wait until it has looked some times more."""
        before = self.value("smoker_hub_looks_total")
        eventually("it has looked", lambda: self.value("smoker_hub_looks_total") >= before + times)

    def notifies(self) -> None:
        eventually("it notifies", lambda: self.value("smoker_hub_notifies") == 1.0)

    def end(self) -> None:
        self.work.retire()
        self.work.close()
        assert self.work.drain(5.0) == 0


@dataclass
class Scene:
    """The probers of a mesh in which node-2 is dead, a receiver, an OTLP collector, and the API server."""

    found: list[Prober]
    hook: Receiver
    collector: Receiver
    api: Leases
    monkeypatch: pytest.MonkeyPatch

    def pod(self, name: str, history: Path | None = None) -> Pod:
        """Start the hub of a pod."""
        peers = ",".join(f"{each.state.node}={HOST}:{each.address.port}" for each in self.found)
        notify = json.dumps([{"type": "webhook", "url": self.hook.url}])
        settings, problems = parse(
            Settings,
            {"PEERS": peers, "NAMESPACE": NAMESPACE, "NOTIFY": notify, "INTERVAL": "1", "WATCH_NODES": "false"},
        )
        assert not problems
        self.monkeypatch.setattr(socket, "gethostname", lambda: name)
        registry = CollectorRegistry()
        settings = replace(settings, lease_name=NAME, history_folder="" if history is None else str(history))
        work = assembly.build(settings, {"http_port": [tcp_listener(HOST, 0)]}, registry)
        work.start()
        return Pod(work, registry)

    @property
    def got(self) -> list[str]:
        return [each.json["event"] for each in self.hook.got]

    def collected(self, *events: str) -> None:
        """Check that the collector gets these changes of the finding, and no other."""

        def got() -> list[tuple[str, str]]:
            return findings(self.collector)

        eventually("the collector has them", lambda: len(got()) >= len(events))
        assert [event for event, _ in got()] == list(events)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """The scene, with Leases that are renewed often."""
    with leases() as api, receiver() as hook, receiver() as collector, contextlib.ExitStack() as stack:
        monkeypatch.setattr(lease, "RENEW", 0.1)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", collector.url)
        monkeypatch.setattr(assembly, "kubernetes_of", lambda _: Api(api.url))
        monkeypatch.setattr(assembly, "places_of", lambda settings, *_: FixedPlaces(settings.peers))
        found = [Prober(state) for state in states("node-2") if state.network == "pod"]
        for each in found:
            stack.callback(each.server.stop, timeout=0)
        yield Scene(found, hook, collector, api, monkeypatch)


def test_a_rollout_sends_each_change_once(scene: Scene) -> None:
    """While two hubs run, and after the old one has ended, the receiver gets one opening and one close."""
    old = scene.pod("old")
    eventually("the opening is there", lambda: scene.got)
    new = scene.pod("new")
    new.looks()
    assert (old.value("smoker_hub_notifies"), new.value("smoker_hub_notifies")) == (1.0, 0.0)
    old.end()
    new.notifies()
    new.looks()
    assert scene.got == ["open"]
    become(scene.found)
    eventually("the close is there", lambda: len(scene.got) > 1)
    new.looks()
    new.end()
    assert scene.got == ["open", "close"]
    scene.collected("open", "close")
    assert (scene.api.holder(NAME), scene.api.items[NAME]["spec"]["leaseTransitions"]) == ("", 3)


def test_a_change_while_no_hub_runs_is_sent(scene: Scene) -> None:
    """The fault ends between two hubs: the second one sends the close of what the first one opened."""
    old = scene.pod("old")
    eventually("the opening is there", lambda: scene.got)
    old.end()
    become(scene.found)
    new = scene.pod("new")
    eventually("the close is there", lambda: len(scene.got) > 1)
    new.looks()
    new.end()
    first, last = (each.json["finding"] for each in scene.hook.got)
    assert scene.got == ["open", "close"]
    scene.collected("open", "close")
    assert (last["id"], last["opened"]) == (first["id"], first["opened"])


def test_the_next_hub_has_the_finding_in_its_history(scene: Scene, tmp_path: Path) -> None:
    """A finding that goes on is stored when the hub takes over, with the date of its opening, not at its close."""
    old = scene.pod("old")
    eventually("the opening is there", lambda: scene.got)
    old.end()
    become(scene.found)
    new = scene.pod("new", tmp_path)
    eventually("the close is there", lambda: len(scene.got) > 1)
    new.end()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as db:
        ((first, last),) = db.execute("SELECT first, last FROM findings").fetchall()
    phases = [(each["phase"], each["opened"]) for each in map(json.loads, (first, last))]
    opened = scene.hook.got[0].json["finding"]["opened"]
    assert phases == [("clearing", opened), ("closed", opened)]
