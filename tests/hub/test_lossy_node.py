"""A node that loses half of its packets is the only name that the hub opens, unless a pair of it is dead as well."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import cast

import msgspec
import pytest

from smoker_diagnosis.component import NODE, PAIR, Scope
from smoker_diagnosis.finding import Finding
from smoker_hub.collect import Collector
from smoker_hub.hub import Hub
from smoker_hub.incidents import Incidents
from tests.bench.diagnosis.days import Days
from tests.bench.diagnosis.faults import Fault, between
from tests.bench.diagnosis.healthy import INTERVAL, Probers, SimulatedClock, looks_of
from tests.bench.diagnosis.life import Case, lives
from tests.bench.diagnosis.world import make

pytestmark = pytest.mark.timeout(300)  # the simulated hours take ten seconds of CPU

ROUND, A_ROUND = 30.0, 35.0  # seconds: from one round to the next, and with a timeout
SHORT = Finding(
    id="a1", kind="fault", scope=Scope(PAIR, ("node-1", "node-2")), layer="overlay", confidence=0.99, may_grow=True
)
LOSS = msgspec.structs.replace(SHORT, kind="loss")


def test_an_unsure_finding_that_may_grow_must_be_seen_for_two_rounds() -> None:
    """Where half of the packets are lost, some path has failed for so long at any time."""
    unsure = msgspec.structs.replace(SHORT, confidence=0.5, since=90.0)
    for finding, opens in ((unsure, 75), (msgspec.structs.replace(unsure, may_grow=False), 5)):
        incidents = Incidents()
        looks = range(0, 90, 5)
        assert [each for each in looks if incidents.look([finding], float(each), a_round=A_ROUND)] == [opens]


@pytest.mark.parametrize("found", [SHORT, LOSS], ids=["hard fault", "loss"])
def test_a_pair_that_may_grow_must_last_for_longer_than_a_round(found: Finding) -> None:
    """It opens then, and at once when the other paths of its nodes work again."""
    lasts, alone = Incidents(), Incidents()
    opened = [second for second in range(0, 60, 5) if lasts.look([found], float(second), a_round=A_ROUND)]
    assert opened == [40]
    no_more = msgspec.structs.replace(found, may_grow=False)
    assert [len(alone.look([each], second)) for second, each in enumerate((found, found, no_more))] == [0, 0, 1]


def test_the_pair_of_a_lossy_node_is_not_named() -> None:
    """In this time line three of four UDP paths of a pair fail twice in a row before the loss is found."""
    life = lives(Case("loss 50% into a node", 5, 0, 0.001, 0, 1))
    assert life is not None
    assert life.right is not None
    assert life.false == []


def opened(faults: Sequence[Fault], nodes: int, mesh: int, lasts: float) -> set[tuple[str, tuple[str, ...]]]:
    """Return the kinds of scopes and the nodes that the hub opens while `faults` last."""
    world = make(nodes, mesh)
    days, clock = Days(world, 0.0, 0, random.Random(2), aged=True), SimulatedClock()
    clock.instant = days.now
    end = days.now + lasts
    days.strike(faults, days.now, end)
    probers = Probers(days)
    hub = Hub(probers, cast("Collector", probers), interval=INTERVAL, cluster="", clock=clock)
    found = set()
    for _ in looks_of(hub, days, clock):
        found |= {(each.finding.scope.kind, each.finding.scope.nodes) for each in hub.incidents.open}
        if clock.instant >= end:
            return found
    return found


def into(node: str, rate: float) -> Fault:
    """Return the loss of this share of the packets into a node."""
    return Fault("loss", [], lambda p: rate if p.crosses and p.receiver == node else 0.0, frozenset({node}))


def dead(one: str, other: str) -> Fault:
    """Return a fault of all packets between two nodes."""
    return Fault("dead pair", [], between(one, other, lambda p: p.crosses, 1.0), frozenset({one}))


def test_a_dead_pair_of_a_lossy_node_is_named_within_a_few_rounds() -> None:
    """Its probes fail for longer than half of the packets lost by chance makes likely."""
    found = opened([into("node-2", 0.5), dead("node-1", "node-2")], 5, 0, 8 * ROUND)
    assert found == {(NODE, ("node-2",)), (PAIR, ("node-1", "node-2"))}


def test_a_dead_pair_elsewhere_is_named_beside_a_lossy_node() -> None:
    """They are two faults, each with its own name."""
    found = opened([into("node-2", 0.5), dead("node-1", "node-3")], 5, 0, 4 * ROUND)
    assert found == {(NODE, ("node-2",)), (PAIR, ("node-1", "node-3"))}
