"""The simulated races: checks open and close them sooner, and sudden packet loss is not called a race."""

from __future__ import annotations

from statistics import median

import pytest

from .diagnosis.races import LASTS, VICTIM, Fault, life

TIMES = 10


def test_checks_open_a_race_sooner() -> None:
    """Half of the look-ups of a node lose one of two queries: every life names that node, and closes it again."""
    opened = {}
    for checks in (True, False):
        lives = [life(seed, Fault("race", 0.5), checks=checks) for seed in range(TIMES)]
        assert {each.place for told in lives for each in told} <= {(VICTIM,)}
        opened[checks] = median(told[0].at if told else LASTS for told in lives)
        if checks:
            assert all([each.kind for each in told] == ["open", "close"] for told in lives)
    assert opened[True] < 45.0 < opened[False]


@pytest.mark.parametrize("share", [0.05, 0.4])
def test_sudden_loss_is_no_race(share: float) -> None:
    """It shows in half answers before the trains show it, and hits the look-ups at the pods as well."""
    assert [life(seed, Fault("loss", share), checks=True) for seed in range(3)] == [[], [], []]
