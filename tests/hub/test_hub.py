"""One finding from the probers to the log: what a look changes, and what it leaves alone."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.state import LastFailure
from smoker_hub import words
from smoker_hub.incidents import Change
from smoker_hub.web.now import summary
from tests.conftest import eventually
from tests.diagnosis.mesh import Cluster, Link, nodes
from tests.diagnosis.test_traces import trace
from tests.hub.stand_ins import ManualClock, Prober, go_on, hub_of, probers

ERROR = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


def become(found: list[Prober], cluster: Cluster) -> None:
    """Make the probers serve the states of `cluster`."""
    states = {(state.node, state.network): state for state in cluster.states()}
    for prober in found:
        prober.state = states[prober.state.node, prober.state.network]


def dead(link: Link) -> bool:
    return link.touches("node-2") and "pod" in link.plane


def test_a_fault_opens_is_logged_and_closes(records: list[str]) -> None:
    """The log says HEALTHY once, then FAULT with the node, its evidence and a next step, then CLOSED."""
    clock, changes = ManualClock(), list[Change]()
    with probers(Cluster(nodes(5)).states()) as found:
        hub = hub_of(found, clock, changes.append)
        hub.look()
        hub.look()
        assert [line for line in records if "HEALTHY" in line] == [records[0]]
        become(found, Cluster(nodes(5)).fail(lambda link: link.touches("node-2") and "pod" in link.plane))
        hub.look()
        assert changes == []
        hub.look()
        assert [(change.kind, change.incident.finding.scope.nodes) for change in changes] == [("open", ("node-2",))]
        told = [line for line in records if "FAULT node-2: " in line]
        assert len(told) == 1
        assert told[0].startswith("ERROR ")
        assert any("  evidence: " in line for line in records)
        assert any("  next: " in line for line in records)
        become(found, Cluster(nodes(5)))
        for _ in range(3):
            clock.instant += 5.0
            hub.look()
        assert [change.kind for change in changes] == ["open", "close"]
        assert [line for line in records if line.startswith("INFO CLOSED node-2: ")]


def test_a_prober_that_has_not_answered_yet_is_not_healthy(records: list[str]) -> None:
    """The first look of a hub ends before a prober that hangs has failed to answer."""
    clock = ManualClock()
    with probers(Cluster(nodes(5)).states()) as found:
        hung = next(prober for prober in found if prober.state.node == "node-2")
        hung.silent = True
        hub = hub_of(found, clock, timeout=1.0)  # longer than a look waits
        hub.look()
        assert (len(hub.collected.states), len(found), hub.collected.errors) == (9, 10, {})
        assert records == []
        hung.silent = False

        def says_so() -> bool:
            hub.look()
            return bool(records)

        eventually("it has answered", says_so)
        assert records[0].startswith("INFO HEALTHY all ")


def last_hops(records: list[str]) -> list[str]:
    return [line for line in records if "last hop that answers: " in line]


def test_a_trace_that_comes_after_the_opening_is_one_line_of_evidence(records: list[str]) -> None:
    """The log says the last hop once, with the id of the finding; no finding opens or is sent again."""
    clock, changes = ManualClock(), list[Change]()
    with probers(Cluster(nodes(5)).states()) as found:
        hub = hub_of(found, clock, changes.append)
        broken = Cluster(nodes(5)).fail(dead)
        become(found, broken)
        hub.look()
        hub.look()
        assert last_hops(records) == []
        trace(broken, lambda link: dead(link) and link.target == "node-2", 1, "10.0.0.1")
        become(found, broken)
        for _ in range(3):
            clock.instant += 5.0
            hub.look()
        name = changes[0].incident.id
        (line,) = last_hops(records)
        assert line.startswith("INFO EVIDENCE node-2: last hop that answers: 10.0.0.1, hop 1 from node-1 to node-2")
        assert f"'id': '{name}'" in line
        assert [change.kind for change in changes] == ["open"]


def test_a_trace_that_is_known_at_the_opening_is_among_its_lines(records: list[str]) -> None:
    """The evidence of the opening has the last hop, and no line repeats it."""
    clock = ManualClock()
    broken = Cluster(nodes(5)).fail(dead)
    trace(broken, lambda link: dead(link) and link.target == "node-2", 1, "10.0.0.1")
    with probers(broken.states()) as found:
        hub = hub_of(found, clock)
        for _ in range(4):
            hub.look()
            clock.instant += 5.0
    (line,) = last_hops(records)
    assert line.startswith("INFO   evidence: last hop that answers: 10.0.0.1, hop 1 from node-1 to node-2")


@pytest.mark.parametrize(
    ("severity", "begins"),
    [("critical", "ERROR FAULT node-2: "), ("warning", "WARNING node-2: "), ("info", "INFO node-2: ")],
)
def test_a_line_of_a_finding_says_its_level_once(records: list[str], severity: str, begins: str) -> None:
    """The level and the first word of the headline are not repeated; `FAULT` is no level and stays."""
    with probers(Cluster(nodes(5)).fail(lambda link: link.touches("node-2")).states()) as found:
        hub = hub_of(found, ManualClock())
        hub.look()
        hub.look()
    (incident,) = hub.incidents.open
    incident.finding = msgspec.structs.replace(incident.finding, severity=severity)
    records.clear()
    words.log_change(Change("open", incident))
    assert records[0].startswith(begins)


def test_a_hub_that_is_cut_off_blames_nobody(records: list[str]) -> None:
    """With fewer than half of the probers the hub reports that it is cut off, and no finding opens or closes."""
    clock, changes = ManualClock(), list[Change]()
    with probers(Cluster(nodes(5)).states()) as found:
        hub = hub_of(found, clock, changes.append)
        become(found, Cluster(nodes(5)).fail(lambda link: link.touches("node-2")))
        hub.look()
        hub.look()
        assert [change.kind for change in changes] == ["open"]
        for prober in found[:6]:
            prober.raw = ERROR
        for _ in range(6):
            clock.instant += 60.0
            hub.look()
        assert [change.kind for change in changes] == ["open"]
        assert len([line for line in records if "the hub is cut off" in line]) == 1
        assert hub.blind
        for prober in found:
            prober.raw = b""
        hub.look()
        assert not hub.blind
        assert len([line for line in records if "the probers answer the hub again" in line]) == 1


def test_a_prober_that_is_new_or_away_for_a_moment_is_no_finding() -> None:
    """A silence shorter than an interval and a time-out opens nothing; a longer one does."""
    clock, changes = ManualClock(), list[Change]()
    with probers(Cluster(nodes(5), host=False).states()) as found:
        hub = hub_of(found, clock, changes.append)
        found[0].raw = ERROR
        for _ in range(6):
            hub.look()
            clock.instant += 5.0
        assert changes == []
        clock.instant += 30.0
        hub.look()
        hub.look()
        assert changes == [], "no peer has reached it since"
        go_on(found, 60.0)
        hub.look()
        hub.look()
        assert [(each.kind, each.incident.finding.kind) for each in changes] == [("open", "silent")]


def test_a_suspicion_is_looked_at_soon() -> None:
    """New failures are followed by looks one second apart, for some seconds. A known fault is not."""
    clock = ManualClock()
    with probers(Cluster(nodes(5)).states()) as found:
        hub = hub_of(found, clock)
        hub.look()
        hub.used = 0.25
        assert hub.pause == 5.0
        become(found, Cluster(nodes(5)).fail(lambda link: link.touches("node-2")))
        hub.look()
        hub.used = 0.01
        assert hub.pause == 1.0
        hub.look(early=True)
        assert not hub.incidents.open, "the same results"
        hub.used = 0.01
        assert hub.pause == 1.0
        become(found, Cluster(nodes(5)).fail(lambda link: link.touches("node-2"), ago=17.0))
        hub.look(early=True)
        assert len(hub.incidents.open) == 1
        clock.instant += 60.0
        hub.look()
        hub.used = 0.25
        assert hub.pause == 5.0


def test_the_same_failures_of_services_are_not_seen_twice() -> None:
    """An early look names the Services of a node only once a probe has failed since, even if its repetition works."""
    with probers(Cluster(nodes(5)).states()) as found:
        hub = hub_of(found, ManualClock())
        hub.look()
        become(found, Cluster(nodes(5)).fail_services(["node-2"]))
        for _ in range(3):
            hub.look(early=True)
        assert [each.finding.kind for each in hub.incidents.suspected] == ["service"]
        assert not hub.incidents.open, "the same results"
        state = found[0].state
        failure = LastFailure(state.at - 3.0, "timeout")
        paths = [msgspec.structs.replace(state.paths[0], last_failure=failure), *state.paths[1:]]
        found[0].state = msgspec.structs.replace(state, paths=paths)
        hub.look(early=True)
        assert [each.finding.kind for each in hub.incidents.open] == ["service"]


def test_expensive_looks_are_not_brought_forward() -> None:
    """Early looks take at most a hundredth of a CPU at rest, and a tenth while a fault is suspected."""
    clock = ManualClock()
    with probers(Cluster(nodes(5)).states()) as found:
        hub = hub_of(found, clock)
        hub.look()
        for used, pause in ((0.001, 2.0), (0.025, 2.5), (0.2, 5.0)):
            hub.used = used
            assert hub.pause == pause
        become(found, Cluster(nodes(5)).fail(lambda link: link.touches("node-2")))
        hub.look()
        for used, pause in ((0.01, 1.0), (0.25, 2.5), (2.0, 5.0)):
            hub.used = used
            assert hub.pause == pause


def test_probers_with_a_short_interval_are_asked_more_often() -> None:
    """At rest the hub asks each prober fifteen times in its interval, but at most once a second."""
    for interval, pause in ((60.0, 4.0), (30.0, 2.0), (5.0, 1.0)):
        states = [msgspec.structs.replace(state, interval=interval) for state in Cluster(nodes(5)).states()]
        with probers(states) as found:
            hub = hub_of(found, ManualClock())
            hub.look()
            hub.used = 0.001
            assert hub.pause == pause


def test_early_looks_do_not_hasten_the_blind_state(records: list[str]) -> None:
    """Three blind looks at the usual pace are logged; a new pod without a network may look more often in that time."""
    with probers(Cluster(nodes(5)).states()) as found:
        hub = hub_of(found, ManualClock())
        hub.look()
        for prober in found:
            prober.raw = ERROR
        for _ in range(9):
            hub.look(early=True)
        assert not [line for line in records if "the hub is cut off" in line]
        for _ in range(3):
            hub.look()
        assert len([line for line in records if "the hub is cut off" in line]) == 1


def test_ready_after_the_first_look() -> None:
    """The hub is not ready before the API server has listed the probers and the first look is over."""
    with probers(Cluster(nodes(2)).states()) as found:
        hub = hub_of(found, ManualClock())
        assert hub.unready() == "the first look has not finished yet"
        hub.look()
        assert hub.unready() == ""
        assert hub.stuck() == ""


def test_a_hub_without_looks_is_stuck() -> None:
    """If looks stop, liveness fails."""
    clock = ManualClock()
    hub = hub_of([], clock)
    clock.instant += 1000.0
    assert hub.stuck() == "the last look was 1000 s ago"


def test_two_nodes_are_reported_as_one_of_two(records: list[str]) -> None:
    """With two nodes no path tells which is dead.

    The summary says UNCLEAR, and after two rounds the log says one of two.
    """
    clock, changes = ManualClock(), list[Change]()
    with probers(Cluster(nodes(2)).states()) as found:
        hub = hub_of(found, clock, changes.append)
        hub.look()
        for rounds in (1, 2, 3):
            become(found, Cluster(nodes(2)).fail(lambda link: link.crosses, rounds=rounds))
            for _ in range(2):
                clock.instant += 5.0
                hub.look()
            sentence = summary(hub).sentence.partition(":")[0]
            assert (
                sentence
                == {
                    1: "HEALTHY no fault on 48 paths of 4 probers; the last probe of 24 paths failed",
                    2: "UNCLEAR one of node-1, node-2, between node-1 and node-2, every node",
                    3: "FAULT one of node-1, node-2, between node-1 and node-2, every node",
                }[rounds]
            )
        assert [change.kind for change in changes] == ["open"]
        assert len([line for line in records if "FAULT one of node-1, node-2" in line]) == 1
