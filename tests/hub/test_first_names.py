"""The first name of a fault: the hub opens none that a check which is to come may change."""

from __future__ import annotations

import msgspec
import pytest

from smoker_hub.incidents import Incidents
from tests.hub.test_incidents import FOUND
from tests.hub.timeline import CONFIRMED, INTERVAL, TIMEOUT, Fault, Lost, Opened, Timeline, looks

NODES = tuple(f"node-{number}" for number in range(1, 7))
DNS = ("node-2", "node-5")
A_ROUND = INTERVAL + TIMEOUT
Name = tuple[str, tuple[str, ...], str]


def name(opened: Opened) -> Name:
    """Return the place and the layer."""
    return opened.finding.scope.kind, opened.finding.scope.nodes, opened.finding.layer


def touching(node: str, share: float = 1.0) -> Lost:
    """Return the loss of this share of the flows from and to a node."""
    return lambda flow: flow.port < share and node in (flow.source, flow.target)


def between(one: str, other: str, share: float = 1.0) -> Lost:
    """Return the loss of this share of the flows between two nodes."""
    return lambda flow: flow.port < share and {flow.source, flow.target} == {one, other}


BROKEN_POD = Fault(dead_dns=frozenset({"node-5"}))
ALL_DNS = Fault(dead_dns=frozenset(DNS))


@pytest.mark.parametrize("seed", [4, 5, 44])
def test_a_broken_dns_pod_is_the_first_name(seed: int) -> None:
    """Look-ups fail at random on every node before the pod has been asked again; some paths fail by chance, too."""
    first, *_ = looks(Timeline(NODES, DNS, BROKEN_POD, seed=seed, background=0.01), 60.0)
    assert name(first) == ("node", ("node-5",), "dns_replica")


def test_without_waiting_every_node_is_named_first() -> None:
    """In one of these time lines the look-ups alone would name all nodes before the pod is known to be broken."""
    first, second = looks(Timeline(NODES, DNS, BROKEN_POD, seed=44, background=0.01), 60.0, waits=False)
    assert (name(first), name(second)) == (("all", (), "dns"), ("node", ("node-5",), "dns_replica"))


@pytest.mark.parametrize("seed", [2, 7, 8])
def test_no_pod_is_named_where_the_whole_dns_is_down(seed: int) -> None:
    """The pod that fails first is not named, because none of the others has answered since."""
    assert [name(each) for each in looks(Timeline(NODES, DNS, ALL_DNS, seed=seed), 60.0)] == [("all", (), "dns")]
    first, *_ = looks(Timeline(NODES, DNS, ALL_DNS, seed=seed), 60.0, waits=False)
    assert first.finding.layer == "dns_replica"


@pytest.mark.parametrize("seed", [3, 5])
def test_no_node_is_named_where_everything_fails(seed: int) -> None:
    """The node whose round comes first is not named, because no probe of the others has worked since."""
    nodes = tuple(f"node-{number}" for number in range(1, 13))
    fault = Fault(flow=lambda flow: flow.source != flow.target)
    assert [name(each)[0] for each in looks(Timeline(nodes, DNS, fault, seed=seed), 30.0)] == ["all"]
    first, *_ = looks(Timeline(nodes, DNS, fault, seed=seed), 10.0, waits=False)
    assert name(first)[0] == "node"


@pytest.mark.parametrize(
    ("fault", "seed"),
    [
        (BROKEN_POD, 3),
        (ALL_DNS, 2),
        (ALL_DNS, 5),
        (Fault(no_dns_on=frozenset({"node-3"})), 1),
        (Fault(flow=touching("node-3")), 1),
        (Fault(flow=lambda flow: flow.target == "node-3"), 2),
        (Fault(flow=between("node-3", "node-4")), 1),
    ],
    ids=["a DNS pod", "all DNS", "all DNS again", "the DNS from a node", "a node", "into a node", "a pair"],
)
def test_a_clean_fault_opens_as_soon_as_without_waiting(fault: Fault, seed: int) -> None:
    """Where every probe fails, the right name opens in the same look, and nothing else does."""
    right, *more = looks(Timeline(NODES, DNS, fault, seed=seed), 80.0)
    assert not more
    at_once = looks(Timeline(NODES, DNS, fault, seed=seed), 80.0, waits=False)
    assert [each.after for each in at_once if name(each) == name(right)] == [right.after]


@pytest.mark.parametrize("seed", range(4))
def test_a_node_that_reaches_no_dns_opens_before_its_next_round(seed: int) -> None:
    """Every DNS pod fails twice in a row from there, and has answered others since: the node need not wait for more."""
    (found,) = looks(Timeline(NODES, DNS, Fault(no_dns_on=frozenset({"node-3"})), seed=seed), 100.0)
    assert name(found) == ("node", ("node-3",), "dns")
    assert found.after < INTERVAL + 2 * TIMEOUT + CONFIRMED + TIMEOUT


def test_pods_that_are_never_asked_again_delay_a_name_for_a_round_at_most() -> None:
    """The probers ask no DNS pod any more: what the look-ups show opens once these results are overdue."""
    (found,) = looks(Timeline(NODES, DNS, BROKEN_POD, seed=0, asks_pods=False), 100.0)
    (at_once,) = looks(Timeline(NODES, DNS, BROKEN_POD, seed=0, asks_pods=False), 100.0, waits=False)
    assert name(found) == name(at_once) == ("all", (), "dns")
    assert at_once.after < found.after <= at_once.after + A_ROUND


def test_a_finding_waits_for_a_check_no_longer_than_a_round() -> None:
    """It opens in the look in which nothing is awaited any more, and at the latest in the first one after a round."""
    awaiting = msgspec.structs.replace(FOUND, awaits=("dns_pods",))
    never, soon = Incidents(), Incidents()
    opened = [second for second in range(0, 60, 5) if never.look([awaiting], float(second), a_round=30.0)]
    assert opened == [35]
    assert [len(soon.look([each], second)) for second, each in enumerate((awaiting, awaiting, FOUND))] == [0, 0, 1]


@pytest.mark.parametrize("seed", [3, 6, 10, 12])
def test_failing_flows_of_a_node_name_the_right_place_first(seed: int) -> None:
    """Half of the flows of a node fail: the first name is that node, or its flows, with their check as evidence."""
    first, *_ = looks(Timeline(NODES, DNS, Fault(flow=touching("node-3", 0.5)), seed=seed), 100.0)
    assert "node-3" in first.finding.scope.nodes or first.finding.kind == "flows"
