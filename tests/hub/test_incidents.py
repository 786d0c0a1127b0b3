"""The life of a finding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from smoker_diagnosis.component import ALL, INTO, NODE, OUT_OF, PAIR, SERVICE, Scope
from smoker_diagnosis.finding import Count, Finding, Seen
from smoker_diagnosis.sightings import CLOSES, OF_PATHS
from smoker_hub.incidents import MOST_CLOSED, Incidents

FOUND = Finding(id="a1", kind="fault", scope=Scope(NODE, ("node-1",)), layer="overlay", confidence=0.97)


def phases(incidents: Incidents, looks: str, finding: Finding = FOUND) -> list[list[str]]:
    """Return what each look changes: `x` has the finding, `.` does not."""
    return [
        [change.kind for change in incidents.look([finding] if look == "x" else [], float(number))]
        for number, look in enumerate(looks)
    ]


def test_it_opens_with_the_second_look_and_closes_with_the_third_that_misses_it() -> None:
    """One line is logged when it opens and one when it closes."""
    incidents = Incidents()
    assert phases(incidents, "xxx") == [[], ["open"], []]
    assert [each.phase for each in incidents.open] == ["open"]
    assert phases(incidents, "...") == [[], [], ["close"]]
    assert not incidents.open
    assert [each.id for each in incidents.recent()] == ["a1"]


def test_a_gap_of_two_looks_does_not_close_a_finding() -> None:
    """A finding that comes back while it is clearing is open again, without a line."""
    incidents = Incidents()
    assert phases(incidents, "xx..x..x") == [[], ["open"], [], [], [], [], [], []]
    assert [each.phase for each in incidents.open] == ["open"]


@pytest.mark.parametrize("kind", OF_PATHS)
def test_the_same_results_are_not_seen_twice(kind: str) -> None:
    """An early look opens a place with failing paths only if a probe has failed since. A regular look does."""
    found, early, regular = msgspec.structs.replace(FOUND, kind=kind), Incidents(), Incidents()
    assert [early.look([found], second, early=True, news=False) for second in (1.0, 2.0, 3.0)] == [[], [], []]
    assert [each.opens_next for each in early.suspected] == [True]
    assert [change.kind for change in early.look([found], 4.0, early=True, news=True)] == ["open"]
    assert [len(regular.look([found], second, news=False)) for second in (1.0, 2.0)] == [0, 1]


def test_packet_loss_opens_with_any_early_look() -> None:
    """Lost packets fail no probe, so no failure need come between two looks."""
    incidents, lossy = Incidents(), msgspec.structs.replace(FOUND, kind="loss")
    assert [len(incidents.look([lossy], second, early=True, news=False)) for second in (5.0, 6.0)] == [0, 1]


NOT_SURE = {
    "a low confidence": msgspec.structs.replace(FOUND, severity="warning", confidence=0.89),
    "one of two places": msgspec.structs.replace(FOUND, one_of=(FOUND.scope, Scope(NODE, ("node-2",)))),
    "no common cause": msgspec.structs.replace(FOUND, kind="unknown", severity="warning", confidence=0.5),
}


@pytest.mark.parametrize("finding", NOT_SURE.values(), ids=NOT_SURE)
def test_an_unsure_finding_opens_after_two_rounds(finding: Finding) -> None:
    """It is suspected until its paths have failed for two rounds, and then opens as uncertain."""
    incidents = Incidents()
    opened: list[int] = []
    lasting: list[int] = []
    for second in range(0, 100, 5):
        seen = msgspec.structs.replace(finding, since=float(second))
        opened += [second for _ in incidents.look([seen], float(second), a_round=30.0)]
        lasting += [second for _ in incidents.lasting]
    assert opened == [65]
    assert lasting == [35, 40, 45, 50, 55, 60]
    (incident,) = incidents.open
    assert incident.finding.severity == ("critical" if finding.one_of else "warning")


def test_paths_that_fail_by_turns_never_open() -> None:
    """An uncertain finding never opens if none of its paths has failed for long, however many looks have it."""
    incidents = Incidents()
    assert phases(incidents, "x" * 50, msgspec.structs.replace(FOUND, confidence=0.5, since=20.0)) == [[]] * 50


def test_loss_without_a_failing_probe_lasts_beyond_its_window() -> None:
    """Counts cover three rounds, so uncertain loss opens after it was seen for two rounds more."""
    lossy = msgspec.structs.replace(FOUND, kind="loss", confidence=0.7)
    incidents = Incidents()
    opened = [second for second in range(0, 200, 5) for _ in incidents.look([lossy], float(second), a_round=30.0)]
    assert opened == [155]


def test_a_choice_of_places_that_changes_is_one_incident() -> None:
    """Other possible places that share one, on the same layer, keep the id; another layer does not."""
    first, second, third = (Scope(NODE, (f"node-{number}",)) for number in (1, 2, 3))
    choice = msgspec.structs.replace(FOUND, one_of=(first, second), since=99.0)
    other = msgspec.structs.replace(choice, id="b2", scope=second, one_of=(second, third))
    incidents = Incidents()
    assert phases(incidents, "xx", choice) == [[], ["open"]]
    assert phases(incidents, "x", other) == [[]]
    assert [each.id for each in incidents.open] == ["a1"]
    assert incidents.open[0].finding.one_of == (second, third)
    apart = msgspec.structs.replace(other, layer="service")
    incidents.look([apart], 9.0)
    assert [each.id for each in incidents.suspected] == ["b2"]


def test_a_finding_that_becomes_sure_escalates() -> None:
    """A warning with a low confidence becomes critical under its id once it is certain."""
    incidents = Incidents()
    unsure = msgspec.structs.replace(FOUND, severity="warning", confidence=0.8, since=99.0)
    assert phases(incidents, "xx", unsure) == [[], ["open"]]
    assert phases(incidents, "x", msgspec.structs.replace(FOUND, since=99.0)) == [["escalate"]]


def test_a_sure_but_not_certain_finding_must_last_a_round() -> None:
    """A confidence that chance sometimes reaches opens only if new results confirm it."""
    sure = msgspec.structs.replace(FOUND, confidence=0.93)
    incidents = Incidents()
    opened = [second for second in range(0, 60, 5) for _ in incidents.look([sure], float(second), a_round=30.0)]
    assert opened == [35]
    again = Incidents()
    for second in range(0, 60, 5):  # one look without it begins anew
        found = [] if second == 25 else [sure]
        assert not again.look(found, float(second), a_round=30.0)


def test_rules_are_certain_by_themselves() -> None:
    """The confidence of a silent prober comes from a rule and is no likelihood."""
    silent = msgspec.structs.replace(FOUND, kind="silent", layer="prober", confidence=0.95)
    assert phases(Incidents(), "xx", silent) == [[], ["open"]]


@pytest.mark.parametrize("looks", ["x.x.x.x.", "x...x...x"])
def test_a_single_look_opens_nothing(looks: str) -> None:
    """A finding needs two looks in a row."""
    assert not any(phases(Incidents(), looks))


def test_the_memory_of_closed_ones_is_bounded() -> None:
    """The oldest closed findings are forgotten."""
    incidents = Incidents()
    for number in range(MOST_CLOSED + 5):
        phases(incidents, "xx" + "." * CLOSES, msgspec.structs.replace(FOUND, id=f"{number:x}"))
    closed = [each.id for each in incidents.recent()]
    assert len(closed) == MOST_CLOSED
    assert closed[0] == f"{MOST_CLOSED + 4:x}"


def test_a_finding_that_becomes_worse_escalates_once() -> None:
    """A warning that becomes critical escalates once, under its id; changes back and forth add nothing."""
    incidents = Incidents()
    warning = msgspec.structs.replace(FOUND, kind="loss", severity="warning")
    critical = msgspec.structs.replace(FOUND, kind="loss", severity="critical")
    assert phases(incidents, "xx", warning) == [[], ["open"]]
    assert phases(incidents, "xx", critical) == [["escalate"], []]
    assert phases(incidents, "x", warning) == [[]]
    assert phases(incidents, "x", critical) == [[]]


def test_looks_that_come_early_close_nothing() -> None:
    """A finding closes after three looks at the usual pace without it, however many early looks there are."""
    incidents = Incidents()
    phases(incidents, "xx")
    assert [incidents.look([], 9.0, early=True) for _ in range(9)] == [[]] * 9
    assert phases(incidents, "...") == [[], [], ["close"]]


def test_a_finding_about_a_deleted_node_closes_at_once() -> None:
    """A finding about a deleted node closes without three looks; a suspected one disappears without a line."""
    for looks, expected in (("xx", ["close"]), ("x", [])):
        incidents = Incidents()
        phases(incidents, looks)
        assert [each.kind for each in incidents.look([], 9.0, gone=lambda _: True)] == expected
        assert not incidents.open
        assert not incidents.suspected


def test_a_chance_pattern_on_one_node_must_last_a_round() -> None:
    """A Service or the DNS that fails for one node opens at once only if chance is ruled out."""
    for kind in ("service", "dns"):
        likely = msgspec.structs.replace(FOUND, kind=kind, layer=kind, confidence=0.95)
        assert phases(Incidents(), "xxxx", likely) == [[]] * 4
        certain = msgspec.structs.replace(likely, confidence=0.97)
        assert phases(Incidents(), "xx", certain) == [[], ["open"]]


@pytest.mark.parametrize(("kind", "opens"), [("service", 40), ("dns", 60)])
def test_a_node_without_services_opens_once_its_probes_have_failed_for_longer_than_a_round(
    kind: str, opens: int
) -> None:
    """Found 20 seconds after they began to fail: the next round, which failed too, counts, not the looks alone."""
    incidents = Incidents()
    likely = msgspec.structs.replace(FOUND, kind=kind, layer=kind, confidence=0.95)
    looks = [(second, msgspec.structs.replace(likely, since=float(second))) for second in range(20, 70, 5)]
    opened = [second for second, found in looks for _ in incidents.look([found], float(second), a_round=35.0)]
    assert opened == [opens]


def cut_off(paths: int, seconds: float, **changes: Any) -> Finding:
    """Return a fault of node-1 of which `paths` pod paths of 8 have failed for `seconds` seconds."""
    ends = [("node-1", f"node-{number}") for number in range(2, 2 + paths)]
    failing = tuple(Seen(source, target, "pod", "ipv4", "tcp", "timeout", seconds) for source, target in ends)
    whole = msgspec.structs.replace(FOUND, confidence=0.99, counts=(Count("pod", paths, 8),), failing=failing)
    return msgspec.structs.replace(whole, **changes)


def smaller(paths: int, seconds: float, **changes: Any) -> Finding:
    """Return another finding of that node: TCP alone, out of it."""
    other = {"id": "b2", "scope": Scope(OUT_OF, ("node-1",)), "layer": "network", "probes": ("tcp",)}
    return cut_off(paths, seconds, **{**other, **changes})


def looks(incidents: Incidents, findings: Sequence[Sequence[Finding]], begin: float, step: float = 5.0) -> list[str]:
    """What the looks change, one every `step` seconds: `open a1`."""
    return [
        f"{change.kind} {change.incident.id}"
        for number, found in enumerate(findings)
        for change in incidents.look(found, begin + step * number, a_round=30.0)
    ]


def opened(findings: Sequence[Finding]) -> Incidents:
    """Incidents with these open, seen last at 20 s; their paths failed from 0 s on."""
    incidents = Incidents()
    assert [each.split()[0] for each in looks(incidents, [findings] * 2, 15.0)] == ["open"] * len(findings)
    return incidents


@pytest.mark.parametrize(
    "left",
    [
        smaller(3, 25.0),
        smaller(8, 25.0),  # as many paths, with one probe
        smaller(3, 25.0, kind="unknown", confidence=0.5, scope=Scope("", ("node-1>node-2",)), layer="", probes=()),
        smaller(3, 25.0, kind="service", scope=Scope("all"), layer="service"),
        smaller(1, 25.0, kind="unknown", failing=(Seen("node-2", "echo:8080", "service", "", "tcp", "timeout", 25.0),)),
        smaller(1, 25.0, kind="dns", failing=(Seen("node-2", "node-1/2", "pod", "", "dns", "timeout", 25.0),)),
    ],
    ids=["fewer paths", "fewer probes", "no common cause", "Services", "an echo that stood there", "a DNS pod there"],
)
def test_a_healing_fault_leaves_no_new_finding(left: Finding) -> None:
    """Paths that are left when others work again are no finding; the open one closes when they are gone, too."""
    incidents = opened([cut_off(8, 20.0)])
    aged = [
        [
            msgspec.structs.replace(
                left, failing=tuple(msgspec.structs.replace(each, since=age) for each in left.failing)
            )
        ]
        for age in (25.0, 30.0, 35.0)
    ]
    assert looks(incidents, aged, 25.0) == []
    assert not incidents.suspected
    assert [(each.id, each.phase) for each in incidents.open] == [("a1", "clearing")]
    assert looks(incidents, [[], [], []], 40.0) == ["close a1"]


def lossy(paths: int, **changes: Any) -> Finding:
    """Return a loss of node-1 on `paths` pod paths of 8."""
    return cut_off(paths, 0.0, **{"kind": "loss", "share": 0.5, **changes})


_PAIR = {"id": "b2", "scope": Scope(PAIR, ("node-1", "node-2"))}


@pytest.mark.parametrize(
    "left",
    [
        lossy(2, **_PAIR),
        lossy(2, **_PAIR, one_of=(Scope(PAIR, ("node-1", "node-2")), FOUND.scope), confidence=0.6),
        lossy(5, id="b2", layer="network"),
    ],
    ids=["a pair", "a pair or the node", "another layer"],
)
def test_a_healing_loss_leaves_no_new_finding(left: Finding) -> None:
    """Counts keep lost packets for three rounds: so long, fewer paths of a lossy node are no finding of their own."""
    incidents = opened([lossy(8)])
    assert looks(incidents, [[left]] * 18, 25.0) == []  # until 110 s
    assert [(each.id, each.finding.scope, each.phase) for each in incidents.open] == [("a1", FOUND.scope, "clearing")]
    assert looks(incidents, [[], [], []], 115.0) == ["close a1"]


def test_a_loss_that_outlasts_the_counts_of_another_opens() -> None:
    """A pair that loses packets for more than three rounds after its node did so has a fault of its own."""
    incidents = opened([lossy(8)])
    assert looks(incidents, [[lossy(2, **_PAIR)] for _ in range(25, 135, 5)], 25.0) == ["open b2", "close a1"]
    assert [(each.id, each.opened) for each in incidents.open] == [("b2", 120.0)]  # three rounds after 20 s, twice seen


def test_a_loss_elsewhere_opens_at_once() -> None:
    """Paths that lose packets and do not touch the node that heals are news."""
    elsewhere = Seen("node-5", "node-6", "pod", "ipv4", "train", "9 of 30 packets lost")
    other = lossy(2, id="b2", scope=Scope(PAIR, ("node-5", "node-6")), failing=(elsewhere,))
    assert looks(opened([lossy(8)]), [[other], [other]], 25.0) == ["open b2"]


@pytest.mark.parametrize(
    "chance",
    [cut_off(2, 9.0, **_PAIR), cut_off(3, 9.0, id="b2", kind="dns", scope=Scope(ALL), layer="dns")],
    ids=["a pair of the node", "the DNS"],
)
def test_a_fault_at_a_node_with_heavy_loss_must_last_a_round(chance: Finding) -> None:
    """Where half of the packets are lost, a few probes in a row fail by chance. What lasts is a fault of its own."""
    assert looks(opened([lossy(8)]), [[lossy(8), chance]] * 6 + [[lossy(8)]] * 3, 25.0) == []
    incidents = opened([lossy(8)])
    assert looks(incidents, [[lossy(8), chance]] * 8, 25.0) == ["open b2"]
    assert incidents.open[1].opened == 60.0


def test_a_fault_beside_heavy_loss_waits_while_the_loss_clears() -> None:
    """Probes that failed by chance fail until their next round, longer than the loss itself is found."""
    incidents = opened([lossy(8)])
    assert looks(incidents, [[cut_off(2, 1.0, **_PAIR)]] * 2, 25.0) == []
    assert looks(incidents, [[]], 35.0) == ["close a1"]


@pytest.mark.parametrize(
    ("beside", "other"),
    [
        (lossy(8, share=0.03), cut_off(2, 9.0, **_PAIR)),
        (lossy(8), cut_off(2, 9.0, id="b2", scope=Scope(PAIR, ("node-5", "node-6")))),
        (cut_off(8, 9.0), cut_off(3, 9.0, id="b2", kind="dns", scope=Scope(ALL), layer="dns")),
    ],
    ids=["little loss", "other nodes", "no loss"],
)
def test_a_fault_that_heavy_loss_does_not_cause_opens_at_once(beside: Finding, other: Finding) -> None:
    """Only what touches a node that loses many packets waits for a round."""
    assert looks(opened([beside]), [[beside, other]] * 2, 25.0) == ["open b2"]


def test_a_second_fault_that_outlasts_the_first_opens_after_a_round() -> None:
    """Paths that fail for longer than a round after the open finding was last seen are a fault of their own."""
    incidents = opened([cut_off(8, 20.0)])
    stays = [[smaller(3, now)] for now in range(25, 80, 5)]
    assert looks(incidents, stays, 25.0) == ["open b2", "close a1"]
    assert [each.id for each in incidents.open] == ["b2"]
    assert incidents.open[0].opened == 60.0  # a round after 20 s, and the second look from there


@pytest.mark.parametrize(
    "other",
    [
        smaller(3, 4.0),
        smaller(3, 25.0, failing=(Seen("node-5", "node-6", "pod", "ipv4", "tcp", "timeout", 25.0),)),
        smaller(8, 25.0, probes=()),
        smaller(3, 25.0, kind="silent", layer="prober"),
    ],
    ids=["began since", "another place", "as large", "no paths"],
)
def test_another_fault_opens_at_once(other: Finding) -> None:
    """A fault that began later, elsewhere, or is no smaller opens with its second look, whatever heals meanwhile."""
    incidents = opened([cut_off(8, 20.0)])
    assert looks(incidents, [[other], [other]], 25.0) == ["open b2"]


def test_failures_seen_beside_an_open_finding_are_not_its_remains() -> None:
    """A second fault of the same node that a look found beside the first opens as usual."""
    incidents = opened([cut_off(8, 20.0)])
    assert looks(incidents, [[cut_off(8, 25.0), smaller(3, 25.0)]], 25.0) == []
    assert looks(incidents, [[smaller(3, 30.0)]], 30.0) == ["open b2"]


@pytest.mark.parametrize("place", ["node-1", "node-5"])
def test_unexplained_paths_beside_a_fault_must_last_two_rounds(place: str) -> None:
    """They have failed for long, but until now a fault that is open may have explained them."""
    incidents = opened([cut_off(8, 20.0)])
    stray = smaller(1, 25.0, kind="unknown", confidence=0.5, scope=Scope("", (place,)), layer="", probes=())
    changes = []
    for now in range(25, 125, 5):
        unknown = msgspec.structs.replace(stray, since=float(now))
        changes += [f"{now}: {each}" for each in looks(incidents, [[cut_off(4, now), unknown]], now)]
    assert changes == ["90: open b2"]


@pytest.mark.parametrize(
    "first",
    [
        smaller(3, 9.0),
        smaller(3, 9.0, kind="service", scope=Scope(SERVICE), layer="service", counts=(Count("service", 2, 4),)),
    ],
    ids=["a pair", "a Service"],
)
def test_what_was_named_before_the_whole_fault_showed_ends_with_its_name(first: Finding) -> None:
    """The first paths of a broken node look like a pair. Once the node is open, the pair is part of it."""
    incidents = Incidents()
    whole = cut_off(8, 15.0, follows=3)
    assert looks(incidents, [[first], [first], [whole], [whole]], 15.0) == ["open b2", "open a1", "close b2"]
    (closed,) = incidents.recent()
    assert closed.part_of in closed.finding.notes
    assert closed.part_of == "it is part of a larger fault: node-1"


@pytest.mark.parametrize(
    "first",
    [
        smaller(3, 9.0, failing=(Seen("node-5", "node-6", "pod", "ipv4", "tcp", "timeout", 9.0),)),
        smaller(3, 9.0, failing=(Seen("node-1", "node-2", "host", "ipv4", "tcp", "timeout", 9.0),)),
        smaller(3, 9.0, kind="service", counts=(Count("service", 4, 4),)),
        smaller(3, 9.0, kind="silent", layer="prober"),
    ],
    ids=["another place", "another network", "a Service with more", "no paths"],
)
def test_what_a_larger_finding_does_not_explain_stays_open(first: Finding) -> None:
    """It closes as usual, after three looks without it."""
    whole = cut_off(8, 15.0, follows=3)
    assert looks(Incidents(), [[first], [first], *[[whole]] * 4], 15.0) == ["open b2", "open a1", "close b2"]
    assert looks(Incidents(), [[first], [first], *[[whole]] * 2], 15.0) == ["open b2", "open a1"]


def test_a_choice_of_places_does_not_hide_a_surer_finding() -> None:
    """When an open finding was not sure, a smaller one of its paths may be the true place, and opens at once."""
    choice = (FOUND.scope, Scope(NODE, ("node-2",)))
    incidents = Incidents()
    assert looks(incidents, [[cut_off(8, 99.0, one_of=choice, since=99.0)]] * 2, 15.0) == ["open a1"]
    assert looks(incidents, [[smaller(3, 99.0)]] * 2, 25.0) == ["open b2"]


def test_a_direction_that_becomes_both_is_one_incident() -> None:
    """An open `into node-1` that becomes `node-1` keeps its id. One that is not open, or elsewhere, does not."""
    into = cut_off(4, 20.0, id="b2", scope=Scope(INTO, ("node-1",)))
    incidents = opened([into])
    assert looks(incidents, [[cut_off(8, seconds)] for seconds in (25.0, 30.0, 35.0, 40.0)], 25.0) == []
    assert [(each.id, each.finding.scope.kind) for each in incidents.open] == [("b2", NODE)]
    assert looks(incidents, [[], [], []], 45.0) == ["close b2"]
    assert looks(Incidents(), [[into], [cut_off(8, 25.0)], [cut_off(8, 30.0)]], 20.0) == ["open a1"]
    elsewhere = cut_off(8, 25.0, scope=Scope(NODE, ("node-3",)))
    assert looks(opened([into]), [[elsewhere], [elsewhere]], 25.0) == ["open a1"]


def test_a_layer_that_becomes_known_is_no_news() -> None:
    """A finding on one of two layers keeps its id when one of them is known; on an excluded layer it is news."""
    unclear = msgspec.structs.replace(FOUND, kind="mtu", layer="network", layers=("network", "overlay"))
    known = msgspec.structs.replace(unclear, id="b2", layer="overlay", layers=("overlay",))
    incidents = Incidents()
    assert [len(incidents.look([unclear], second)) for second in (0.0, 5.0)] == [0, 1]
    assert [incidents.look([known], second) for second in (10.0, 15.0)] == [[], []]
    assert [(each.id, each.finding.layer) for each in incidents.open] == [(unclear.id, "overlay")]
    other = msgspec.structs.replace(unclear, id="c3", layers=("network",))
    assert [len(incidents.look([other], second)) for second in (20.0, 25.0)] == [0, 1]


def test_a_suspected_fault_that_becomes_not_ready_opens_with_the_second_look() -> None:
    """Kubernetes notices the node between two looks: that does not delay its name."""
    incidents = Incidents()
    assert incidents.look([FOUND], 0.0) == []
    (change,) = incidents.look([msgspec.structs.replace(FOUND, kind="not_ready")], 1.0)
    assert change.kind == "open"
