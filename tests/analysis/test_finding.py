"""What is at fault, by what all probers of a mesh say: each fault with the results that it has on a real one."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest

from smoker_prober.analysis.finding import Cell, Finding, cells_of, findings

NODES = ("n1", "n2", "n3", "n4")
ZONES = {"n1": "east", "n2": "west", "n3": "east", "n4": "west"}
PLANES = ("pod", "host", "pod-host", "host-pod")
PROBES = ("tcp", "udp", "http")

#: The outcome of a probe: source, target (empty: the echo services), plane, family, probe; None: it was answered.
Says = Callable[[str, str, str, str, str], str | None]


def mesh(says: Says, planes: tuple[str, ...] = PLANES, nodes: tuple[str, ...] = NODES) -> list[Cell]:
    """Every way of a full mesh, at home too where there is one, and those to the echo services."""
    ways = [
        (source, target, plane, family)
        for source, target, plane, family in product(nodes, nodes, planes, ("ipv4", "ipv6"))
        if source != target or plane in ("pod-host", "host-pod")
    ]
    services = [(source, "", plane, "") for source in nodes for plane in ("", "host-service")[: len(planes)]]
    found = []
    for way in ways + services:
        failed = {(probe, outcome) for probe in PROBES if (outcome := says(*way, probe))}
        found.append(Cell(*way, frozenset(set(PROBES) - {probe for probe, _ in failed}), frozenset(failed)))
    return found


def across(source: str, target: str, node: str) -> bool:
    """Whether the way leaves or reaches `node`."""
    return source != target and node in (source, target)


def overlay_of_n2(source: str, target: str, plane: str, _family: str, _probe: str) -> str | None:
    return "timeout" if target and plane != "host" and across(source, target, "n2") else None


def n2_away(source: str, target: str, _plane: str, _family: str, _probe: str) -> str | None:
    return "timeout" if target == "n2" and source != "n2" else None


def n2_to_n3(source: str, target: str, plane: str, _family: str, _probe: str) -> str | None:
    """What n2 sends n3 over the overlay is lost: requests of the one, answers to the other."""
    lost = {("n2", "n3"): ("pod", "host-pod"), ("n3", "n2"): ("pod", "pod-host")}
    return "timeout" if plane in lost.get((source, target), ()) else None


def large_at_n2(source: str, target: str, plane: str, _family: str, probe: str) -> str | None:
    return "mtu" if probe == "udp" and target and plane != "host" and across(source, target, "n2") else None


def udp_into_n2(source: str, target: str, plane: str, _family: str, probe: str) -> str | None:
    return "timeout" if probe == "udp" and target == "n2" and source != "n2" and plane in ("pod", "host-pod") else None


def policy(_source: str, target: str, plane: str, _family: str, _probe: str) -> str | None:
    """A default-deny: pods take nothing, from their own node neither."""
    return "timeout" if plane in ("pod", "host-pod", "pod-host") and target else None


def ipv6_of_n2(source: str, target: str, plane: str, family: str, _probe: str) -> str | None:
    return "timeout" if family == "ipv6" and plane != "host" and across(source, target, "n2") else None


def zones_apart(source: str, target: str, _plane: str, _family: str, _probe: str) -> str | None:
    return "timeout" if target and ZONES[source] != ZONES[target] else None


def services_of_n2(source: str, target: str, _plane: str, _family: str, _probe: str) -> str | None:
    return "timeout" if source == "n2" and not target else None


def nodes_to_services(_source: str, target: str, plane: str, _family: str, _probe: str) -> str | None:
    return "timeout" if not target and plane == "host-service" else None


def one_of_services(source: str, target: str, _plane: str, _family: str, probe: str) -> str | None:
    return "timeout" if source == "n2" and not target and probe == "udp" else None


def echo_away(_source: str, target: str, _plane: str, _family: str, probe: str) -> str | None:
    return "refused" if not target and probe == "http" else None


def dns_down(_source: str, target: str, _plane: str, _family: str, _probe: str) -> str | None:
    return None if target else "resolve_error"


def tcp_from_n4(source: str, target: str, plane: str, _family: str, probe: str) -> str | None:
    return "timeout" if source == "n4" and target and plane == "host" and probe != "udp" else None


def n2_to_n3_alone(source: str, target: str, plane: str, _family: str, _probe: str) -> str | None:
    return "timeout" if (source, target, plane) == ("n2", "n3", "pod") else None


def one_of_all(*way: str) -> str | None:
    return "timeout" if way == ("n1", "n2", "pod", "ipv4", "udp") else None


@dataclass(frozen=True)
class Case:
    """A fault, and what is said: where, and words of what and of the evidence."""

    says: Says
    found: list[tuple[str, ...]]
    mesh: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.says.__name__}-{'-'.join(map(str, self.mesh))}"


OVERLAY = "the pods' network (overlay, or a policy)"
UNKNOWN_LAYER = "the pods' network or the nodes'"
POD_ALONE = {"planes": ("pod",)}
CASES = [
    Case(lambda *_: None, []),
    Case(overlay_of_n2, [("n2", OVERLAY, "12 of 24 ways of plane pod ", "12 from node to node beside them do not")]),
    Case(overlay_of_n2, [("n2", UNKNOWN_LAYER, "12 of 24 ways of plane pod fail")], POD_ALONE),
    Case(overlay_of_n2, [("between n1 and n2", OVERLAY)], {"nodes": ("n1", "n2")}),
    Case(n2_away, [("to n2", "the nodes' network, below the pods'")]),
    Case(n2_to_n3, [("between n2 and n3", OVERLAY)]),
    Case(large_at_n2, [("n2", f"large packets alone, {OVERLAY}")]),
    Case(udp_into_n2, [("to n2", f"UDP alone, {OVERLAY}")]),
    Case(policy, [("every node", "the pods themselves, or a policy for them", "at home, which no overlay carries")]),
    Case(ipv6_of_n2, [("n2", f"{OVERLAY}, over ipv6 alone")]),
    Case(zones_apart, [("between east and west", "the nodes' network, below the pods'")]),
    Case(services_of_n2, [("n2", "Services (kube-proxy", "its peers answer")]),
    Case(one_of_services, [("n2", "UDP alone, of the echo services", "its peers answer")]),
    Case(echo_away, [("every node", "the echo services or their Service (HTTP)", "(refused); peers answer")]),
    Case(dns_down, [("every node", "the DNS", "(resolve_error); peers, asked by address, answer")]),
    Case(n2_to_n3_alone, [("from n2 to n3", OVERLAY)]),
    Case(tcp_from_n4, [("from n4", "HTTP and TCP alone, the nodes' own network", "no way of pods does")]),
    Case(nodes_to_services, [("every node", "(HTTP and TCP and UDP), by the plane host-service alone")]),
    Case(one_of_all, [("", "Not known what is at fault", "1 of 24 ways of plane pod fail (UDP)")]),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_is_named(case: Case) -> None:
    """One finding each: where it is and which layer, and what speaks for it."""
    found = findings(mesh(case.says, **case.mesh), ZONES)
    assert [finding.where for finding in found] == [where for where, *_ in case.found]
    for finding, (_where, *words) in zip(found, case.found, strict=True):
        for word in words:
            assert word in str(finding)


def test_the_echo_services_fail_with_their_node() -> None:
    """Where peers fail, too, they are not a fault of their own; where the DNS fails beside, it is."""

    def with_service(*way: str) -> str | None:
        return overlay_of_n2(*way[:5]) if way[1] else "timeout"

    first, second = findings(mesh(with_service), ZONES)
    assert first.where == "n2"
    assert second.what == "the echo services, too, which can follow from it"

    def with_dns(*way: str) -> str | None:
        return overlay_of_n2(*way[:5]) if way[1] else "resolve_error"

    assert [finding.what for finding in findings(mesh(with_dns), ZONES)] == [OVERLAY, "the DNS"]


def test_two_faults_are_two_findings() -> None:
    """Of different kinds: each is named by itself."""

    def both(*way: str) -> str | None:
        return udp_into_n2(*way[:5]) or tcp_from_n4(*way[:5])

    found = findings(mesh(both), ZONES)
    assert [(finding.where, finding.what.partition(",")[0]) for finding in found] == [
        ("from n4", "HTTP and TCP alone"),
        ("to n2", "UDP alone"),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_loss_names_nothing(seed: int) -> None:
    """A tenth of all results fail anywhere: no node, pair or zone is blamed."""
    chance = random.Random(seed)
    found = findings(mesh(lambda *_: "timeout" if chance.random() < 0.1 else None), ZONES)
    assert found
    assert {finding.where for finding in found if "echo services" not in finding.what} == {""}
    assert str(found[0]).startswith("Not known what is at fault, for no node, pair or zone explains it: ")


def test_nearly_all_is_enough() -> None:
    """A way that was answered a moment before the fault does not hide it; half of them do."""

    def some(share: float) -> list[Finding]:
        chance = random.Random(3)
        return findings(mesh(lambda *way: overlay_of_n2(*way) if chance.random() < share else None), ZONES)

    assert [finding.where for finding in some(0.97) if "alone" not in finding.what] == ["n2"]
    assert "n2" not in {finding.where for finding in some(0.5)}


def test_cells_of_a_snapshot() -> None:
    """The probes of a way together; the echo services are one target; what has no result is neither well nor failed."""
    way = {"target": "n2", "plane": "pod", "family": "ipv4"}
    echo = {"plane": "", "family": ""}
    assert set(
        cells_of(
            "n1",
            [
                {**way, "probe": "tcp", "last": "success"},
                {**way, "probe": "udp", "last": "timeout"},
                {**way, "probe": "http", "last": ""},
                {**echo, "target": "smoker-server:8080", "probe": "tcp", "last": "success"},
                {**echo, "target": "smoker-server:8081", "probe": "udp", "last": "success"},
            ],
        )
    ) == {
        Cell("n1", "n2", "pod", "ipv4", frozenset({"tcp"}), frozenset({("udp", "timeout")})),
        Cell("n1", "", "", "", frozenset({"tcp", "udp"}), frozenset()),
    }
