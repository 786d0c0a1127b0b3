"""A round: each probe once, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from smoker_prober.discovery.static import targets
from smoker_prober.probes import PROBES
from smoker_prober.probes.base import run
from smoker_prober.result import Result
from smoker_prober.settings import Settings


def results(settings: Settings) -> Iterator[Result]:
    """The results of one round, each as soon as it is known."""
    where = targets(settings)
    for name, probe in PROBES.items():
        yield run(name, probe, where[name], settings.node_name, settings.test_timeout)


def longest(settings: Settings) -> float:
    """Seconds that a round can take."""
    return len(PROBES) * settings.test_timeout
