"""Failed probes are repeated once, within a budget."""

from __future__ import annotations

import pytest

from smoker_diagnosis.state import PEER, RESOLVER, SERVICE, Role
from smoker_prober.probes.followups import confirm
from smoker_prober.probes.followups.confirm import MOST, WITHIN, Confirmations, patience
from smoker_prober.target import Path, Target
from tests.conftest import eventually, free_port
from tests.prober.targets import ENOUGH, HOST, Made, echo, settings_of


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
    eventually("the accepted ones have run", lambda: len(repeated) == accepted and not confirmations.waiting)
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


@pytest.mark.parametrize(
    ("role", "longest"), [(PEER, WITHIN), (SERVICE, WITHIN), (RESOLVER, WITHIN), ("external", 60.0), ("cluster", 60.0)]
)
@pytest.mark.parametrize("timeout", [1.0, WITHIN, 5.0])
def test_what_answers_in_milliseconds_is_not_awaited_for_long(role: Role, longest: float, timeout: float) -> None:
    """A repeated probe of a peer, an echo or the DNS takes two seconds at most; other targets may be slow."""
    assert patience(Target("tcp", HOST, 1, Path(role, "any", "pod")), timeout) == min(timeout, longest)


def test_a_target_with_a_long_interval_is_repeated_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that is probed every ten minutes counts as failing only until it answers, and not for ten minutes.

    Of its rounds there was one: repetitions are none, however often they fail.
    """
    monkeypatch.setattr(confirm, "AFTER", 0.01)
    monkeypatch.setattr(confirm, "SPREAD", 0.0)
    port = free_port()
    target = Target("tcp", HOST, port, Path("external", "far", "other"), interval=600.0)
    made = Made(settings_of({"TEST_INTERVAL": "0.2", "TEST_TIMEOUT": str(ENOUGH)}), {"far": (target,)})
    made.prober.start()
    try:
        eventually("it fails again and again", lambda: made.path("far").streak >= 4)
        with echo("tcp", port=port):
            eventually("it works as soon as it answers", lambda: made.path("far").last == "success")
    finally:
        made.prober.close()
    assert made.path("far").past == 1
