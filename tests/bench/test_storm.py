"""The simulation of confirmations counts what the budget lets through."""

from __future__ import annotations

import pytest

from smoker_prober.probes.followups import confirm

from . import storm
from .mesh import INTERVAL
from .storm import FAULT, HOSTS, PROBES, ROUNDS, Storm

NODES = 10
ALL = NODES * (HOSTS - 2) * len(PROBES)  # first failures: a node of ten has nine peers in two families


def test_the_budget_bounds_the_storm() -> None:
    """No prober sends more than its budget in a round, and all of them use it up: there are more failures."""
    found = storm.storm(NODES, ROUNDS)
    assert found.most == confirm.MOST
    assert found.rounds[0] == NODES * confirm.MOST
    assert sum(found.rounds.values()) < ALL


def test_without_a_budget_every_failure_is_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget is what bounds it: with a large one there are as many confirmations as first failures."""
    monkeypatch.setattr(confirm, "MOST", 1000)
    assert sum(storm.storm(NODES, ROUNDS).rounds.values()) == ALL


def test_rounds_are_counted_from_the_fault() -> None:
    """A failure in the second interval after the fault counts for that round."""
    found = Storm()
    found.add([FAULT + 1.0, FAULT + INTERVAL + 1.0])
    assert found.rounds == {0: 1, 1: 1}
    assert found.most == 1
