"""The history: the state at a past moment, and the events between two."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smoker_hub import judge
from smoker_hub.collect import Collected
from smoker_hub.incidents import Change
from smoker_hub.nodes import Node, NodeChange
from smoker_hub.web.matrix import USUAL
from tests.diagnosis.mesh import Cluster, nodes, two_zones
from tests.hub.history_hand import keeping
from tests.hub.stand_ins import go_on, probers
from tests.hub.test_api import ask
from tests.hub.test_hub import ERROR, become

DEAD = "node-2"
ZONES = two_zones(nodes(5), first=2)


def cluster(**options: Any) -> Cluster:
    return Cluster(nodes(5), zones=ZONES, **options)


def dead() -> Cluster:
    return cluster().fail(lambda link: link.touches(DEAD))


def letters(collected: Collected) -> dict[tuple[str, ...], str]:
    """Return the state of each path."""
    return {
        (state.node, state.network, state.zone, path.target, path.plane, path.family, path.probe): judge.letter(
            path, state, collected.waited.get((state.node, state.network), 0.0)
        )
        for state in collected.states
        for path in state.paths
    }


def test_the_time_machine_shows_the_moment_again(tmp_path: Path) -> None:
    """Summary, findings, nodes and matrix of a moment are those of that time; counts and times are not kept."""
    with probers(cluster().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        well, then = kept.look(), kept.get("matrix")
        become(found, dead())
        kept.look()
        broken, views = kept.look(), kept.get("findings")
        live = {name: kept.get(name) for name in ("summary", "nodes", "matrix")}
        become(found, cluster())
        for _ in range(3):
            kept.look()
        assert kept.get("summary")["state"] == "healthy"
        assert kept.get("summary", f"at={broken}") == live["summary"]
        assert kept.get("findings", f"at={broken}") == views
        assert kept.get("nodes", f"at={broken}") == live["nodes"]
        matrix = kept.get("matrix", f"at={broken}")
        assert [matrix[name] for name in ("names", "counts", "to", "state", "zones", "at")] == [
            live["matrix"][name] for name in ("names", "counts", "to", "state", "zones", "at")
        ]
        assert set(matrix["attempts"]) == set(matrix["rtt"]) == {0}
        assert set(matrix["age"]) == {-1}
        assert kept.get("matrix", f"at={well}")["state"] == then["state"]
        assert kept.get("findings", f"at={well}") == {"open": [], "recent": [], "suspected": []}
        closed = kept.get("findings", f"at={kept.at}")
        assert [view["phase"] for view in closed["recent"]] == ["closed"]
        assert kept.get("matrix", f"at={broken}&by=zone&plane=pod")["names"] == ["a", "b"]
        assert kept.get(f"nodes/{DEAD}", f"at={broken}")["findings"] == views["open"]
        failing = kept.get("paths", f"from={DEAD}&plane=pod&at={broken}")["paths"]
        assert {(path["state"], path["outcome"], path["age"]) for path in failing} == {("f", "timeout", None)}


def test_moments_outside_the_history_are_distinguished(tmp_path: Path) -> None:
    """Before the first look there is nothing, a gap without looks is named, and without a history there is no past."""
    with probers(cluster().states()) as found, keeping(tmp_path, found) as kept:
        first = kept.look()
        status, body, _ = kept.ask("matrix", f"at={first - 1}")
        assert (status, json.loads(body)["detail"]) == (404, f"the history begins at {first:.0f}")
        away = kept.get("summary", f"at={first + 3600}")
        assert (away["state"], away["age"]) == ("unclear", 3600.0)
        assert away["sentence"].startswith("UNCLEAR the hub had not looked for 60 min; then it said: HEALTHY")
        for path in ("summary", "findings", "nodes", "matrix", "paths"):
            status, body, _ = ask(kept.hub, f"/api/v1/{path}", query=f"at={first}")
            assert (status, b"hub.history.enabled" in body) == (404, True)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_every_moment_can_be_rebuilt(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """While paths change, come and go and probers fall silent, the states of each look come back path by path."""
    chance = random.Random(seed)
    with (
        probers(cluster(services=False).states()) as found,
        keeping(tmp_path_factory.mktemp("history"), found) as kept,
    ):
        looks: list[tuple[float, dict[tuple[str, ...], str]]] = []
        for _ in range(6):
            now = cluster(peers=chance.choice([2, 4]), services=False)
            share = chance.choice([0.0, 0.1, 0.9])
            chosen = {link for link in now.paths if chance.random() < share}
            now.fail(chosen.__contains__, outcome=chance.choice(["timeout", "reset"]))
            now.lose(lambda link: chance.random() < 0.1, 3)
            become(found, now)
            for prober in found:
                prober.raw = ERROR if chance.random() < 0.1 else b""
            looks.append((kept.look(chance.choice([5.0, 50.0])), letters(kept.hub.collected)))
        for at, live in looks:
            assert letters(kept.reader.collected(at)) == live
            assert letters(kept.reader.collected(at + 0.5)) == live


def test_a_path_and_its_outcomes(tmp_path: Path) -> None:
    """The states between two moments have their outcomes; the first is the state at the beginning."""
    with probers(cluster().states()) as found, keeping(tmp_path, found) as kept:
        times = [kept.look()]
        for outcome in ("timeout", "refused"):
            become(found, cluster().fail(lambda link: link.touches(DEAD), outcome=outcome))
            times.append(kept.look())
            become(found, cluster())
            times.append(kept.look())
        kept.look()
        one = kept.get("paths", "from=node-1&to=node-2&plane=pod&probe=tcp")["paths"][0]
        got = kept.get(f"paths/{one['id']}/history")
        assert (got["source"], got["target"], got["plane"], got["left_out"]) == ("node-1", "node-2", "pod", 0)
        assert [(each["at"], each["state"], each["outcome"]) for each in got["changes"]] == [
            (times[0], "o", "success"),
            (times[1], "f", "timeout"),
            (times[2], "o", "success"),
            (times[3], "f", "refused"),
            (times[4], "o", "success"),
        ]
        inside = kept.get(f"paths/{one['id']}/history", f"since={times[1] + 1}&until={times[2]}")
        assert [(each["at"], each["state"]) for each in inside["changes"]] == [(times[1] + 1, "f"), (times[2], "o")]
        newest = kept.get(f"paths/{one['id']}/history", "limit=1")
        assert ([each["at"] for each in newest["changes"]], newest["left_out"]) == ([times[4]], 4)
        become(found, cluster(peers=0))
        kept.look()
        assert kept.ask(f"paths/{one['id']}/history")[0] == 200  # it is found in the history alone
        assert kept.ask("paths/00000000000f/history")[0] == 404


def test_an_escalation_is_an_event(tmp_path: Path) -> None:
    """An escalation is an event between the opening and the close, with the new severity."""
    with probers(dead().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        kept.look()
        (incident,) = kept.hub.incidents.open
        change = Change("escalate", incident)
        for tell in kept.hub._tells:
            tell(change)
        kept.look()
        events = {event["kind"]: event for event in kept.get("events")["events"]}
        assert events["finding_escalated"]["subject"] == incident.id
        assert events["finding_escalated"]["text"].endswith(f", now {incident.finding.severity}")


def test_events_are_recorded_once(tmp_path: Path) -> None:
    """One event each: the start, a prober that falls silent and answers again, a finding that opens and closes."""
    with probers(cluster().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        become(found, dead())
        kept.look()
        kept.look()
        become(found, cluster())
        for _ in range(3):
            kept.look()
        found[0].raw = ERROR
        for _ in range(10):
            go_on(found, 5.0)
            kept.look()
        found[0].raw = b""
        kept.look()
        kept.hub._places.addresses.pop()  # type: ignore[attr-defined]
        kept.look()
        events = kept.get("events")
        assert [event["kind"] for event in events["events"]][::-1] == [
            "hub_started",
            "finding_opened",
            "finding_closed",
            "prober_silent",
            "finding_opened",
            "prober_answers",
            "prober_left",
        ]
        assert events["left_out"] == 0
        assert events["events"][-2]["text"].startswith(f"{DEAD}: ")
        latest = kept.get("events", f"since={kept.at}&limit=1")
        assert [event["subject"] for event in latest["events"]] == ["node-5 (host)"]
        named = events["events"][-2]["subject"]
        timeline = kept.get("events", f"subject={named}&limit=1")
        assert (timeline["events"][0]["kind"], timeline["left_out"]) == ("finding_closed", 1)
        assert [event["kind"] for event in kept.get("events", f"subject={named}")["events"]][::-1] == [
            "finding_opened",
            "finding_closed",
        ]
        assert kept.get("events", "subject=node-1")["events"] == []
        text = kept.ask("events", accept="text/plain")[1].decode()
        assert len(text.splitlines()) == 7
        assert kept.ask("events", "since=2&until=1")[0] == 400


def test_a_look_has_a_bounded_number_of_events(tmp_path: Path) -> None:
    """Where every node of a large cluster becomes NotReady at once, one event counts those beyond a hundred."""
    with probers(cluster().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        for name in nodes(250):
            kept.history.tell_node(NodeChange("not_ready", name, Node(ready=False, reason="NodeStatusUnknown")))
        kept.look()
        kept.look()
        more, *events, start = kept.get("events")["events"]
        assert (more["kind"], more["text"]) == ("more", "150 more events in this look")
        assert [event["subject"] for event in events[::-1]] == nodes(250)[:100]
        assert {(event["kind"], event["text"].partition(" ")[2]) for event in events} == {
            ("node_not_ready", "is NotReady (NodeStatusUnknown)")
        }
        assert start["kind"] == "hub_started"


def test_a_prober_that_is_gone_is_not_silent(tmp_path: Path) -> None:
    """The nodes of a moment are those that existed then. While a node is silent, others know its zone."""
    with probers(cluster().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        for prober in found[:2]:
            prober.raw = ERROR
        for _ in range(10):
            silent = kept.look()
        live = kept.get("nodes")
        kept.hub._places.addresses = kept.hub._places.addresses[2:]  # type: ignore[attr-defined]
        gone = kept.look()
        then = kept.get("nodes", f"at={silent}")
        for each in (live, then):
            assert [prober["state"] for prober in each[0]["probers"]] == ["silent", "silent"]
            assert each[0]["zone"] == ZONES["node-1"] != ""
        assert [node["node"] for node in kept.get("nodes", f"at={gone}")] == nodes(5)[1:]


def test_roll_ups_of_nodes_and_zones(tmp_path: Path) -> None:
    """Each minute has a summary: paths, failing paths, packets, and the median of the round trips."""
    states = [
        msgspec.structs.replace(state, paths=[msgspec.structs.replace(path, rtt_p50=0.0002) for path in state.paths])
        for state in dead().states()
    ]
    with probers(states) as found, keeping(tmp_path, found) as kept:
        for _ in range(3):
            kept.look(60.0)
        node = kept.get("rollups", f"by=node&name={DEAD}")
        assert len(node["at"]) == 3
        assert all(at % 60 == 0 for at in node["at"])
        assert (node["paths"][0], node["failing"][0], node["rtt"][0]) == (54, 48, 200)
        zone = kept.get("rollups", "by=zone&name=b")
        assert (zone["paths"][0], zone["failing"][0]) == (3 * 54, 3 * 12)
        assert kept.get("rollups", "name=nobody")["at"] == []
        assert kept.ask("rollups")[0] == 400


def test_a_finding_outlives_its_memory(tmp_path: Path) -> None:
    """A finding is found in the history by its id after the hub has forgotten it."""
    with probers(dead().states()) as found:
        with keeping(tmp_path, found) as kept:
            kept.look()
            kept.look()
            (name,) = [view["id"] for view in kept.get("findings")["open"]]
            clock = kept.clock
        become(found, cluster())
        with keeping(tmp_path, found, clock) as kept:
            kept.look()
            again = kept.get(f"findings/{name}")
            assert (again["id"], again["phase"]) == (name, "closed")
            assert [view["id"] for view in kept.get("findings")["recent"]] == [name]
            assert kept.ask("findings/00ff")[0] == 404


def test_a_finding_goes_on_over_a_restart(tmp_path: Path) -> None:
    """A restart closes a finding in the history. If it opens again soon, it is the same finding without a gap."""
    with probers(dead().states()) as found:
        with keeping(tmp_path, found) as kept:
            kept.look()
            opened = kept.look()
            clock = kept.clock
        with keeping(tmp_path, found, clock) as kept:
            between = kept.look()
            assert kept.get("findings", f"at={between}")["open"] == []
            kept.look()
            kept.written()
            (view,) = kept.get("findings", f"at={between}")["open"]
            assert view["opened"] == opened
            assert [event["kind"] for event in kept.get("events")["events"]].count("hub_started") == 2


def test_the_limit_of_the_matrix_holds_for_the_past(tmp_path: Path) -> None:
    """A past moment has the same limits as the present."""
    with probers(cluster().states()) as found, keeping(tmp_path, found) as kept:
        at = kept.look()
        found_then = kept.get("matrix", f"at={at}&limit=3")
        assert (len(found_then["to"]), found_then["left_out"]) == (3, 5 * 5 - 3)
        assert USUAL > 25
