"""Failed probes are repeated once, within a budget."""

from __future__ import annotations

import pytest

from smoker_prober.probes.followups import confirm
from smoker_prober.probes.followups.confirm import MOST, Confirmations
from tests.conftest import eventually


class Now:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize("failures", [1, MOST, 100])
def test_confirmations_have_a_budget(monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
    """At most `MOST` failed probes are repeated per interval; the next interval has a new budget."""
    monkeypatch.setattr(confirm, "AFTER", 0.0)
    monkeypatch.setattr(confirm, "SPREAD", 0.0)
    now, repeated = Now(), list[int]()
    confirmations = Confirmations(30, clock=now)
    accepted = sum(confirmations.later(lambda: repeated.append(1)) for _ in range(failures))
    assert accepted == min(failures, MOST)
    eventually("the accepted ones have run", lambda: len(repeated) == accepted)
    now.seconds += 29
    assert confirmations.later(lambda: None) == (failures < MOST)
    now.seconds += 2
    assert confirmations.later(lambda: None)
    confirmations.close()


def test_a_confirmation_waits() -> None:
    """A confirmation does not run at once, and never after `close`."""
    repeated: list[int] = []
    confirmations = Confirmations(30, clock=Now())
    assert confirmations.later(lambda: repeated.append(1))
    assert confirmations.waiting == 1
    confirmations.close()
    eventually("none waits any more", lambda: confirmations.waiting == 0)
    assert repeated == []


def test_a_short_interval_confirms_by_itself() -> None:
    """If the interval is so short that the next round confirms, nothing is repeated."""
    assert not Confirmations(1).later(lambda: None)
