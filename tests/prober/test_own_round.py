"""The rounds of `once` that are repeated for probes without an answer."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from smoker_prober import own_round
from smoker_prober.own_round import AGAIN, REPEATS, asked_again
from smoker_prober.result import Outcome, Result
from tests.prober.targets import NODE, settings_of, target, variables_for

PORTS = {"tcp": 8080, "udp": 8081, "http": 8082}


class Rounds:
    """Rounds that take `seconds` for each probe, by a clock of their own. All probes have the same outcome."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0) -> None:
        self.outcome, self.seconds, self.now, self.probes = Outcome.SUCCESS, seconds, 0.0, 0
        monkeypatch.setattr(own_round, "one_round", self.results)
        monkeypatch.setattr(own_round, "time", SimpleNamespace(monotonic=lambda: self.now))

    def results(self, _settings: object) -> Iterator[Result]:
        for kind, port in PORTS.items():
            self.now, self.probes = self.now + self.seconds, self.probes + 1
            yield Result(target(kind, port), NODE, 0.0, self.outcome, 0.0, error="" if self.outcome.ok else "wait: why")

    def again(self, *outcomes: Outcome) -> list[Outcome]:
        """Return what becomes of a round with these outcomes."""
        found = [
            Result(target(kind, port), NODE, 0.0, outcome, 0.0, error="" if outcome.ok else "wait: why")
            for (kind, port), outcome in zip(PORTS.items(), outcomes, strict=True)
        ]
        return [each.outcome for each in asked_again(settings_of(variables_for(PORTS)), found, lossy=True)]


@pytest.mark.parametrize("silent", [Outcome.TIMEOUT, Outcome.RESOLVE_ERROR, Outcome.MTU])
def test_lost_packets_are_sent_again(monkeypatch: pytest.MonkeyPatch, silent: Outcome) -> None:
    """A probe whose packets may be lost, large ones too, is repeated. One that was answered keeps its result."""
    rounds = Rounds(monkeypatch)
    assert rounds.again(silent, Outcome.REFUSED, Outcome.SUCCESS) == ["success", "refused", "success"]
    assert rounds.probes == len(PORTS)


def test_a_probe_that_stays_silent_is_repeated_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick rounds end by their number."""
    rounds = Rounds(monkeypatch)
    rounds.outcome = Outcome.TIMEOUT
    assert rounds.again(*[Outcome.TIMEOUT] * 3) == ["timeout"] * 3
    assert rounds.probes == AGAIN * len(PORTS)


def test_slow_rounds_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No probe begins after the deadline, in the middle of a round either; those before it count."""
    rounds = Rounds(monkeypatch, REPEATS / 2)
    assert rounds.again(*[Outcome.TIMEOUT] * 3) == ["success", "success", "timeout"]
    assert (rounds.probes, rounds.now) == (2, REPEATS)
