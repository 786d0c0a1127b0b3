"""The results of a path that are kept: a bounded number from the last hour, and failures for longer.

A path here is a probe and a target. Times are seconds of the monotonic clock, which the caller passes in: nothing here
reads a clock. There can be thousands of windows, so a result takes 30 bytes, and all windows share one limit.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile

from smoker_diagnosis.stats import jitter, percentile

SAMPLES = 600  # results kept at most
SECONDS = 3600.0  # and for this long, except the last one
FAILURES = 100  # failures kept at most
FAILURE_SECONDS = 86_400.0  # and for this long, except the last result
ALL_SAMPLES = 30_000  # results of all windows together, in addition to LEAST of each
ALL_FAILURES = 3_000
RECENT = 5  # results whose packets make up the recent loss
LEAST = 10, 2  # results and failures that each window may keep in any case

_PACKED = struct.Struct("=dddHHBB")  # time, rtt (NaN: none), duration, sent, lost, which outcome, flags
_COUNTS, _OK = 1, 2
_outcomes: list[str] = []  # a closed set of words, in the order in which they occurred


@dataclass(frozen=True)
class Sample:
    """One result as the window keeps it. Times in seconds."""

    time: float  # when it was known
    outcome: str
    counts: bool  # whether it is evidence about the network: a local error is not
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
    longest_outage: float  # from a first failure to the next success, or to now; whole, if it began before the window
    last: str  # outcome
    failed_in_a_row: int  # the last results, up to the last success
    recent_loss: float | None  # of the packets of the last trains
    last_success: float | None
    failures: tuple[Sample, ...]  # the newest last


class Limits:
    """The number of results that each window may keep, so that all windows together stay bounded."""

    def __init__(self) -> None:
        self.samples, self.failures = SAMPLES, FAILURES

    def share(self, windows: int) -> None:
        """Divide the limit among `windows`. Each window applies it with its next result."""
        self.samples = min(SAMPLES, max(ALL_SAMPLES // windows, LEAST[0]))
        self.failures = min(FAILURES, max(ALL_FAILURES // windows, LEAST[1]))


class Window:
    """The results of one path."""

    __slots__ = ("_data", "_failing_since", "_failures", "_last_success", "_limits")

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._data = bytearray()  # packed samples, the oldest first
        self._failures: deque[Sample] | None = None  # most windows never need one
        self._last_success: float | None = None
        self._failing_since: float | None = None  # the first failure after the last success

    def add(self, sample: Sample) -> None:
        """Keep `sample`. Samples come in the order of time."""
        if sample.outcome not in _outcomes:
            _outcomes.append(sample.outcome)
        rtt = math.nan if sample.rtt is None else sample.rtt
        flags = _COUNTS * sample.counts | _OK * sample.ok
        which = _outcomes.index(sample.outcome)
        self._data += _PACKED.pack(sample.time, rtt, sample.duration, sample.sent, sample.lost, which, flags)
        excess = len(self._data) - self._limits.samples * _PACKED.size
        if excess > 0:
            del self._data[:excess]
        if sample.ok:
            self._last_success, self._failing_since = sample.time, None
            return
        if sample.counts and self._failing_since is None:
            self._failing_since = sample.time
        if self._failures is None:
            self._failures = deque()
        self._failures.append(sample)
        while len(self._failures) > self._limits.failures:
            self._failures.popleft()

    def samples(self, now: float) -> Iterator[Sample]:
        """Yield the results of the last hour, the oldest first. They have no errors: those are with the failures."""
        return (sample for sample in self._samples() if sample.time >= now - SECONDS)

    def summary(self, now: float) -> Summary:
        """Summarise the window at `now`: the last hour, and the last result however old it is."""
        every = list(self._samples())
        newest = every[-1].time if every else now
        begin, failures_begin = min(now - SECONDS, newest), min(now - FAILURE_SECONDS, newest)
        kept = [sample for sample in every if sample.time >= begin]
        failures = tuple(sample for sample in self._failures or () if sample.time >= failures_begin)
        ever = [sample for sample in every if sample.counts]
        counted = [sample for sample in kept if sample.counts]
        rtts = [sample.rtt for sample in counted if sample.rtt is not None]
        outage = 0.0 if self._failing_since is None else now - self._failing_since
        return Summary(
            results=len(kept),
            failed=sum(not sample.ok for sample in counted),
            loss_ratio=_loss(counted),
            rtt=Spread.of(rtts),
            jitter=jitter(rtts),
            duration=Spread.of(sample.duration for sample in counted if sample.ok),
            longest_outage=max(outage, _longest_outage(ever, begin)),
            last=kept[-1].outcome if kept else "",
            failed_in_a_row=sum(1 for _ in takewhile(lambda sample: not sample.ok, reversed(ever))),
            recent_loss=_recent_loss(ever),
            last_success=self._last_success,
            failures=failures,
        )

    def _samples(self) -> Iterator[Sample]:
        for time, rtt, duration, sent, lost, which, flags in _PACKED.iter_unpack(bytes(self._data)):
            seen, ok = bool(flags & _COUNTS), bool(flags & _OK)
            yield Sample(time, _outcomes[which], seen, ok, None if math.isnan(rtt) else rtt, duration, sent, lost)


def _loss(samples: list[Sample]) -> float | None:
    """Return the loss of packets. A result without a train counts like a train that was lost or answered completely."""
    usual = max((sample.sent for sample in samples), default=0) or 1
    lost = sum(sample.lost if sample.sent else usual * (not sample.ok) for sample in samples)
    return lost / sum(sample.sent or usual for sample in samples) if samples else None


def _recent_loss(samples: list[Sample]) -> float | None:
    trains = [sample for sample in samples[-RECENT:] if sample.sent]
    return sum(sample.lost for sample in trains) / sum(sample.sent for sample in trains) if trains else None


def _longest_outage(samples: list[Sample], begin: float) -> float:
    """Return the length of the longest outage that is over and was not at `begin`."""
    longest, begun = 0.0, None
    for sample in samples:
        if not sample.ok and begun is None:
            begun = sample.time
        elif sample.ok and begun is not None:
            longest = max(longest, sample.time - begun) if sample.time >= begin else longest
            begun = None
    return longest
