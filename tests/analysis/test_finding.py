"""What is at fault, by what all probers of a mesh say: each fault with the results that it has on a real one."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest

from smoker_prober.analysis.cell import Cell, cells_of
from smoker_prober.analysis.finding import Finding, findings

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


def at_home(source: str, target: str, _plane: str, _family: str, _probe: str) -> str | None:
    return "timeout" if source == target == "n2" else None


def ipv6_of_n2(source: str, target: str, plane: str, family: str, _probe: str) -> str | None:
    return "timeout" if family == "ipv6" and plane != "host" and across(source, target, "n2") else None


def zones_apart(source: str, target: str, _plane: str, _family: str, _probe: str) -> str | None:
    return "timeout" if target and ZONES[source] != ZONES[target] else None


def services_of_n2(source: str, target: str, _plane: str, _family: str, _probe: str) -> str | None:
    return "timeout" if source == "n2" and not target else None


def nodes_to_services(_source: str, target: str, plane: str, _family: str, _probe: str) -> str | None:
    return "timeout" if not target and plane == "host-service" else None


def host_ports_closed(_source: str, target: str, plane: str, _family: str, _probe: str) -> str | None:
    return "timeout" if target and plane in ("host", "pod-host") else None


def nobody_listens(source: str, target: str, plane: str, _family: str, _probe: str) -> str | None:
    return "refused" if target == "n2" != source and plane in ("pod", "host-pod") else None


def two_nodes(source: str, target: str, plane: str, _family: str, _probe: str) -> str | None:
    """n1 and n2; the way between the other two is well, and that is less than a fifth of all."""
    return "timeout" if target and plane == "pod" and {source, target} != {"n3", "n4"} else None


def large_to_service(_source: str, target: str, _plane: str, _family: str, probe: str) -> str | None:
    return "mtu" if not target and probe == "udp" else None


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
UNKNOWN_LAYER = "the pods' network (overlay, or a policy) or the nodes'"
POD_ALONE = {"planes": ("pod",)}
CASES = [
    Case(lambda *_: None, []),
    Case(overlay_of_n2, [("n2", OVERLAY, "12 of 24 ways of plane pod ", "12 from node to node beside them do not")]),
    Case(overlay_of_n2, [("n2", UNKNOWN_LAYER, "12 of 24 ways of plane pod fail")], POD_ALONE),
    Case(overlay_of_n2, [("between n1 and n2", OVERLAY)], {"nodes": ("n1", "n2")}),
    Case(n2_away, [("to n2", "the nodes' network, below the pods'")]),
    Case(
        host_ports_closed,
        [("every node", "the probers on the nodes' network, or a firewall", "24 from pod to pod do not")],
    ),
    Case(nobody_listens, [("to n2", "nobody listens there, or somebody rejects it")]),
    Case(two_nodes, [("n1, n2", OVERLAY)], {"planes": ("pod", "host")}),
    Case(n2_to_n3, [("between n2 and n3", OVERLAY)]),
    Case(large_at_n2, [("n2", f"large packets alone, {OVERLAY}")]),
    Case(udp_into_n2, [("to n2", f"UDP alone, {OVERLAY}")]),
    Case(
        policy, [("every node", "a policy for pods, or their nodes' own network", "at home, which no overlay carries")]
    ),
    Case(at_home, [("n2", "a policy for pods, or their nodes' own network", "2 of 32 ways of plane host-pod and")]),
    Case(ipv6_of_n2, [("n2", f"{OVERLAY}, over ipv6 alone")]),
    Case(zones_apart, [("between east and west", "the nodes' network, below the pods'")]),
    Case(services_of_n2, [("n2", "Services (kube-proxy", "; peers answer")]),
    Case(one_of_services, [("n2", "UDP alone, of the echo services", "; peers answer")]),
    Case(echo_away, [("every node", "the echo services or their Service (HTTP)", "(refused) fail; peers answer")]),
    Case(large_to_service, [("every node", "large packets to the echo services", "(mtu) fail; peers answer")]),
    Case(dns_down, [("every node", "the DNS", "(resolve_error) fail; peers answer")]),
    Case(n2_to_n3_alone, [("from n2 to n3", OVERLAY)]),
    Case(tcp_from_n4, [("from n4", "HTTP and TCP alone, the probers on the nodes' network", "from pod to pod do not")]),
    Case(nodes_to_services, [("every node", "(HTTP and TCP and UDP), from the nodes' network alone")]),
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


@pytest.mark.parametrize(
    ("peers", "outcome", "words"),
    [
        (overlay_of_n2, "timeout", "do not; so do 8 of 8 ways to the echo services (timeout)."),
        (overlay_of_n2, "resolve_error", "so do 8 of 8 ways to the echo services (resolve_error)."),
        (udp_into_n2, "resolve_error", "so do 8 of 8 ways to the echo services (resolve_error)."),
    ],
)
def test_the_echo_services_fail_with_their_node(peers: Says, outcome: str, words: str) -> None:
    """An echo, or a pod of the DNS, can stand on the node that is at fault: that is one finding."""
    (found,) = findings(mesh(lambda *way: peers(*way) if way[1] else outcome), ZONES)
    assert str(found).endswith(words)


@pytest.mark.parametrize(("peers", "outcome"), [(overlay_of_n2, "refused"), (udp_into_n2, "timeout")])
def test_the_echo_services_fail_otherwise(peers: Says, outcome: str) -> None:
    """Refused at once, or over TCP as well: that does not follow from what fails between peers."""
    first, second = findings(mesh(lambda *way: peers(*way) if way[1] else outcome), ZONES)
    assert first.what.endswith(OVERLAY)
    assert second.what == "the echo services or their Service (HTTP and TCP and UDP)"


def test_two_faults_are_two_findings() -> None:
    """Of different kinds: each is named by itself."""

    def both(*way: str) -> str | None:
        return udp_into_n2(*way[:5]) or tcp_from_n4(*way[:5])

    found = findings(mesh(both), ZONES)
    assert [(finding.where, finding.what.partition(",")[0]) for finding in found] == [
        ("from n4", "HTTP and TCP alone"),
        ("to n2", "UDP alone"),
    ]


def test_zones_of_other_sizes() -> None:
    """Two nodes of ten are a zone: the zones are the tighter explanation, and not the two nodes."""
    nodes = tuple(f"n{number}" for number in range(10))
    zones = {node: "east" if node in nodes[:2] else "west" for node in nodes}

    def apart(source: str, target: str, *_: str) -> str | None:
        return "timeout" if target and zones[source] != zones[target] else None

    assert [finding.where for finding in findings(mesh(apart, nodes=nodes), zones)] == ["between east and west"]


def test_one_prober_alone() -> None:
    """All others are silent, as where one asks on the node that is cut off: nobody knows which side it is."""
    cells = [cell for cell in mesh(overlay_of_n2, ("pod",)) if cell.source == "n2" and cell.target]
    service = Cell("n2", "", "", "", frozenset(), frozenset({("tcp", "timeout")}))
    (found,) = findings([*cells, service], ZONES)
    assert found.where == ""
    assert found.evidence.endswith("; so do 1 of 1 ways to the echo services (timeout)")
    (found,) = findings([service], {})
    assert str(found) == (
        "At fault: n2; the echo services or their Service (TCP): 1 of 1 ways to the echo services (timeout) fail."
    )


def test_a_node_that_resolves_nothing() -> None:
    """The others do: it is the way to the DNS; where the API server, a Service as well, is away, it is Services."""

    def n2_resolves_nothing(source: str, target: str, *_: str) -> str | None:
        return "resolve_error" if source == "n2" and not target else None

    cells = mesh(n2_resolves_nothing)
    assert [finding.what for finding in findings(cells, ZONES)] == ["the DNS, or the way from there to it"]
    (found,) = findings(cells, ZONES, {"n2"})
    assert (found.where, found.what) == ("n2", "Services (kube-proxy, or what stands in for it)")
    assert "the API server, another Service, does not answer there either" in found.evidence


def lossy(at: Callable[[Cell], bool], loss: float = 0.3, says: Says = lambda *_: None) -> list[Cell]:
    """A mesh some ways of which lose packets."""
    return [cell._replace(loss=loss) if cell.target and at(cell) else cell for cell in mesh(says)]


def of_n3(cell: Cell) -> bool:
    return cell.plane != "host" and across(cell.source, cell.target, "n3")


def test_loss_has_a_node() -> None:
    """How much is lost, where, and in which network; a UDP probe that is lost with it is no finding of its own."""

    def some_udp(source: str, target: str, plane: str, family: str, probe: str) -> str | None:
        return "timeout" if (source, plane, family, probe) == ("n3", "pod", "ipv4", "udp") and target else None

    for says in (lambda *_: None, some_udp):
        (found,) = findings(lossy(of_n3, says=says), ZONES)
        assert (found.where, found.what) == ("n3", f"loss, {OVERLAY}")
        assert "12 of 24 ways of plane pod and" in found.evidence
        assert "lose packets, 30% of them in the median; 12 from node to node beside them do not" in found.evidence


def test_a_little_loss_is_none() -> None:
    """One packet of fifty, or a way that has just died."""
    assert findings(lossy(of_n3, loss=0.02), ZONES) == []
    assert findings(lossy(of_n3, loss=0.95), ZONES) == []


def ring(count: int, peers: int) -> list[tuple[str, str]]:
    """Who probes whom in a mesh of so many nodes."""
    return [(f"n{one}", f"n{(one + step) % count}") for one in range(count) for step in range(1, peers + 1)]


@pytest.mark.parametrize("share", [0.01, 0.1])
@pytest.mark.parametrize(
    ("pairs", "families"),
    [(ring(2, 1), ["ipv4"]), (ring(3, 2), ["ipv4"]), (ring(4, 3), ["ipv4", "ipv6"]), (ring(20, 3), ["ipv4"])],
    ids=["two", "three", "four", "ring"],
)
def test_chance_blames_nobody(pairs: list[tuple[str, str]], families: list[str], share: float) -> None:
    """Results fail by chance, one in a hundred or one in ten: of a thousand looks one in a hundred may be wrong."""
    chance = random.Random(11)

    def in_a_row() -> int:
        count = 0
        while chance.random() < share:
            count += 1
        return count

    def paths(source: str) -> list[dict[str, Any]]:
        ways = [(target, "pod", family) for one, target in pairs for family in families if one == source]
        found = []
        for (target, plane, family), probe in product([*ways, ("smoker-server", "", "")], PROBES):
            failed = in_a_row()
            way: dict[str, Any] = {
                "target": target,
                "plane": plane,
                "family": family,
                "probe": probe,
                "recent_loss_ratio": None,
            }
            found.append(way | {"last": "timeout" if failed else "success", "failed_in_a_row": failed})
        return found

    nodes = sorted({source for source, _ in pairs})
    blamed = 0
    for _ in range(1000):
        found = findings([cell for node in nodes for cell in cells_of(node, paths(node))], {})
        blamed += any(finding.where for finding in found)
    assert blamed <= 10


def test_nearly_all_is_enough() -> None:
    """A way that was answered a moment before the fault does not hide it; half of them do."""

    def some(share: float) -> list[Finding]:
        chance = random.Random(3)
        return findings(mesh(lambda *way: overlay_of_n2(*way) if chance.random() < share else None), ZONES)

    assert [finding.where for finding in some(0.97) if "alone" not in finding.what] == ["n2"]
    assert "n2" not in {finding.where for finding in some(0.5)}
