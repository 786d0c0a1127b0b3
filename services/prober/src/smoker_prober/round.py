"""A round: each probe of one host once, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from smoker_prober.probes import PROBES, train
from smoker_prober.probes.base import run
from smoker_prober.resolve import resolve
from smoker_prober.result import Result
from smoker_prober.settings import Settings
from smoker_prober.target import Target

SPREAD = 1.0  # seconds that a train takes at most
SHARE = 0.2  # of the interval, where that is less


def results(settings: Settings, where: Mapping[str, Target]) -> Iterator[Result]:
    """The results of one round, each as soon as it is known. `where` has a target for each probe that is to be done."""
    for name, probe in PROBES.items():
        if name not in where:
            continue
        result = run(name, probe, where[name], settings.node_name, settings.test_timeout)
        yield _with_train(result, settings) if name == "udp" and settings.udp_packets else result


def spread(settings: Settings) -> float:
    """Seconds over which the packets of a train are spread."""
    return min(SPREAD, settings.test_interval * SHARE)


def _with_train(result: Result, settings: Settings) -> Result:
    """`result` and what a train to the same address found. Where the probe found nobody, none is sent."""
    if not result.outcome.ok:
        return result
    address = resolve(Target(result.address, settings.stamp_port))
    found = train.run(address, settings.udp_packets, spread(settings), settings.test_timeout)
    return replace(result, train=found)


def longest(settings: Settings) -> float:
    """Seconds that a round can take."""
    trains = spread(settings) + settings.test_timeout if settings.udp_packets else 0.0
    return len(PROBES) * settings.test_timeout + trains
