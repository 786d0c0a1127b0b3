"""A round: each probe of one host once, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from statistics import median

from smoker_prober.discovery.peer import STAMP
from smoker_prober.measured import Method, Rtt
from smoker_prober.probes import PROBES, train
from smoker_prober.probes.base import run
from smoker_prober.resolve import resolve
from smoker_prober.result import Result
from smoker_prober.settings import Settings
from smoker_prober.target import Target

SPREAD = 1.0  # seconds that a train takes at most
SHARE = 0.2  # of the interval, where that is less


def results(settings: Settings, where: Mapping[str, Target]) -> Iterator[Result]:
    """The results of one round, each as soon as it is known.

    `where` has a target for each probe that is to be done, and one for the train, if there is to be one.
    """
    for name, probe in PROBES.items():
        if name not in where:
            continue
        result = run(name, probe, where[name], settings.node_name, settings.test_timeout)
        trained = name == "udp" and settings.udp_packets and STAMP in where
        yield _with_train(result, where[STAMP].port, settings) if trained else result


def spread(settings: Settings) -> float:
    """Seconds over which the packets of a train are spread."""
    return min(SPREAD, settings.test_interval * SHARE)


def _with_train(result: Result, port: int, settings: Settings) -> Result:
    """`result` and what a train to the same address found, its median RTT too. Where nobody answered, none is sent."""
    if not result.outcome.ok:
        return result
    address = resolve(Target(result.address, port))
    found = train.run(address, settings.udp_packets, spread(settings), settings.test_timeout)
    if found is None or not found.rtts:
        return replace(result, train=found)
    # The reflector's own time is not in these: a peer that is starved of CPU does not make the network look slow.
    return replace(result, train=found, rtt=Rtt(median(found.rtts), Method.STAMP if found.stamped else Method.CLOCK))


def longest(settings: Settings) -> float:
    """Seconds that a round can take: that of a host with echoes is the longest."""
    trained = settings.udp_packets and "udp" in settings.probes
    return len(settings.probes) * settings.test_timeout + (spread(settings) + settings.test_timeout if trained else 0.0)
