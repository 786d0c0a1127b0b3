"""A probe that lacked CPU: either the network was late or this process."""

from __future__ import annotations

import itertools

import pytest

from smoker_prober.network.deadline import EVENT_LOOP, DeadlineExceeded
from smoker_prober.probes.base import Attempt, Probe, run
from smoker_prober.result import Outcome
from tests.prober.targets import target


def silent(attempt: Attempt) -> None:
    """Return a probe without an answer."""
    with attempt.phase("wait"):
        raise DeadlineExceeded("no answer within 1 s")


@pytest.mark.parametrize(
    ("waited", "outcome"), [(0.0, Outcome.TIMEOUT), (0.5, Outcome.TIMEOUT), (0.9, Outcome.LOCAL_ERROR)]
)
def test_a_timeout_without_cpu_is_a_local_error(
    monkeypatch: pytest.MonkeyPatch, waited: float, outcome: Outcome
) -> None:
    """It is a local error with the reason if most of the time was a wait for a CPU, else a timeout."""
    accounts = itertools.chain([10.0], itertools.repeat(10.0 + waited))
    monkeypatch.setattr(EVENT_LOOP, "delayed", lambda: next(accounts))
    result = run(Probe(silent, "tcp", "nothing"), target("tcp", 1, "127.0.0.1"), "node-1", 1.0)
    assert result.outcome is outcome
    assert ("waited 0.9 s of them for a CPU" in result.error) == (outcome is Outcome.LOCAL_ERROR)
