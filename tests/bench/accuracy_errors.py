"""Compute how far the reported values are from the truth. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from smoker_diagnosis.stats import percentile

from .accuracy_frames import Exchange
from .accuracy_job import Probed


@dataclass(frozen=True)
class Spread:
    """Percentiles of values in seconds."""

    count: int
    p50: float
    p99: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return nearest-rank percentiles. Raises `ValueError` without values."""
        ordered = sorted(values)
        return cls(len(ordered), percentile(ordered, 0.5), percentile(ordered, 0.99), percentile(ordered, 1.0))


@dataclass
class Errors:
    """Distances from the truth in seconds, above or below, of the probes that have a truth and an answer."""

    truth: list[float] = field(default_factory=list)
    reported: list[float] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)
    methods: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    unknown: int = 0  #: answered, but the capture has no or no single truth: a SYN sent twice


def compare(probes: Sequence[Probed], truth: Mapping[str, Exchange], residence: Mapping[str, Exchange]) -> Errors:
    """Compare reported and true times.

    `residence`: the same exchanges at the far end, whose time the truth leaves out.
    """
    errors = Errors()
    for probed in probes:
        if probed.outcome != "success":
            errors.failures[probed.outcome] += 1
            continue
        rtt = network_rtt(probed.address, truth, residence)
        if rtt is None:
            errors.unknown += 1
            continue
        errors.truth.append(rtt)
        errors.clock.append(abs(probed.clock - rtt))
        if probed.rtts:  # who has a clock only reports none
            errors.reported.append(abs(probed.rtts[0] - rtt))
            errors.methods[probed.method] += 1
    return errors


def network_rtt(address: str, truth: Mapping[str, Exchange], residence: Mapping[str, Exchange]) -> float | None:
    """Return the RTT without the far end's time, in seconds. None if either end does not know it."""
    whole = truth[address].rtt if address in truth else None
    if whole is None or not residence:
        return whole
    inside = residence[address].rtt if address in residence else None
    return None if inside is None else whole - inside


def compare_trains(
    trains: Sequence[Probed], truth: Mapping[tuple[str, int], float], residence: Mapping[tuple[str, int], float]
) -> Errors:
    """Compare packet by packet the trains whose packets were all answered in time.

    Only their order identifies packets.
    """
    errors = Errors()
    for train in trains:
        if len(train.rtts) != train.sent or not train.sent:
            errors.failures[train.error or train.outcome] += 1
            continue
        for sequence, reported in enumerate(train.rtts):
            key = train.address, sequence
            if key not in truth or key not in residence:
                errors.unknown += 1
                continue
            rtt = truth[key] - residence[key]
            errors.truth.append(rtt)
            errors.reported.append(abs(reported - rtt))
            errors.methods[train.method] += 1
    return errors


@dataclass(frozen=True)
class Verdicts:
    """Counts of probes with a time limit, by who called which of them a timeout."""

    probes: int
    answered: int  #: by the capture, within the limit
    false: int  #: of those, not a success to the prober
    clock: int  #: of those, longer than the limit by the clock
    forgiven: int  #: answered after the limit, or never, and a success all the same


def judge(probes: Sequence[Probed], truth: Mapping[str, Exchange], limit: float) -> Verdicts:
    """Judge each probe: an answer within `limit` seconds must be a success, however late the prober reads it."""
    answered = false = clock = forgiven = 0
    for probed in probes:
        network = truth[probed.address].network if probed.address in truth else None
        success = probed.outcome == "success"
        if network is not None and network <= limit:
            answered += 1
            false += not success
            clock += probed.duration > limit
        else:
            forgiven += success
    return Verdicts(len(probes), answered, false, clock, forgiven)
