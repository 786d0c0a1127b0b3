"""The state of this prober for the hub, as `smoker_diagnosis.state` defines it.

It is updated as results come. A request for it encodes the state once after a change, and recomputes nothing.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from smoker_diagnosis.state import (
    PEER,
    RESOLVER,
    FailingFlows,
    HalfAnswers,
    KeptFlow,
    Large,
    LastFailure,
    PathState,
    State,
    Traced,
    encode,
)
from smoker_prober.probes.trace import Details as Trace
from smoker_prober.result import Outcome, Result
from smoker_prober.store.identity import Identity
from smoker_prober.store.mesh_state import MeshState
from smoker_prober.target import Path

STATE = "/api/v1/state"
ROUNDS = 3  # rounds that the counts cover
REMEMBERED = 600.0  # seconds for which the state has the last failure of a path
ERROR = 200  # characters of an error
SAMPLES = 20  # round-trip times that the percentiles cover
STARVED = 0.25  # share of time that this process waited for a CPU
LOOK = 5.0  # seconds between two looks at that
TWICE = 2  # failures that are more than a restart
SILENT = (Outcome.TIMEOUT, Outcome.UNREACHABLE)
HISTORY = 120  # rounds that say how often a path fails: an hour with the default interval
LOOK_UPS = 40  # rounds in which half answers of the cluster's DNS are counted: three are too few beside packet loss
FLOWS = 90.0  # seconds, beside three intervals, for which flows that fail count: they are checked once a minute
SHORT = 2.5  # intervals from the first failure of a streak to the success that ends it; a longer one is no chance


class _Round(NamedTuple):
    """One result, as far as the counts need it."""

    outcome: str
    sent: int
    lost: int
    requests_lost: int
    replies_lost: int
    partly: int  # 1 if some queries that left together were answered, and others not
    began: float


@dataclass(slots=True)
class _Kept:
    """What is kept of one path and probe."""

    rounds: deque[_Round] = field(default_factory=lambda: deque(maxlen=ROUNDS))
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
    last_failure: LastFailure | None = None
    flows: FailingFlows | None = None  # in the last check
    traced: Traced | None = None  # in this streak of failures


class States:
    """The state of each path. `waited` returns the seconds for which this process has waited for a CPU."""

    def __init__(self, identity: Identity, *, waited: Callable[[], float], clock: Callable[[], float]) -> None:
        self._identity, self._waited, self._clock = identity, waited, clock
        self._kept: dict[tuple[str, Path], _Kept] = {}
        self._paths: dict[tuple[str, Path], PathState] = {}
        self._looked, self._waited_then, self._starved = clock(), waited(), False
        self._changes = 0
        self._document: tuple[int, bytes] = (-1, b"")
        self._process = os.urandom(4).hex()  # part of the ETag: two processes count their changes alike

    def set_identity(self, identity: Identity) -> None:
        """Serve this identity from now on."""
        if identity != self._identity:
            self._identity = identity
            self._changes += 1

    def expect(self, probe: str, path: Path) -> None:
        """Include this path from now on."""
        if (probe, path) not in self._paths:
            self._kept[probe, path] = _Kept()
            self._paths[probe, path] = PathState(path.role, path.target, path.plane, path.family, probe, path.zone)
            self._changes += 1

    def forget(self, probe: str, path: Path) -> None:
        """Leave this path out from now on."""
        if self._paths.pop((probe, path), None) is not None:
            del self._kept[probe, path]
            self._changes += 1

    def keep(self, result: Result) -> None:
        """Add `result` to its path."""
        key = result.probe, result.target.path
        self.expect(*key)
        kept, before = self._kept[key], self._paths[key]
        outcome = result.outcome
        if outcome is not Outcome.LOCAL_ERROR:
            self._count(kept, result, before.last)
        counted = _without_onset(kept)
        sent, lost, requests, replies, partly = (
            (sum(each) for each in list(zip(*counted, strict=True))[1:6]) if counted else (0,) * 5
        )
        failures: dict[str, int] = {}
        for each in kept.rounds:
            if each.outcome != Outcome.SUCCESS:
                failures[each.outcome] = failures.get(each.outcome, 0) + 1
        ordered = sorted(kept.rtts)
        self._paths[key] = PathState(
            before.role,
            before.target,
            before.plane,
            before.family,
            before.probe,
            before.zone,
            last=outcome.value,
            at=round(result.began, 3),
            attempts=len(kept.rounds),
            failures=failures,
            streak=kept.streak,
            since=round(kept.since, 3),
            sent=sent,
            lost=lost,
            requests_lost=requests,
            replies_lost=replies,
            large=kept.large,
            mtu=kept.mtu,
            passes=kept.passes,
            large_at=round(kept.large_at, 3),
            rtt_p50=round(_nearest(ordered, 0.5), 6),
            rtt_p99=round(_nearest(ordered, 0.99), 6),
            offender=result.offender,
            connected=kept.connected,
            error=result.error[:ERROR],
            partly=partly,
            **_expiry(result, before),
            past=kept.past,
            flaps=len(kept.ended or ()),
            lossy=len(kept.lossy or ()),
            last_failure=_recent(kept.last_failure, result.began),
            interval=result.target.interval or 0.0,
            flows=kept.flows,
            traced=kept.traced,
            kept=_kept_flow(result),
            lost_at=round(max(each.began for each in counted if _loses(each)), 3) if lost else 0.0,
            halves=_half_answers(kept) if before.role == RESOLVER else None,
        )
        self._changes += 1

    def _count(self, kept: _Kept, result: Result, last: str) -> None:
        train = result.train
        if not result.confirms:  # a confirmation says that a failure lasts, and nothing about how often paths fail
            partly = int(result.details is not None and result.details.partly)
            kept.halved = _with(kept.halved, result.began) if partly else kept.halved
            if train is None:
                kept.rounds.append(_Round(result.outcome.value, 0, 0, 0, 0, partly, result.began))
            else:
                halves = (train.requests_lost, train.replies_lost) if train.lost < train.known else (0, 0)
                packets = train.known, train.lost, *halves
                kept.rounds.append(_Round(result.outcome.value, *packets, 0, result.began))
            kept.past = min(kept.past + 1, HISTORY)
        interval = self._identity.interval
        first = result.began - HISTORY * interval
        kept.ended, kept.lossy = _younger(kept.ended, first), _younger(kept.lossy, first)
        kept.halved = _younger(kept.halved, result.began - LOOK_UPS * interval)
        if train is not None and train.lost:
            kept.lossy = _with(kept.lossy, result.began)
        if result.outcome.ok:
            # Not every round tries a large packet, so that verdict comes and goes.
            if kept.streak and last != Outcome.MTU and result.began - kept.since < SHORT * interval:
                kept.ended = _with(kept.ended, result.began)
            kept.streak, kept.since, kept.connected, kept.traced = 0, 0.0, False, None
        else:
            count = 1 if kept.last_failure is None else kept.last_failure.count + 1
            error = result.error[:ERROR]
            kept.last_failure = LastFailure(round(result.began, 3), result.outcome.value, count, error)
            kept.since = kept.since if kept.streak else result.began
            kept.streak += 1
            kept.connected = kept.connected or (result.outcome is Outcome.TIMEOUT and result.connected)
        if result.rtt is not None:
            kept.rtts.append(result.rtt.seconds)
        self._count_flows(kept, result)
        if result.path_mtu is not None:
            found = result.path_mtu
            kept.large, kept.mtu, kept.passes = "black_hole" if found.black_hole else "ok", found.allowed, found.passes
            kept.large_at = result.began

    def _count_flows(self, kept: _Kept, result: Result) -> None:
        if result.flows is not None:
            tried, failing = result.flows.tried, result.flows.failing
            kept.flows = FailingFlows(round(result.began, 3), tried, failing) if failing else None
        elif kept.flows is not None and result.began - kept.flows.at > FLOWS + ROUNDS * self._identity.interval:
            kept.flows = None

    def fresh_failure(self, result: Result) -> bool:
        """Return whether `result`, kept already, is the first failure of its path in a row and worth a confirmation."""
        return self._streak(result) == 1

    def lasts(self, result: Result) -> bool:
        """Return whether `result`, kept already, is a failure that lasts: the path has failed before it, too."""
        return self._streak(result) > 1

    def _streak(self, result: Result) -> int:
        """Return the failures in a row up to `result`; 0 where it says nothing of the target or lost large packets."""
        if result.outcome in (Outcome.SUCCESS, Outcome.LOCAL_ERROR, Outcome.MTU):
            return 0
        return self._kept[result.probe, result.target.path].streak

    def follow(self, failed: Result, found: Result) -> None:
        """Add what followed `failed` to its path, if it still fails."""
        key = failed.probe, failed.target.path
        kept = self._kept.get(key)
        if kept is None or not kept.streak or not isinstance(found.details, Trace):
            return
        trace, last = found.details, found.details.last
        address = trace.hops[last - 1].address if last else ""
        hops, before = list(trace.addresses), list(trace.before)
        kept.traced = Traced(round(found.began, 3), last, address, trace.reached, hops, before)
        self._paths[key] = msgspec.structs.replace(self._paths[key], traced=kept.traced)
        self._changes += 1

    def failing(self, node: str, network: str) -> bool:
        """Return whether the prober on `node` and `network` has failed: since a first failure, no path to it worked.

        Not every path has been probed since then: a node can become not ready before a round is over.
        """
        seen = [
            state
            for state in self._paths.values()
            if state.role == PEER
            and state.target == node
            and state.last not in ("", Outcome.LOCAL_ERROR)
            and _network_at_the_end(state.plane) == network
        ]
        failed = [state for state in seen if state.last != Outcome.SUCCESS]
        # A node that dies is silent; a single refusal is a pod that restarts.
        if not any(state.last in SILENT for state in failed) and sum(state.streak for state in failed) < TWICE:
            return False
        first = min(state.since for state in failed)
        return all(state.at <= first for state in seen if state.last == Outcome.SUCCESS)

    def document(self, zone: str, mesh_state: Callable[[], MeshState]) -> tuple[str, bytes]:
        """Return the ETag and the state as JSON."""
        self._look()
        if self._document[0] != self._changes:
            self._document = self._changes, encode(self.state(zone, mesh_state()))
        return f'"{self._process}-{self._changes}"', self._document[1]

    def state(self, zone: str, mesh_state: MeshState) -> State:
        """Return the state now."""
        identity = self._identity
        return State(
            cluster=identity.cluster,
            node=identity.node,
            network=identity.network,
            zone=zone,
            time=round(time.time(), 3),
            at=round(self._clock(), 3),
            interval=identity.interval,
            timeout=identity.timeout,
            starved=self._starved,
            api=mesh_state.api,
            peers=mesh_state.peers,
            paths=list(self._paths.values()),
            heard=list(mesh_state.heard),
            left=list(mesh_state.left),
            echoes=mesh_state.echoes,
            dns_pods=mesh_state.dns_pods,
            bandwidth=list(mesh_state.bandwidth),
        )

    def _look(self) -> None:
        """See, now and then, whether this process lacks CPU."""
        now = self._clock()
        if now - self._looked < LOOK:
            return
        waited = self._waited()
        starved = (waited - self._waited_then) / (now - self._looked) > STARVED
        self._looked, self._waited_then = now, waited
        if starved != self._starved:
            self._starved = starved
            self._changes += 1


def _without_onset(kept: _Kept) -> list[_Round]:
    """Return the last rounds; without its packets the round whose train was under way when the path broke.

    It is the only one that lost packets, and every result since then is a failure: that is the beginning of an outage.
    Where a path loses packets now and then, other trains lose some, too, or probes before that one failed.
    """
    rounds = list(kept.rounds)
    lossy = [number for number, each in enumerate(rounds) if each.lost]
    failed = [each.outcome != Outcome.SUCCESS for each in rounds]
    if len(lossy) == 1 and all(failed[lossy[0] + 1 :]) and failed[-1] and not any(failed[: lossy[0]]):
        last = rounds[lossy[0]]
        rounds[lossy[0]] = _Round(last.outcome, 0, 0, 0, 0, last.partly, last.began)
    return rounds


def _loses(each: _Round) -> bool:
    """Return whether the round lost packets: an unanswered PING is one, too."""
    return each.lost > 0 or each.outcome == Outcome.TIMEOUT


def _kept_flow(result: Result) -> KeptFlow | None:
    """Return the kept flow where it fails."""
    kept = result.kept
    if kept is None or not kept.rounds:
        return None
    return KeptFlow(round(result.began - kept.seconds, 3), kept.port, kept.rounds)


def _half_answers(kept: _Kept) -> HalfAnswers:
    """Return how many of the look-ups in the last rounds were half answered."""
    halved = kept.halved or ()
    return HalfAnswers(len(halved), min(kept.past, LOOK_UPS), round(halved[-1], 3) if halved else 0.0)


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


def _network_at_the_end(plane: str) -> str:
    return plane.rpartition("-")[2]


def _recent(failure: LastFailure | None, now: float) -> LastFailure | None:
    """Return a failure that is not too old for the state: that keeps small what the hub holds of a large mesh."""
    return failure if failure is not None and now - failure.at <= REMEMBERED else None


def _nearest(ordered: list[float], share: float) -> float:
    """Return the percentile by nearest rank; 0 without values."""
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)] if ordered else 0.0
