"""When `once --mesh --wait` ends with a fault: by the rule by which the hub opens one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import msgspec
import pytest

from smoker_diagnosis.component import NODE, Scope
from smoker_diagnosis.finding import Finding, finding_of
from smoker_diagnosis.sightings import A_ROUND, LASTS
from smoker_diagnosis.state import State, encode
from smoker_prober.gather import ask as gathering
from smoker_prober.gather import lasting
from smoker_prober.gather.ask import gather
from smoker_prober.gather.judge import Gathered
from smoker_prober.gather.lasting import REGULAR, Lasting
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.test_api_check import whole
from tests.prober.test_gather import gathered, prober

SOON = 0.5  # seconds after the look before


def broken(change: Callable[[Cluster], Cluster] = lambda cluster: cluster, count: int = 4) -> list[State]:
    """Return a mesh in which every path to or from node-2 fails."""
    cluster = Cluster(nodes(count)).fail(lambda link: link.touches("node-2"))
    return whole(change(cluster).states())


def later(states: list[State], seconds: float, **changes: Any) -> list[State]:
    """Return the states some seconds later; `changes` of the first failing path."""
    moved = [msgspec.structs.replace(state, at=state.at + seconds) for state in states]
    for number, state in enumerate(moved if changes else ()):
        for place, path in enumerate(state.paths):
            if path.streak:
                paths = list(state.paths)
                paths[place] = msgspec.structs.replace(path, **changes)
                moved[number] = msgspec.structs.replace(state, paths=paths)
                return moved
    return moved


def looks(*seen: tuple[float, Gathered]) -> list[bool]:
    """Return the answers to these looks at these instants."""
    watch = Lasting()
    return [watch.look(found, instant) for instant, found in seen]


def saying(states: list[State], *findings: Finding) -> Gathered:
    """Return a look at these states that has these findings."""
    found = gathered(*states)
    vars(found)["findings"] = list(findings)  # a cached property
    return found


def test_a_fault_is_certain_after_two_looks() -> None:
    """A fault of one look may be over. The same results a moment later say nothing new; a regular look counts."""
    found = gathered(*broken())
    assert [each.kind for each in found.findings] == ["fault"]
    assert looks((0.0, found), (SOON, found), (REGULAR, found)) == [False, False, True]


@pytest.mark.parametrize(
    ("states", "kind"),
    [
        (Cluster(nodes(4)).lose(lambda link: link.touches("node-2"), 20).states(), "loss"),
        (Cluster(nodes(4)).fail_services(nodes(4), ["udp"]).states(), "service"),
        (
            later(
                Cluster(nodes(6))
                .fail(lambda link: link == ("node-1", "node-2", "pod", "ipv4"), ("tcp",), rounds=2)
                .fail(lambda link: link == ("node-4", "node-5", "host", "ipv4"), ("http",), rounds=2)
                .states(),
                LASTS * A_ROUND,
            ),
            "unknown",
        ),
    ],
    ids=["loss", "service", "unknown"],
)
def test_the_same_results_say_nothing_new_of_any_kind(states: list[State], kind: str) -> None:
    """Packet loss, a Service and paths without a common cause are certain after a regular look, no sooner."""
    found = gathered(*whole(states))
    assert {each.kind for each in found.findings} == {kind}
    assert looks((0.0, found), (SOON, found), (2 * SOON, found), (REGULAR, found)) == [False, False, False, True]


def test_an_early_look_that_is_less_sure_begins_the_count_anew() -> None:
    """A probe that is answered meanwhile can make a finding unsure: then a look after it is the first one again."""
    states = whole(Cluster(nodes(4)).states())
    sure = finding_of("", "loss", Scope(NODE, ("node-2",)), "network", share=0.3)
    unsure = msgspec.structs.replace(sure, confidence=0.5)
    seen = zip((0.0, SOON, REGULAR, 2 * REGULAR), (sure, unsure, sure, sure), strict=True)
    assert looks(*((at, saying(states, each)) for at, each in seen)) == [False, False, False, True]


@pytest.mark.parametrize(
    ("without", "certain"),
    [((20.0, 40.0), True), ((15.0, 15.5, 16.0, 16.5, 40.0), True), ((15.0, 30.0, 45.0), False)],
    ids=["two looks", "two looks and early ones", "three looks"],
)
def test_a_finding_that_is_over_is_forgotten(without: tuple[float, ...], *, certain: bool) -> None:
    """After three regular looks without it a finding that comes again is a new one, whose name awaits its check."""
    states = whole(Cluster(nodes(4)).states())
    awaits = finding_of("", "dns", Scope(NODE, ("node-2",)), "network", awaits=("dns_pods",))
    before, between = (0.0, saying(states, awaits)), [(at, saying(states)) for at in without]
    assert looks(before, *between, (60.0, saying(states, awaits)), (65.0, saying(states, awaits)))[-1] == certain


def test_a_probe_that_fails_meanwhile_counts() -> None:
    """An early look counts where a probe has failed since the look before."""
    states = broken()
    news = later(states, SOON, at=states[0].at, streak=4)
    assert looks((0.0, gathered(*states)), (SOON, gathered(*news))) == [False, True]


def test_a_fault_that_heals_does_not_last() -> None:
    """A look that does not find it begins the count anew."""
    found, well = gathered(*broken()), gathered(*whole(Cluster(nodes(4)).states()))
    instants = (number * REGULAR for number in range(4))
    assert looks(*zip(instants, (found, well, found, found), strict=True)) == [False, False, False, True]


def test_what_does_not_count_is_not_waited_for() -> None:
    """Tolerated loss and targets of the user are no fault; loss that is not tolerated is."""
    states = whole(Cluster(nodes(4)).lose(lambda link: link.touches("node-2"), 9).states())
    assert looks(*((number * REGULAR, gathered(*states)) for number in range(3)))[-1]
    lenient = gathered(*states, tolerated=("loss",))
    assert not any(looks(*((number * REGULAR, lenient) for number in range(3))))


def test_paths_without_a_common_cause_last_for_two_rounds() -> None:
    """An unsure finding counts once its paths have failed for longer than that."""
    cluster = Cluster(nodes(6)).fail(lambda link: link == ("node-1", "node-2", "pod", "ipv4"), ("tcp",), rounds=2)
    cluster.fail(lambda link: link == ("node-4", "node-5", "host", "ipv4"), ("http",), rounds=2)
    states = whole(cluster.states())
    young, old = gathered(*states), gathered(*later(states, LASTS * A_ROUND))
    assert {each.kind for each in young.findings} == {"unknown"}
    assert looks((0.0, young), (REGULAR, young)) == [False, False]
    assert looks((0.0, old), (REGULAR, old)) == [False, True]


def test_what_has_just_started_is_no_fault() -> None:
    """A node that appears during the wait gets a minute."""
    states = broken()
    without = [state for state in states if state.node != "node-2"]
    before = gathered(*whole(Cluster([each for each in nodes(4) if each != "node-2"]).states()))
    assert len({state.node for state in before.states}) == len({state.node for state in without})
    new = [(number * REGULAR, gathered(*states)) for number in range(1, 5)]
    assert not any(looks((0.0, before), *new))
    assert looks((0.0, before), *new, *((60.0 + instant, found) for instant, found in new))[-1]


@pytest.mark.parametrize(("past", "certain"), [(1, False), (9, True)])
def test_an_echo_that_has_never_answered_may_start(past: int, *, certain: bool) -> None:
    """Right after an installation the probers can be ready before the echoes: that is no fault of their Service."""
    states = [
        msgspec.structs.replace(
            state,
            paths=[
                msgspec.structs.replace(path, past=past, since=state.at - 30.0 if path.streak else path.since)
                for path in state.paths
            ],
        )
        for state in whole(Cluster(nodes(4)).fail_services(nodes(4), ["udp"]).states())
    ]
    found = gathered(*states)
    assert [each.kind for each in found.findings] == ["service"]
    assert any(looks(*((number * REGULAR, found) for number in range(3)))) == certain


def test_the_wait_ends_with_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """`gather` does not use up its patience for a mesh whose fault is certain."""
    monkeypatch.setattr(gathering, "PAUSE", 0.01)
    monkeypatch.setattr(lasting, "REGULAR", 0.0)
    shown: list[Gathered] = []
    one, other = (encode(each) for each in broken(lambda cluster: cluster, 2)[:3:2])
    with prober(one) as first, prober(other) as second, gevent.Timeout(30):
        found = gather([("127.0.0.1", first), ("127.0.0.1", second)], 600.0, shown.append)
    assert (found.ok, len(shown)) == (False, 1)
