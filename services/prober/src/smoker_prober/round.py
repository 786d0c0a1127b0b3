"""A round: each probe of one host once, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from statistics import median

from smoker_diagnosis.path_mtu import PathMtu
from smoker_prober.network.deadline import LATEST
from smoker_prober.network.resolve import address
from smoker_prober.peers.peer import STAMP
from smoker_prober.probes import PROBES
from smoker_prober.probes.base import run
from smoker_prober.probes.followups import path_mtu, train
from smoker_prober.process import Settings
from smoker_prober.result import Method, Outcome, Result, Rtt
from smoker_prober.target import Target

SPREAD = 1.0  # seconds that a train takes at most
SHARE = 0.2  # of the interval, where that is less


class Large:
    """Which rounds of a host have a large packet: the first, then one in so many, and each while such are lost."""

    def __init__(self, settings: Settings) -> None:
        self._every = max(1, round(settings.mtu_interval / settings.test_interval)) if settings.mtu_interval else 0
        self._rounds = 0  # until the next that has one
        self._lost = False

    def due(self) -> bool:
        """Asked once in each round."""
        self._rounds -= 1
        return bool(self._every) and (self._lost or self._rounds < 0)

    def sent(self, found: PathMtu | None) -> None:
        """What it found in this round. Where it could not tell it is sent again at once if such were lost before."""
        self._rounds = self._every - 1
        self._lost = found.black_hole if found is not None else self._lost


def results(
    settings: Settings, where: Mapping[str, Target], large: Large, never: Collection[int] = ()
) -> Iterator[Result]:
    """Yield the results of one round, each as soon as it is known.

    `where` has a target for each probe that is to be done, and one for the train, if there is to be one. `never` has
    the source ports from which echoes answer no datagram, beside those on which this host answers.
    """
    never = {*never, *(target.port for target in where.values())}
    for name, probe in PROBES.items():
        if name not in where:
            continue
        result = run(name, probe, where[name], settings.node_name, settings.test_timeout, never=never)
        if name == "udp" and result.outcome.ok:  # where nobody answered, nothing more is sent
            if settings.udp_packets and STAMP in where:
                result = _with_train(result, where[STAMP].port, settings, never)
            if large.due():
                result = _with_large(result, settings, never)
                large.sent(result.path_mtu)
        yield result


def spread(settings: Settings) -> float:
    """Seconds over which the packets of a train are spread."""
    return min(SPREAD, settings.test_interval * SHARE)


def _with_train(result: Result, port: int, settings: Settings, never: Collection[int]) -> Result:
    """`result` and what a train to the same address found, its median RTT too."""
    to = address(result.address, port)
    found = train.run(to, settings.udp_packets, spread(settings), settings.test_timeout, never)
    if found is None or not found.rtts:
        return replace(result, train=found)
    # The reflector's own time is not in these: a peer that is starved of CPU does not make the network look slow.
    return replace(result, train=found, rtt=Rtt(median(found.rtts), Method.STAMP if found.stamped else Method.CLOCK))


def _with_large(result: Result, settings: Settings, never: Collection[int]) -> Result:
    """`result` and what a packet as large as the way takes found: where such are lost, the probe has failed."""
    found = path_mtu.run(address(result.address, result.target.port), settings.test_timeout, never)
    if found is None or not found.black_hole:
        return replace(result, path_mtu=found)
    return replace(result, path_mtu=found, outcome=Outcome.MTU, error=str(found))


def longest(settings: Settings) -> float:
    """Seconds that the network can take of a round: that of a host with echoes is the longest."""
    last, count = settings.test_timeout, len(settings.probes)
    if "udp" not in settings.probes:
        return count * last
    trained = spread(settings) + last if settings.udp_packets else 0.0
    return count * last + trained + (last if settings.mtu_interval else 0.0)


def latest(settings: Settings) -> float:
    """Seconds after which a round has ended even where we have no CPU."""
    return longest(settings) + len(settings.probes) * LATEST
