"""What the metrics keep of one path."""

from __future__ import annotations

from smoker_diagnosis.train import Train
from smoker_prober.probes import PROBES
from smoker_prober.result import Measure, Outcome, Result
from smoker_prober.target import Path

OVER_TCP = frozenset(name for name, probe in PROBES.items() if probe.transport == "tcp")
OUTCOMES = tuple(outcome.value for outcome in Outcome)
ANSWERED = (Outcome.SUCCESS, Outcome.MTU)  # outcomes of a probe whose small packet was answered
FATES = ("answered", "delayed", "request_lost", "reply_lost", "lost")


class Counts:
    """The counts of one path since the prober began, and its last values. There can be thousands."""

    __slots__ = (
        "duplicates",
        "fates",
        "flows",
        "jitter",
        "kept",
        "loss",
        "measures",
        "outcomes",
        "path",
        "probe",
        "reordered",
        "retransmits",
        "rtt",
        "succeeded",
        "unreadable",
        "whole",
    )

    def __init__(self, probe: str, path: Path, *, whole: bool) -> None:
        self.probe, self.path = probe, path
        self.whole = whole  # whether counters at 0 are served, too
        self.outcomes = [0] * len(OUTCOMES)
        self.fates: list[int] | None = None  # packets by fate; None before the first train
        self.retransmits: int | None = 0 if probe in OVER_TCP else None
        self.duplicates = self.reordered = self.unreadable = 0
        self.succeeded: float | None = None  # seconds of the monotonic clock
        self.rtt: float | None = None
        self.loss: float | None = None
        self.jitter: float | None = None
        self.kept: float | None = None  # rounds in a row in which the kept flow fails
        self.flows: float | None = None  # that always fail, in the last check
        self.measures: tuple[Measure, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """The labels of its series; made at each scrape, for there can be thousands of paths."""
        return {"probe": self.probe, **self.path.labels}

    def keep(self, result: Result, now: float) -> None:
        """Count `result`, known at the instant `now`."""
        outcome, train = result.outcome, result.train
        self.outcomes[OUTCOMES.index(outcome.value)] += 1
        if self.retransmits is not None:
            self.retransmits += result.retransmits
        self.rtt = result.rtt.seconds if result.rtt is not None else None
        measures = result.details.measures if result.details is not None else ()
        if measures or outcome.ok:  # a target that is down for a moment keeps its certificate, and the alert of it
            self.measures = measures
        if outcome.ok:
            self.succeeded = now
        self.kept = None if result.kept is None else float(result.kept.rounds)
        if result.flows is not None:
            self.flows = float(result.flows.failing)
        if train is not None:
            self._add(train)
            self.loss, self.jitter = train.loss_ratio, train.jitter
        elif outcome is not Outcome.LOCAL_ERROR:
            self.loss, self.jitter = (None if outcome in ANSWERED or self.probe != "udp" else 1.0), None

    def _add(self, train: Train) -> None:
        known = train.lost < train.known  # without any answer the direction is not known
        lost = (train.requests_lost, train.replies_lost, 0) if known else (0, 0, train.lost)
        counts = (train.known - train.lost - train.delayed, train.delayed, *lost)
        self.fates = [a + b for a, b in zip(self.fates or [0] * len(FATES), counts, strict=True)]
        self.duplicates += train.duplicates
        self.reordered += train.reordered
        self.unreadable += train.unreadable
