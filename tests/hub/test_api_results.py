"""Data that is fetched on request: the last failures of all probers, and the export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.state import LastFailure, State, decode
from smoker_hub.web import results
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from smoker_prober.result import Outcome
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.history_hand import keeping
from tests.hub.stand_ins import ManualClock, Prober, hub_of, probers
from tests.hub.test_api import HOSTILE, ask_of
from tests.prober.store.test_windows import kept as store_of
from tests.prober.store.test_windows import made

SNAPSHOT = results.SNAPSHOT.encode()


def failing(prober: Prober, *times: float, target: str = "node-2", error: str = "no answer within 5 s") -> None:
    """Make a prober report failures at these times."""
    failures = [{"time": time, "outcome": "timeout", "error": error} for time in times]
    path = {"probe": "tcp", "target": target, "plane": "pod", "family": "ipv4", "failures": failures, "more": 1}
    state = prober.state
    document = {"version": 1, "node": state.node, "network": state.network, "paths": [path], "mesh": None}
    prober.pages[SNAPSHOT] = json.dumps(document).encode()


@contextmanager
def cut() -> Iterator[tuple[list[Prober], Sources]]:
    """A hub with five nodes, of which node-2 is dead: all pod probers have failures."""
    with probers(Cluster(nodes(5), host=False).fail(lambda link: link.touches("node-2")).states()) as found:
        hub = hub_of(found, ManualClock())
        hub.look()
        hub.look()
        yield found, Sources(hub=hub, stream=Stream(hub), addresses=lambda: [prober.address for prober in found])


def get(sources: Sources, path: str, **options: str) -> Any:
    status, body, _ = ask_of(sources, f"/api/v1/{path}", **options)
    assert status == 200, body
    return json.loads(body)


def test_the_newest_failures_of_all_come_first() -> None:
    """The answer has the failures of every prober with source and cause.

    It is bounded, and can be limited to source and target.
    """
    with cut() as (found, sources):
        for number, prober in enumerate(found):
            failing(prober, 100.0 + number, 200.0 + number)
        got = get(sources, "results", query="failed=true")
        assert [result["at"] for result in got["results"]] == [204, 203, 202, 201, 200, 104, 103, 102, 101, 100]
        first = got["results"][0]
        assert (first["source"], first["target"], first["outcome"], first["error"]) == (
            "node-5",
            "node-2",
            "timeout",
            "no answer within 5 s",
        )
        assert (got["asked"], got["answered"], got["not_asked"], got["left_out"]) == (5, 5, 0, 0)
        few = get(sources, "results", query="limit=3&from=node-4")
        assert [result["at"] for result in few["results"]] == [203, 103]
        assert get(sources, "results", query="limit=3")["left_out"] == 7
        assert get(sources, "results", query="to=node-9")["asked"] == 0
        assert b"timeout  no answer" in ask_of(sources, "/api/v1/results", accept="text/plain")[1]


def test_probers_that_do_not_answer_cost_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One prober is silent, one sends nonsense, one an error.

    The other results are there, and the missing ones are counted.
    """
    monkeypatch.setattr(results, "SECONDS", 0.5)
    with cut() as (found, sources):
        for prober in found:
            failing(prober, 1.0)
        found[0].silent = True
        found[1].pages[SNAPSHOT] = b'{"paths": 7}'
        found[2].raw = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
        failing(found[3], 2.0, error=HOSTILE + "x" * 1000)
        got = get(sources, "results")
        assert (got["asked"], got["answered"], len(got["results"])) == (5, 2, 2)
        assert len(got["results"][0]["error"]) == results.LONGEST
        text = ask_of(sources, "/api/v1/results", accept="text/plain")[1].decode()
        assert "3 more probers have failures and did not answer." in text
        assert "\u202e" not in text


def test_no_more_probers_are_asked_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst ones are asked, and the others counted."""
    monkeypatch.setattr(results, "PROBERS", 1)
    with cut() as (found, sources):
        for prober in found:
            failing(prober, 1.0)
        got = get(sources, "results")
        assert [result["source"] for result in got["results"]] == ["node-2"]
        assert (got["asked"], got["not_asked"]) == (1, 4)


def test_probers_whose_paths_work_now_are_asked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """After those that fail now, those that failed lately and then others are asked, up to the limit."""
    with probers(Cluster(nodes(5), host=False).states()) as found:
        for prober in found:
            failing(prober, 1.0)
        lately = found[3]
        first, *rest = lately.state.paths
        ended = msgspec.structs.replace(first, last_failure=LastFailure(first.at, "timeout"))
        lately.state = msgspec.structs.replace(lately.state, paths=[ended, *rest])
        hub = hub_of(found, ManualClock())
        hub.look()
        sources = Sources(hub=hub, stream=Stream(hub), addresses=lambda: [prober.address for prober in found])
        got = get(sources, "results", query="failed=true")
        assert (len(got["results"]), got["asked"], got["not_asked"]) == (5, 5, 0)
        monkeypatch.setattr(results, "PROBERS", 1)
        got = get(sources, "results")
        assert [result["source"] for result in got["results"]] == [lately.state.node]
        assert (got["asked"], got["not_asked"]) == (1, 0)


def test_a_real_prober_is_understood() -> None:
    """A real prober's snapshot has everything that is read here."""
    store = store_of()
    store.keep(made(Outcome.TIMEOUT))
    snapshot = results._decoder.decode(json.dumps(store.snapshot().as_object))
    (path,) = snapshot.paths
    assert (snapshot.node, path.probe) == ("node-1", "tcp")
    assert [(failure.outcome, failure.error) for failure in path.failures] == [("timeout", "wait: why")]


def test_the_export_repeats_the_diagnosis() -> None:
    """The export is one file with everything that is known; its states give the same finding again."""
    with cut() as (_, sources):
        got = get(sources, "export")
        (view,) = got["findings"]["open"]
        states: list[State] = [decode(json.dumps(state).encode()) for state in got["states"]]
        assert [list(finding.scope.nodes) for finding in diagnose(states)] == [view["finding"]["scope"]["nodes"]]
        assert (got["matrix"]["by"], got["zones"]["by"], got["summary"]["state"]) == ("node", "zone", "faults")
        assert got["states_left_out"] == 0
        assert [node["node"] for node in got["nodes"]] == nodes(5)


def test_the_export_is_bounded_and_has_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """States of probers with the fewest failures are omitted first; the events of a day are included."""
    with (
        probers(Cluster(nodes(4), host=False).fail(lambda link: link.source == "node-3").states()) as found,
        keeping(tmp_path, found) as kept,
    ):
        kept.look()
        got = kept.get("export")
        assert [event["kind"] for event in got["events"]] == ["hub_started"]
        assert len(got["states"]) == 4
        monkeypatch.setattr("smoker_hub.web.export.STATES", len(json.dumps(got["states"][0])))
        less = kept.get("export")
        assert [state["node"] for state in less["states"]] == ["node-3"]
        assert less["states_left_out"] == 3
