"""A fault in a simulated mesh, from its beginning until the hub has closed its finding."""

from __future__ import annotations

import random

from smoker_diagnosis.state import PEER, PathState
from tests.bench.diagnosis.days import Days
from tests.bench.diagnosis.faults import KINDS
from tests.bench.diagnosis.findings import Named
from tests.bench.diagnosis.life import Case, Truth, lives
from tests.bench.diagnosis.world import INTERVAL, ROUND, make


def failing(days: Days) -> set[tuple[str, str]]:
    """Return source and target of the paths between nodes that fail now."""
    return {(state.node, path.target) for state in days.states for path in state.paths if _fails(path)}


def _fails(path: PathState) -> bool:
    return path.role == PEER and path.streak > 0


def test_a_fault_lasts_from_its_beginning_to_its_end() -> None:
    """No path fails before it; one round later only paths of the pair fail; a round after its end none does."""
    world, chance = make(5, 0), random.Random(1)
    fault = KINDS["pair"].make(world, chance, set())
    assert fault is not None
    days = Days(world, 0.0, 0, chance)
    days.strike([fault], days.now + 60.0, days.now + 180.0)
    days.advance(60.0)
    assert failing(days) == set()
    days.advance(INTERVAL + ROUND)
    one, other = fault.accept[0].nodes
    assert failing(days) == {(one, other), (other, one)}
    days.advance(180.0 - INTERVAL)
    assert failing(days) == set()


def test_the_hub_opens_a_dead_node_and_closes_it() -> None:
    """Without failures by chance the node is open within two rounds, closed after the fault, and nothing else opens."""
    life = lives(Case("node dead", 5, 0, 0.0, 0, 1))
    assert life is not None
    assert life.right is not None
    assert life.right < 2 * INTERVAL
    assert life.closed is not None
    assert life.false == []


def test_a_loss_that_is_called_a_fault_is_half_right() -> None:
    """The place is that of the loss, and the kind is another one. A finding about another place is false."""
    world = make(5, 0)
    fault = KINDS["loss 20% into a node"].make(world, random.Random(1), set())
    assert fault is not None
    (node,) = fault.accept[0].nodes
    other = next(each for each in world.nodes if each != node)
    truth = Truth(world, [fault], set(), ())

    def named(what: str, layer: str, name: str) -> Named:
        return Named(what, "into", (name,), (), frozenset({layer}), (), (), (), 0.99, "")

    assert truth.of(named("loss", "overlay", node)) == "right"
    assert truth.of(named("fault", "overlay", node)) == "partly"
    assert truth.of(named("loss", "overlay", other)) in ("false", "innocent")
