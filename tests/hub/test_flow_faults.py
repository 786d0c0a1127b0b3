"""Where some flows always fail, the hub names one place, once, and no other."""

from __future__ import annotations

import pytest

from tests.hub.test_first_names import DNS, between, touching
from tests.hub.timeline import BEGIN, Fault, Flow, Lost, Opened, Timeline, changes, looks

FOUR = ("node-1", "node-2", "node-3", "node-4")
SIX = (*FOUR, "node-5", "node-6")
SECONDS = 180.0


def opened(nodes: tuple[str, ...], lost: Lost, seed: int) -> list[Opened]:
    """Return what the hub opens within three minutes of a fault of flows, while some rounds fail by chance."""
    found = looks(Timeline(nodes, (DNS[0],), Fault(flow=lost), seed=seed, background=0.003), SECONDS)
    return [each for each in found if each.finding.kind != "unsteady"]


@pytest.mark.parametrize("share", [0.3, 0.5])
@pytest.mark.parametrize("seed", [2, 5, 10])
def test_a_node_is_the_only_place(share: float, seed: int) -> None:
    """Before the flows are known, the same lost packets make a pair, then a dead node, then another pair likely."""
    found = opened(FOUR, touching("node-3", share), seed)
    assert {each.finding.scope.nodes for each in found} == {("node-3",)}
    assert len(found) <= 2


@pytest.mark.parametrize("seed", [8, 16, 18])
def test_the_nodes_of_a_pair_are_not_named(seed: int) -> None:
    """A path of one of its nodes that fails by chance does not make that node the place."""
    found = opened(FOUR, between("node-3", "node-4", 0.3), seed)
    assert {each.finding.scope.nodes for each in found} == {("node-3", "node-4")}


@pytest.mark.parametrize("seed", [0, 3, 9])
def test_two_pairs_of_a_node_are_not_the_node(seed: int) -> None:
    """The broken member is between racks: the pairs that fail are named, and not the node that they share."""
    one, other = between("node-3", "node-4", 0.5), between("node-3", "node-1", 0.5)
    found = opened(SIX, lambda flow: one(flow) or other(flow), seed)
    assert found
    assert {each.finding.scope.nodes for each in found} <= {("node-3", "node-4"), ("node-1", "node-3")}


@pytest.mark.parametrize("seed", [2, 7])
def test_flows_that_fail_everywhere_are_one_loss_of_every_node(seed: int) -> None:
    """A member of the network between all nodes is broken: no node is the place.

    In other time lines the flows of one node are known first, and that node is named for a while.
    """
    found = opened((*FOUR, "node-5"), lambda flow: flow.port < 0.2, seed)
    assert {(each.finding.kind, each.finding.scope.kind) for each in found} == {("loss", "all")}


@pytest.mark.parametrize("seed", [2, 5, 10])
def test_a_node_that_dies_is_told_although_its_flows_are_named(seed: int) -> None:
    """The finding of its flows becomes worse once everything has failed for longer than a round."""
    half, whole = touching("node-3", 0.5), touching("node-3")
    dies = BEGIN + 120.0

    def lost(flow: Flow) -> bool:
        return (whole if timeline.now > dies else half)(flow)

    timeline = Timeline(FOUR, (DNS[0],), Fault(flow=lost), seed=seed, background=0.003)
    told = [each for each in changes(timeline, 240.0) if each.kind == "escalate"]
    assert [(each.incident.finding.kind, each.incident.finding.scope.nodes) for each in told] == [
        ("fault", ("node-3",))
    ]
    assert told[0].incident.last_seen >= dies
