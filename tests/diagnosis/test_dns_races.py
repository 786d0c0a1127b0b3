"""The race of two DNS queries that leave together: which nodes are named, and what packet loss explains."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import pytest

from smoker_diagnosis.component import ALL, NODE, Scope
from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.state import HalfAnswers, PathState, decode, encode
from smoker_diagnosis.text import lines
from tests.diagnosis.mesh import AT, INTERVAL, TRAIN, Cluster, Link, failed, named, nodes

PODS = ("node-2", "node-5")
ROUNDS, LOOK_UPS = 3, 40


def mesh(count: int = 8) -> Cluster:
    """Return a mesh with DNS pods."""
    return Cluster(nodes(count), dns=PODS)


def by_service(link: Link) -> bool:
    """Return whether the look-up uses the Service."""
    return link.plane.endswith("service")


def race(found: Cluster, *sources: str) -> Cluster:
    """Make the look-ups of these nodes lose one of two queries in one of three rounds."""
    return found.fail_dns(lambda link: by_service(link) and link.source in sources, rounds=1, partly=1)


def lossy(count: int, rate: float, seed: int, *, raced: str = "", over: int = 0, counted: bool = True) -> Cluster:
    """Return a mesh in which every packet between two nodes, and every query to the DNS, is lost at this rate.

    Half of the queries for AAAA from `raced` to the Service are lost, too. Nothing was lost in the last `over` rounds.
    `counted`: whether the probers count half answers in more than the last rounds.
    """
    chance = random.Random(seed)
    found = Cluster(nodes(count), dns=PODS, services=False)
    for link, states in found.paths.items():
        if link.crosses:
            lost = sum(chance.random() < rate for _ in range(ROUNDS * TRAIN)) if not over else 0
            states["udp"] = msgspec.structs.replace(states["udp"], sent=ROUNDS * TRAIN, lost=lost)
    for link, state in found.to_dns.items():
        race = 0.5 if by_service(link) and link.source == raced else 0.0
        lost_queries = [
            (chance.random() < rate) + (chance.random() < max(rate, race)) if number < LOOK_UPS - over else 0
            for number in range(LOOK_UPS)
        ]
        found.to_dns[link] = looked_up(state, lost_queries, counted=counted)
    return found


def looked_up(state: PathState, lost_queries: Sequence[int], *, counted: bool) -> PathState:
    """Return a path to the DNS. `lost_queries`: how many of two queries each look-up lost, the newest last."""
    last = lost_queries[-ROUNDS:]
    path = failed(state, 1, "timeout", 20.0) if last[-1] else state
    failures = {"timeout": sum(map(bool, last))} if any(last) else {}
    path = msgspec.structs.replace(path, failures=failures, partly=last.count(1))
    if not counted:
        return path
    ages = [number for number, lost in enumerate(reversed(lost_queries)) if lost == 1]
    at = AT - 20.0 - INTERVAL * ages[0] if ages else 0.0
    return msgspec.structs.replace(path, halves=HalfAnswers(len(ages), len(lost_queries), at))


def raced(found: Cluster) -> list[Scope]:
    """Return where a race is named."""
    return [each.scope for each in found.findings() if each.layer == "dns_race"]


def test_half_answers_beside_packet_loss_are_not_a_race() -> None:
    """A node whose trains lose packets loses queries, too, also if the loss is too little to be named."""
    found = mesh().lose(lambda link: link[:3] in [("node-1", node, "pod") for node in ("node-2", "node-3")], 9)
    assert all(each.layer != "dns_race" for each in race(found, "node-1").findings())


def test_a_race_is_named_where_every_node_loses_a_packet_now_and_then() -> None:
    """One packet of a path in a thousand does not explain that a third of the look-ups of its node lose a query."""
    found = mesh().lose(lambda link: link[:3] == ("node-1", "node-2", "pod"), 1)
    assert named(race(found, "node-1").findings()) == [("dns", "node", ("node-1",), "dns_race")]


def test_a_race_is_a_warning() -> None:
    """One of two queries lost on several nodes, only by the Service, is the race, with its next step and its share."""
    findings = race(mesh(), "node-1", "node-3").findings()
    assert named(findings) == [("dns", "all", (), "dns_race")]
    assert findings[0].severity == "warning"
    text = "\n".join(lines(findings[0]))
    told = "8.3 % of the DNS look-ups lose one of the two queries (A and AAAA) that are sent together"
    assert f"WARNING every node: {told}" in text
    assert "next: conntrack -S" in text


def test_half_answers_of_dns_pods_are_loss_not_a_race() -> None:
    """Queries directly to a pod are not translated. If half of them are lost, too, it is loss and not the race."""
    lost = mesh().fail_dns(by_service, rounds=1, partly=1)
    lost.fail_dns(lambda link: not by_service(link), rounds=1, partly=1)
    assert lost.findings() == []


def test_a_single_half_answer_is_not_a_race() -> None:
    """One lost packet is no finding."""
    one = mesh().fail_dns(lambda link: link[:3] == ("node-1", "kubernetes.default", "service"), rounds=1, partly=1)
    assert one.findings() == []


@pytest.mark.parametrize(("count", "rate"), [(20, 0.005), (100, 0.003)])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("counted", [False, True])
def test_a_large_mesh_that_loses_packets_has_no_race(count: int, rate: float, seed: int, counted: bool) -> None:
    """Of many nodes some always have several half answers by chance: it is more than one tests them by."""
    assert raced(lossy(count, rate, seed, counted=counted)) == []


@pytest.mark.parametrize("rate", [0.0, 0.003, 0.006])
@pytest.mark.parametrize("seed", range(3))
def test_a_race_is_named_beside_packet_loss(rate: float, seed: int) -> None:
    """Three rounds are too few there. Over forty, half of the look-ups are far more than loss takes."""
    assert raced(lossy(4, rate, seed, raced="node-1")) == [Scope(NODE, ("node-1",))]


@pytest.mark.parametrize("seed", range(3))
def test_a_loss_that_is_over_was_no_race(seed: int) -> None:
    """No packet is lost now; the queries to the pods show that some were, when some to the Service were."""
    assert raced(lossy(20, 0.02, seed, over=ROUNDS)) == []


@pytest.mark.parametrize(("trains", "scopes"), [(0, [Scope(ALL)]), (6, [])])
def test_trains_that_lost_packets_earlier_explain_half_answers(trains: int, scopes: list[Scope]) -> None:
    """Two half answers on each node are no race if of the last 120 trains six lost packets, which is over."""
    found = lossy(4, 0.0, 1)
    for link, state in found.to_dns.items():
        if by_service(link) and link.plane == "service":
            halves = HalfAnswers(2, LOOK_UPS, AT - 300.0)
            found.to_dns[link] = msgspec.structs.replace(state, halves=halves)
    for states in found.paths.values():
        states["udp"] = msgspec.structs.replace(states["udp"], past=120, lossy=trains)
    assert raced(found) == scopes


def test_earlier_half_answers_count_only_beside_queries_to_the_pods() -> None:
    """Where the DNS pods are not known, nothing shows a loss that is over: the last rounds alone count."""
    found = lossy(20, 0.02, 1, over=ROUNDS)
    found.to_dns = {link: state for link, state in found.to_dns.items() if by_service(link)}
    assert raced(found) == []


@pytest.mark.parametrize(("over", "scopes"), [(2, [Scope(NODE, ("node-1",))]), (10, [])])
def test_a_race_is_over_before_its_half_answers_are_forgotten(over: int, scopes: list[Scope]) -> None:
    """Four whole answers in a row happen by chance if half of them are; twenty do not."""
    assert raced(lossy(4, 0.0, 1, raced="node-1", over=over)) == scopes


@pytest.mark.parametrize(("first", "scopes"), [(AT - 800.0, []), (0.0, [Scope(NODE, ("node-1",))])])
def test_a_young_race_is_over_sooner(first: float, scopes: list[Scope]) -> None:
    """Three half answers in the first four rounds of a race, and then twenty whole ones: of forty they are few."""
    found = lossy(4, 0.0, 1)
    for link, state in found.to_dns.items():
        if by_service(link) and link.source == "node-1":
            found.to_dns[link] = msgspec.structs.replace(state, halves=HalfAnswers(3, LOOK_UPS, AT - 700.0, first))
    assert raced(found) == scopes


def test_more_half_answers_than_rounds_end_no_look() -> None:
    """After a change to a longer interval a prober can report as many for a while: that is a race that lasts."""
    found = lossy(4, 0.0, 1)
    for link, state in found.to_dns.items():
        if by_service(link) and link.source == "node-1":
            halves = HalfAnswers(20, LOOK_UPS, AT - 12.5, AT - 27.5)
            found.to_dns[link] = msgspec.structs.replace(state, halves=halves)
    assert raced(found) in ([], [Scope(NODE, ("node-1",))])


def test_half_answers_that_are_forgotten_no_longer_count() -> None:
    """A look that keeps the evidence of the one before reads the count again, though every look-up is answered."""
    kept, before = Evidence(), lossy(4, 0.0, 1, raced="node-1", over=4)
    looks = [
        diagnose([decode(encode(state)) for state in found.states()], evidence=kept)
        for found in (before, lossy(4, 0.0, 1))
    ]
    assert [[each.layer for each in findings] for findings in looks] == [["dns_race"], []]


def test_few_half_answers_of_many_are_no_race() -> None:
    """Two of eighty look-ups of a node in twenty minutes are lost in any network now and then."""
    found = mesh()
    for link, state in found.to_dns.items():
        half = by_service(link) and link.source == "node-1"
        found.to_dns[link] = looked_up(state, [0, int(half), *[0] * 38], counted=True)
    assert raced(found) == []


def test_nodes_whose_probers_are_older_are_judged_by_three_rounds() -> None:
    """A state without the longer count is read as before; one with it does not hide that node."""
    found = race(lossy(4, 0.0, 1), "node-1")
    for link, state in found.to_dns.items():
        if link.source == "node-1":
            found.to_dns[link] = msgspec.structs.replace(state, halves=None)
    assert raced(found) == [Scope(NODE, ("node-1",))]


def test_a_node_that_loses_half_of_the_look_ups_stands_out_of_a_large_mesh() -> None:
    """Half answers of other nodes by chance do not hide it, and do not make a fault of every node of it."""
    found = lossy(100, 0.0005, 1, counted=False)
    found.fail_dns(lambda link: by_service(link) and link.source == "node-60", rounds=2, partly=2)
    assert raced(found) == [Scope(NODE, ("node-60",))]


def test_a_race_beside_a_fault_of_other_nodes_is_named() -> None:
    """A broken pair of two other nodes takes both queries or none."""
    found = race(mesh().fail(lambda link: link.between("node-3", "node-4")), "node-1")
    assert ("dns", "node", ("node-1",), "dns_race") in named(found.findings())


def test_a_node_that_is_blamed_has_no_race() -> None:
    """The fault at the node itself, or in its zone, can lose its queries, too."""
    found = race(mesh().fail(lambda link: link.between("node-1", "node-4")), "node-1")
    assert [kind for kind, *_ in named(found.findings())] == ["fault"]


def test_a_race_of_other_nodes_does_not_blame_the_node_at_fault() -> None:
    """Two nodes have half answers, and one of them is at the end of a broken pair: the race is at the other."""
    found = race(mesh().fail(lambda link: link.between("node-3", "node-4")), "node-1", "node-3")
    assert ("dns", "node", ("node-1",), "dns_race") in named(found.findings())


@pytest.mark.parametrize(("halved", "cut_off"), [(5.0, False), (60.0, True)])
def test_look_ups_that_lose_a_query_do_not_mean_that_the_dns_is_cut_off(halved: float, cut_off: bool) -> None:
    """Look-ups of echoes fail on a node for a while, and the DNS Service has half answered there since, or before."""
    found = mesh().fail_services(["node-1"], rounds=2, outcome="resolve_error")
    for link, state in found.to_dns.items():
        if by_service(link) and link.source == "node-1":
            halves = HalfAnswers(1, LOOK_UPS, AT - halved, AT - halved)
            found.to_dns[link] = msgspec.structs.replace(failed(state, 1, "timeout", 5.0), partly=1, halves=halves)
    assert ("dns" in {each.layer for each in found.findings()}) == cut_off
