"""A fault in a simulated mesh heals: how long its findings stay open, and what else opens meanwhile."""

from __future__ import annotations

import pytest

from tests.bench.diagnosis.closing import LIMIT, Case, healing, report


@pytest.mark.parametrize("kind", ["pair", "loss 20% into a node"])
def test_a_fault_that_healed_closes_within_a_round_and_15_s(kind: str) -> None:
    """It is named right while it lasts, nothing else opens, and it closes in time after it healed."""
    found = healing(Case(kind, 5, 0, 1))
    assert found is not None
    assert {each.word for each in found.told} == {"right"}
    assert found.closed is not None
    assert found.closed <= LIMIT
    assert list(report(found)) == []


def test_no_pair_opens_while_the_heavy_loss_of_its_node_heals() -> None:
    """At 20 nodes with 50 % loss a pair of the node opened before, from what was left of the loss."""
    found = healing(Case("loss 50% out of a node", 20, 1, 1))
    assert found is not None
    assert found.others == []
    assert {each.word for each in found.told} == {"right"}
    assert list(report(found)) == []
