"""How the checks after half answers add up in the state."""

from __future__ import annotations

import pytest

from smoker_diagnosis.state import AskedAgain
from smoker_prober.probes.followups.look_ups import Check
from smoker_prober.store.checks import MOST, Checks


def checks(*halved: int, began: float = 100.0) -> Checks:
    """Return checks ten seconds apart that found so many half answers of 16 by the Service, and none at the pods."""
    found = Checks()
    for number, each in enumerate(halved):
        found.add(Check(began + 10.0 * number, 16, each, 32, 0))
    return found


@pytest.mark.parametrize(
    ("halved", "said"),
    [
        ((8,), AskedAgain(16, 8, 32, 0, 100.0)),
        ((0,), AskedAgain(16, 0, 32, 0, 0.0, 16, 100.0)),
        ((8, 4), AskedAgain(32, 12, 64, 0, 110.0)),
        ((8, 0, 4), AskedAgain(48, 12, 96, 0, 120.0)),
        ((8, 4, 0, 0), AskedAgain(64, 12, 128, 0, 110.0, 32, 120.0)),
    ],
)
def test_checks_add_up(halved: tuple[int, ...], said: AskedAgain) -> None:
    """Beside all of them those count by themselves that have come since the last half answer."""
    assert checks(*halved).said(half=90.0) == said


def test_look_ups_at_pods_that_answer_nothing_add_up() -> None:
    """They tell a dead DNS pod from a race."""
    found = checks(8)
    for began in (110.0, 120.0):
        found.add(Check(began, 16, 8, 32, 0, 16))
    assert found.said(half=90.0) == AskedAgain(48, 24, 96, 0, 120.0, silent_pods=32)


def test_a_half_answer_of_a_round_ends_the_whole_ones() -> None:
    """A round that was half answered after the check says that it is not over."""
    found = checks(8, 0).said(half=115.0)
    assert found is not None
    assert (found.whole, found.since) == (0, 0.0)


def test_after_a_race_further_half_answers_are_another_one() -> None:
    """What a race left behind would hide packet loss that begins later."""
    assert checks(8, 8, 0, 0, 2).said(half=0.0) == AskedAgain(16, 2, 32, 0, 140.0)


def test_old_checks_are_forgotten() -> None:
    """With the rounds in which half answers are counted their checks leave, too."""
    found = checks(8, 8, 0)
    assert found.since(110.0)
    assert found.said(half=0.0) == AskedAgain(32, 8, 64, 0, 110.0, 16, 120.0)
    assert not found.since(130.0)
    assert found.said(half=0.0) is None
    assert checks().said(half=0.0) is None


def test_the_number_of_checks_is_bounded() -> None:
    """With a long interval they come more often than rounds."""
    said = checks(*[8] * (MOST + 5)).said(half=0.0)
    assert said is not None
    assert said.of == 16 * MOST
