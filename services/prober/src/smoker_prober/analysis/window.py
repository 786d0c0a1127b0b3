"""What is remembered of a path: the last results in number and in time, and the failures for longer.

A path here is a probe and a target. Times are seconds since the epoch, given by whoever calls: nothing here looks at a
clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from smoker_prober.analysis.stats import jitter, percentile

SAMPLES = 600  # results kept at most
SECONDS = 3600.0  # and for so long
FAILURES = 100  # failures kept at most
FAILURE_SECONDS = 86_400.0  # and for so long


@dataclass(frozen=True)
class Sample:
    """One result as the window keeps it. Times in seconds."""

    time: float  # when it was known
    outcome: str
    counts: bool  # whether it says something of the network: a local error does not
    ok: bool
    rtt: float | None
    duration: float
    sent: int = 0  # packets of a train
    lost: int = 0
    error: str = ""


@dataclass(frozen=True)
class Spread:
    """Percentiles (nearest rank) of some values, in seconds."""

    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """None without values."""
        ordered = sorted(values)
        if not ordered:
            return None
        p50, p95, p99 = (percentile(ordered, share) for share in (0.5, 0.95, 0.99))
        return cls(p50, p95, p99, ordered[-1])


@dataclass(frozen=True)
class Summary:
    """A window at one moment. Seconds; None where there is no sample."""

    results: int
    failed: int
    loss_ratio: float | None  # of packets; a failed result counts as a train that was lost
    rtt: Spread | None
    jitter: float | None
    duration: Spread | None
    longest_outage: float  # from a first failure to the next success, or to now
    last: str  # outcome
    last_success: float | None
    failures: tuple[Sample, ...]  # the newest last


class Window:
    """The memory of one path."""

    def __init__(self, samples: int = SAMPLES, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._samples: deque[Sample] = deque(maxlen=samples)
        self._failures: deque[Sample] = deque(maxlen=FAILURES)
        self._last_success: float | None = None

    def add(self, sample: Sample) -> None:
        """Remember `sample`; they come in the order of time."""
        self._samples.append(sample)
        if sample.ok:
            self._last_success = sample.time
        else:
            self._failures.append(sample)

    def summary(self, now: float) -> Summary:
        """What the window says at `now`."""
        while self._samples and self._samples[0].time < now - self._seconds:
            self._samples.popleft()
        while self._failures and self._failures[0].time < now - FAILURE_SECONDS:
            self._failures.popleft()
        counted = [sample for sample in self._samples if sample.counts]
        rtts = [sample.rtt for sample in counted if sample.rtt is not None]
        return Summary(
            results=len(self._samples),
            failed=sum(not sample.ok for sample in counted),
            loss_ratio=_loss(counted),
            rtt=Spread.of(rtts),
            jitter=jitter(rtts),
            duration=Spread.of(sample.duration for sample in counted if sample.ok),
            longest_outage=_longest_outage(counted, now),
            last=self._samples[-1].outcome if self._samples else "",
            last_success=self._last_success,
            failures=tuple(self._failures),
        )


def _loss(samples: list[Sample]) -> float | None:
    """Of packets. A result without a train counts as one that was lost or answered whole, as long as the others."""
    usual = max((sample.sent for sample in samples), default=0) or 1
    lost = sum(sample.lost if sample.sent else usual * (not sample.ok) for sample in samples)
    return lost / sum(sample.sent or usual for sample in samples) if samples else None


def _longest_outage(samples: list[Sample], now: float) -> float:
    longest, begun = 0.0, None
    for sample in samples:
        if not sample.ok and begun is None:
            begun = sample.time
        elif sample.ok and begun is not None:
            longest, begun = max(longest, sample.time - begun), None
    return max(longest, now - begun) if begun is not None else longest
