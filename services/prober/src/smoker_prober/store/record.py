"""What the state needs of the results of one path and probe: the last rounds, and when it failed before."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from smoker_diagnosis.state import RESOLVER, FailingFlows, HalfAnswers, KeptFlow, Large, LastFailure, PathState, Traced
from smoker_prober.result import Outcome, Result
from smoker_prober.store.checks import Checks

ROUNDS = 3  # rounds that the counts cover
REMEMBERED = 600.0  # seconds for which the state has the last failure of a path
ERROR = 200  # characters of an error
SAMPLES = 20  # round-trip times that the percentiles cover
HISTORY = 120  # rounds that say how often a path fails: an hour with the default interval
LOOK_UPS = 40  # rounds in which half answers of the cluster's DNS are counted: three are too few beside packet loss
FLOWS = 90.0  # seconds, beside three intervals, for which flows that fail count: they are checked once a minute
SHORT = 2.5  # intervals from the first failure of a streak to the success that ends it; a longer one is no chance


class Round(NamedTuple):
    """One result, as far as the counts need it."""

    outcome: str
    sent: int
    lost: int
    requests_lost: int
    replies_lost: int
    partly: int  # 1 if some queries that left together were answered, and others not
    began: float
    second: bool = False  # whether it is a second train, and no round of its own


@dataclass(slots=True)
class Record:
    """What is kept of one path and probe."""

    rounds: deque[Round] = field(default_factory=deque)  # the last rounds, each before its second train
    rtts: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    streak: int = 0
    since: float = 0.0
    large: Large = ""
    mtu: int = 0
    passes: int = 0
    large_at: float = 0.0
    connected: bool = False  # in this streak of failures
    past: int = 0  # results of the history
    lossy: deque[float] | None = None  # instants at which a train lost packets; most paths have none
    ended: deque[float] | None = None  # instants at which a short streak of failures ended; most paths have none
    halved: deque[float] | None = None  # instants of look-ups that were half answered; most paths have none
    checks: Checks | None = None  # of half answers of the DNS Service; most paths have none
    last_failure: LastFailure | None = None
    flows: FailingFlows | None = None  # in the last check
    traced: Traced | None = None  # in this streak of failures

    def count(self, result: Result, last: str, interval: float) -> None:
        """Count `result`, which came after the outcome `last`. `interval` is in seconds."""
        train = result.train
        if not result.confirms:  # a confirmation says that a failure lasts, and nothing about how often paths fail
            partly = int(result.details is not None and result.details.partly)
            self.halved = _with(self.halved, result.began) if partly else self.halved
            self._add(_round(result, partly))
            self.past = min(self.past + 1, HISTORY)
            if train is not None and train.lost:
                self.lossy = _with(self.lossy, result.began)
        elif train is not None and not self.streak:  # it follows a train, because the path loses packets
            self._add(_round(result, 0)._replace(second=True))
        first = result.began - HISTORY * interval
        self.ended, self.lossy = _younger(self.ended, first), _younger(self.lossy, first)
        self.halved = _younger(self.halved, result.began - LOOK_UPS * interval)
        if self.checks is not None and not self.checks.since(result.began - LOOK_UPS * interval):
            self.checks = None
        if result.outcome.ok:
            # Not every round tries a large packet, so that verdict comes and goes.
            if self.streak and last != Outcome.MTU and result.began - self.since < SHORT * interval:
                self.ended = _with(self.ended, result.began)
            self.streak, self.since, self.connected, self.traced = 0, 0.0, False, None
        else:
            failures = 1 if self.last_failure is None else self.last_failure.count + 1
            error = result.error[:ERROR]
            self.last_failure = LastFailure(round(result.began, 3), result.outcome.value, failures, error)
            self.since = self.since if self.streak else result.began
            self.streak += 1
            self.connected = self.connected or (result.outcome is Outcome.TIMEOUT and result.connected)
        if result.rtt is not None:
            self.rtts.append(result.rtt.seconds)
        self._count_flows(result, interval)
        if result.path_mtu is not None:
            found = result.path_mtu
            self.large, self.mtu, self.passes = "black_hole" if found.black_hole else "ok", found.allowed, found.passes
            self.large_at = result.began

    def _add(self, newest: Round) -> None:
        self.rounds.append(newest)
        if self._attempts() > ROUNDS:
            self.rounds.popleft()
        while self.rounds and self.rounds[0].second:  # of a round that has left
            self.rounds.popleft()

    def _attempts(self) -> int:
        return sum(not each.second for each in self.rounds)

    def _count_flows(self, result: Result, interval: float) -> None:
        if result.flows is not None:
            tried, failing = result.flows.tried, result.flows.failing
            self.flows = FailingFlows(round(result.began, 3), tried, failing) if failing else None
        elif self.flows is not None and result.began - self.flows.at > FLOWS + ROUNDS * interval:
            self.flows = None

    def state(self, before: PathState, result: Result) -> PathState:
        """Return the state of the path after `result`, which is counted already."""
        counted = self._without_onset()
        lost = sum(each.lost for each in counted)
        ordered = sorted(self.rtts)
        return PathState(
            before.role,
            before.target,
            before.plane,
            before.family,
            before.probe,
            before.zone,
            last=result.outcome.value,
            at=round(result.began, 3),
            attempts=self._attempts(),
            failures=self._failures(),
            streak=self.streak,
            since=round(self.since, 3),
            sent=sum(each.sent for each in counted),
            lost=lost,
            requests_lost=sum(each.requests_lost for each in counted),
            replies_lost=sum(each.replies_lost for each in counted),
            large=self.large,
            mtu=self.mtu,
            passes=self.passes,
            large_at=round(self.large_at, 3),
            rtt_p50=round(_nearest(ordered, 0.5), 6),
            rtt_p99=round(_nearest(ordered, 0.99), 6),
            offender=result.offender,
            connected=self.connected,
            error=result.error[:ERROR],
            partly=sum(each.partly for each in counted),
            **_expiry(result, before),
            past=self.past,
            flaps=len(self.ended or ()),
            lossy=len(self.lossy or ()),
            last_failure=_recent(self.last_failure, result.began),
            interval=result.target.interval or 0.0,
            flows=self.flows,
            traced=self.traced,
            kept=_kept_flow(result),
            lost_at=round(max(each.began for each in counted if _loses(each)), 3) if lost else 0.0,
            halves=self.half_answers() if before.role == RESOLVER else None,
            counted=tuple((round(each.began, 3), each.sent) for each in counted) if lost else (),
        )

    def _failures(self) -> dict[str, int]:
        """Return the failures of the last rounds by outcome."""
        failures: dict[str, int] = {}
        for each in self.rounds:
            if each.outcome != Outcome.SUCCESS:
                failures[each.outcome] = failures.get(each.outcome, 0) + 1
        return failures

    def _without_onset(self) -> list[Round]:
        """Return the last rounds; without its packets the round whose train was under way when the path broke.

        It is the only one that lost packets, and every result since then is a failure: that is the beginning of an
        outage. Where a path loses packets now and then, other trains lose some, too, or probes before that one failed.
        """
        rounds = list(self.rounds)
        lossy = [number for number, each in enumerate(rounds) if each.lost]
        failed = [each.outcome != Outcome.SUCCESS for each in rounds]
        if len(lossy) == 1 and all(failed[lossy[0] + 1 :]) and failed[-1] and not any(failed[: lossy[0]]):
            last = rounds[lossy[0]]
            rounds[lossy[0]] = last._replace(sent=0, lost=0, requests_lost=0, replies_lost=0)
        return rounds

    def half_answers(self) -> HalfAnswers:
        """Return how many of the look-ups in the last rounds were half answered, and what checks have found."""
        last, first = (round(self.halved[end], 3) if self.halved else 0.0 for end in (-1, 0))
        of = min(self.past, LOOK_UPS)
        # After a change to a longer interval more of them are young enough.
        again = self.checks.said(last) if self.checks is not None else None
        return HalfAnswers(min(len(self.halved or ()), of), of, last, first, again)


def _round(result: Result, partly: int) -> Round:
    train = result.train
    if train is None:
        return Round(result.outcome.value, 0, 0, 0, 0, partly, result.began)
    halves = (train.requests_lost, train.replies_lost) if train.lost < train.known else (0, 0)
    return Round(result.outcome.value, train.known, train.lost, *halves, partly, result.began)


def _loses(each: Round) -> bool:
    """Return whether the round lost packets: an unanswered PING is one, too."""
    return each.lost > 0 or each.outcome == Outcome.TIMEOUT


def _kept_flow(result: Result) -> KeptFlow | None:
    """Return the kept flow where it fails."""
    kept = result.kept
    if kept is None or not kept.rounds:
        return None
    return KeptFlow(round(result.began - kept.seconds, 3), kept.port, kept.rounds)


def _expiry(result: Result, before: PathState) -> dict[str, Any]:
    """Return when the target's certificate expires, where that is soon.

    A probe that fails before it reads the certificate changes nothing: the finding stays open while the target is down.
    """
    details = result.details
    expiry = details.expiry if details is not None else None
    if expiry is not None:
        return {"expires": expiry.at, "expires_in": round(expiry.seconds, 3)}
    if not before.expires or result.outcome.ok or (details is not None and details.certificate):
        return {}
    return {"expires": before.expires, "expires_in": round(before.expires_in - (result.began - before.at), 3)}


def _younger(instants: deque[float] | None, first: float) -> deque[float] | None:
    """Return those from `first` on."""
    while instants and instants[0] < first:
        instants.popleft()
    return instants or None


def _with(instants: deque[float] | None, now: float) -> deque[float]:
    """Return `instants`, the oldest left out where there are too many, and `now`."""
    instants = deque(maxlen=HISTORY) if instants is None else instants
    instants.append(now)
    return instants


def _recent(failure: LastFailure | None, now: float) -> LastFailure | None:
    """Return a failure that is not too old for the state: that keeps small what the hub holds of a large mesh."""
    return failure if failure is not None and now - failure.at <= REMEMBERED else None


def _nearest(ordered: list[float], share: float) -> float:
    """Return the percentile by nearest rank; 0 without values."""
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)] if ordered else 0.0
