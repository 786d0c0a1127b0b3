"""What happens to packets, and a prober's results: the rounds of one path, one probe after the other.

Fault.drop(Packet) ─▶ Losses (per kind of packet and direction) ─▶ rounds ─▶ PathState of TCP, UDP and HTTP
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from smoker_diagnosis.state import Large, PathState, Role
from smoker_prober.probes.followups.confirm import AFTER, WITHIN

from .world import ALLOWED, DURATION, INTERVAL, NOW, PACKETS, PROBES, SPREAD, TIMEOUT

KINDS = (*PROBES, "train", "large")  # kinds of packets that a fault can tell apart
WINDOW = 3  # results that the counts cover
SYN, DATA = (1.0, 2.0, 4.0), (0.2, 0.4, 0.8, 1.6, 3.2)  # seconds until TCP sends again (RFC 6298)
PASSES = 1280  # bytes of the largest packet that an MTU black hole lets through
SIZES = (
    1450,
    1449,
    1446,
    1442,
    1430,
    1426,
    1422,
    1420,
    1414,
    1400,
    1390,
    1380,
    1370,
    1350,
    1300,
    1280,
    1200,
    1000,
    576,
    128,
)
CONFIRMED = AFTER  # seconds after a failure until the probe is repeated
PATIENCE = min(TIMEOUT, WITHIN)  # seconds for which the repeated probe waits
CLEAN = 3  # trains in a row without loss after which none follows
SECOND = 30  # packets of a second train
DOUBTED = 10.0  # seconds after a train that lost packets until another one follows
AGAIN = 0.2  # chance that what failed by chance fails then, too
QUICK = 0.001  # seconds until somebody refuses


class Packet(NamedTuple):
    """One packet from `sender` to `receiver`."""

    sender: str  # nodes
    receiver: str
    from_pod: bool  # else from the host network
    into_pod: bool
    overlay: bool  # whether it is carried by the overlay; never on one node
    family: str
    kind: str  # of KINDS, or "dns"
    reply: bool  # whether it answers another: what a stateful filter lets pass

    @property
    def crosses(self) -> bool:
        """Return whether it leaves its node."""
        return self.sender != self.receiver

    @property
    def udp(self) -> bool:
        return self.kind in ("udp", "train", "large", "dns")


Drop = Callable[[Packet], float]  # the probability that a packet is lost
Losses = Mapping[str, tuple[float, float]]  # by kind: of the request, of the reply


class Act(NamedTuple):
    """What one fault does to one path."""

    begin: float
    losses: Losses
    silent: str  # the outcome of what gets no answer
    end: float = math.inf


Active = Sequence[Act]  # the faults of one path


class Found(NamedTuple):
    """One result."""

    began: float
    ended: float
    outcome: str
    sent: int = 0
    lost: int = 0
    requests_lost: int = 0
    replies_lost: int = 0
    passes: int | None = None  # bytes of the largest packet that passed; None: not asked, or no verdict
    confirms: bool = False  # whether it repeats a failed one: it counts in no rate, but for the packets of a train
    partly: bool = False  # whether one of two queries was answered


def losses(drop: Drop, request: Packet) -> dict[str, tuple[float, float]]:
    """Return what `drop` does to the packets of a path; None if it does nothing. `request.kind` is ignored."""
    reply = Packet(
        *(request.receiver, request.sender, request.into_pod, request.from_pod),
        *(request.overlay, request.family, request.kind, True),
    )
    found = {}
    for kind in KINDS:
        both = drop(request._replace(kind=kind)), drop(reply._replace(kind=kind))
        if any(both):
            found[kind] = both
    return found


def at(active: Active, kind: str, when: float) -> tuple[float, float, str]:
    """Return the losses of both directions at an instant, and the outcome if nothing is answered."""
    request = reply = 0.0
    outcome = "timeout"
    for begin, table, silent, end in active:
        if begin <= when < end and kind in table:
            one, other = table[kind]
            request, reply = 1 - (1 - request) * (1 - one), 1 - (1 - reply) * (1 - other)
            outcome = silent
    return request, reply, outcome


def connection(chance: random.Random, request: float, reply: float) -> float:
    """Return the seconds for a connection and one exchange over it; more than TIMEOUT if it fails."""
    took = 0.0
    for waits in (SYN, DATA):
        for wait in waits:
            if chance.random() >= request and chance.random() >= reply:
                break
            took += wait
            if took > TIMEOUT:
                return took
        else:
            return TIMEOUT + 1
    return took


def train(chance: random.Random, request: float, reply: float, packets: int = PACKETS) -> tuple[int, int, int, int]:
    """Return how many packets were sent, lost, and lost in each direction, as far as the sender knows."""
    number, answered = 0, []
    for _ in range(packets):
        if chance.random() >= request:
            if chance.random() >= reply:
                answered.append(number)
            number += 1
    lost = packets - len(answered)
    replies_lost = min(lost, answered[-1] + 1 - len(answered)) if answered else 0
    return packets, lost, lost - replies_lost, replies_lost


def largest(chance: random.Random, request: float, reply: float, small: tuple[float, float]) -> int | None:
    """Return the bytes of the largest packet that passed: three tries of the full size, then two of each other size."""

    def answered(losses: tuple[float, float]) -> bool:
        return chance.random() >= losses[0] and chance.random() >= losses[1]

    if any(answered((request, reply)) for _ in range(3)):
        return ALLOWED
    passed = set()
    for size in SIZES:
        losses = (request, reply) if size > PASSES else small
        if answered(losses) or answered(losses):
            passed.add(size)
    lost = [size for size in SIZES if size not in passed]
    if not passed or len(lost) < 2 or min(lost) < max(passed):
        return None
    return max(passed)


@dataclass(slots=True)
class Rounds:
    """The results of one path and the last request that its far end heard, by the simulation's clock."""

    results: dict[str, list[Found]]  # by probe, the oldest first, those that have ended by NOW
    heard: float | None


def rounds(
    chance: random.Random,
    ago: float,
    active: Active,
    noise: Mapping[int, str] | None = None,
    count: int = 7,
    *,
    confirm: bool = False,
    doubtful: bool = False,
) -> Rounds:
    """Run the last `count` rounds of a path.

    `ago`: seconds before NOW at which the last began. `noise`: by rounds ago, what fails by chance: "all", one probe,
    or "packets" of the train. `confirm`: whether a failed probe is repeated soon after. `doubtful`: whether one of the
    trains before lost packets.
    """
    found: dict[str, list[Found]] = {probe: [] for probe in PROBES}
    heard: float | None = None
    free = 0.0  # a round never overlaps the one before
    clean = 0 if doubtful else CLEAN  # trains in a row without loss
    for back in range(count - 1, -1, -1):
        when = NOW - ago - back * INTERVAL
        if when < free:
            continue
        by_chance = noise.get(back, "") if noise else ""
        for probe in PROBES:
            if when > NOW:
                break
            request, reply, silent = at(active, probe, when)
            if by_chance in ("all", probe):
                request, reply = (1.0, 0.0) if chance.random() < 0.5 else (0.0, 1.0)
            if probe == "udp":
                arrived = chance.random() >= request
                heard = when if arrived else heard
                result = _udp(chance, when, active, by_chance, answered=arrived and chance.random() >= reply)
            else:
                result = _tcp(chance, when, probe, request, reply)
            if result.outcome == "timeout" and silent != "timeout":
                result = Found(when, when + QUICK, silent)
            if result.ended <= NOW:
                found[probe].append(result)
                clean = _clean(clean, result)
                again, reached = (
                    _repeat(chance, result, active, probe, by_chance=bool(by_chance), doubtful=clean < CLEAN)
                    if confirm
                    else ([], 0.0)
                )
                for each in again:
                    clean = _clean(clean, each)
                heard = max(heard or 0.0, reached) or None
                found[probe].extend(each for each in again if each.ended <= NOW)
            when = result.ended
        free = when
    return Rounds(found, heard)


def _clean(trains: int, result: Found) -> int:
    """Return how many trains in a row lost nothing, after `result` of a UDP probe."""
    if not result.sent:
        return trains
    return 0 if result.lost else trains + 1


def _repeat(
    chance: random.Random, result: Found, active: Active, probe: str, *, by_chance: bool, doubtful: bool
) -> tuple[list[Found], float]:
    """Return what follows `result` before the next round, and when the far end heard it; 0: never."""
    if result.outcome not in ("success", "mtu"):
        again, reached = _again(chance, result.ended + CONFIRMED, probe, active, by_chance=by_chance)
        trained = probe == "udp" and again.outcome == "success"
        return [again, *([_train(chance, again.ended, active)] if trained else [])], reached
    if probe == "udp" and doubtful and INTERVAL > DOUBTED + SPREAD + TIMEOUT:
        return [_train_again(chance, result.ended + DOUBTED, active)], 0.0
    return [], 0.0


def _train_again(chance: random.Random, when: float, active: Active) -> Found:
    """Return the train that follows one that lost packets. It is a further one where its own PING is answered."""
    request, reply, _ = at(active, "udp", when)
    if chance.random() < request or chance.random() < reply:
        return Found(when, when + PATIENCE, "timeout", confirms=True)
    return _train(chance, when, active)


def _train(chance: random.Random, when: float, active: Active) -> Found:
    """Return what a second train finds."""
    request, reply, _ = at(active, "train", when)
    counts = train(chance, request, reply, SECOND)
    return Found(when, when + SPREAD + PATIENCE * (counts[1] > 0), "success", *counts, confirms=True)


def _again(chance: random.Random, when: float, probe: str, active: Active, *, by_chance: bool) -> tuple[Found, float]:
    """Return the result of a repeated probe without a train, and when the far end heard it; 0: never."""
    request, reply, silent = at(active, probe, when)
    if by_chance and chance.random() < AGAIN:
        request = 1.0
    arrived = 0.0
    if probe == "udp":
        arrived = when if when <= NOW and chance.random() >= request else 0.0
        answered = bool(arrived) and chance.random() >= reply
        found = Found(when, when + (DURATION["tcp"] if answered else PATIENCE), "success" if answered else "timeout")
    else:
        found = _tcp(chance, when, probe, request, reply, PATIENCE)
    if found.outcome == "timeout" and silent != "timeout":
        found = Found(when, when + QUICK, silent)
    return found._replace(confirms=True), arrived


def _tcp(
    chance: random.Random, when: float, probe: str, request: float, reply: float, timeout: float = TIMEOUT
) -> Found:
    if not request and not reply:
        return Found(when, when + DURATION[probe], "success")
    took = connection(chance, request, reply) if request < 1 and reply < 1 else timeout + 1
    if took > timeout:
        return Found(when, when + timeout, "timeout")
    return Found(when, when + DURATION[probe] + took, "success")


def _udp(chance: random.Random, when: float, active: Active, by_chance: str, *, answered: bool) -> Found:
    if not answered:
        return Found(when, when + TIMEOUT, "timeout")
    request, reply, _ = at(active, "train", when)
    counts = train(chance, request, reply) if request or reply else (PACKETS, 0, 0, 0)
    if by_chance == "packets":
        lost = chance.randint(1, 3)
        counts = (PACKETS, lost, lost, 0) if chance.random() < 0.5 else (PACKETS, lost, 0, lost)
    ended = when + (DURATION["udp"] if counts[1] == 0 else SPREAD + TIMEOUT)
    request, reply, _ = at(active, "large", when)
    small = at(active, "udp", when)[:2]
    passes = largest(chance, request, reply, small) if request or reply else ALLOWED
    if passes != ALLOWED:
        ended += TIMEOUT
    black_hole = passes is not None and passes < ALLOWED
    return Found(when, ended, "mtu" if black_hole else "success", *counts, passes)


def counted(results: Sequence[Found]) -> list[Found]:
    """Return the last results that counts cover: rounds, and second trains after one that lost packets."""
    rounds = [number for number, result in enumerate(results) if not result.confirms]
    first = rounds[-WINDOW] if len(rounds) >= WINDOW else 0
    return [result for result in list(results)[first:] if not result.confirms or result.sent]


def path_state(healthy: PathState, results: Sequence[Found], clock: float, *, role: Role | None = None) -> PathState:
    """Return a prober's knowledge after `results`; `healthy` identifies the path, `clock` is the lead of its clock."""
    path = healthy
    who = (role or path.role, path.target, path.plane, path.family, path.probe, path.zone)
    if not results:
        return PathState(*who)
    last, window = results[-1], counted(results)
    failures: dict[str, int] = {}
    for result in window:
        if result.outcome not in ("success", "local_error"):
            failures[result.outcome] = failures.get(result.outcome, 0) + 1
    streak, since = 0, 0.0
    for result in reversed(results):
        if result.outcome == "success":
            break
        if result.outcome != "local_error":
            streak, since = streak + 1, result.began + clock
    verdicts = [result.passes for result in results if result.passes is not None]
    passes = verdicts[-1] if verdicts else 0
    large: Large = "" if not verdicts else "ok" if passes >= ALLOWED else "black_hole"
    ok = any(result.outcome == "success" for result in window)
    lossy = [result.began + clock for result in window if result.lost or result.outcome == "timeout"]
    lost = sum(result.lost for result in window)
    return PathState(
        *who,
        last=last.outcome,
        at=last.began + clock,
        attempts=sum(result.outcome != "local_error" and not result.confirms for result in window),
        failures=failures,
        streak=streak,
        since=since,
        sent=sum(result.sent for result in window),
        lost=lost,
        requests_lost=sum(result.requests_lost for result in window),
        replies_lost=sum(result.replies_lost for result in window),
        large=large,
        mtu=ALLOWED if large else 0,
        passes=passes if large == "black_hole" else 0,
        rtt_p50=0.001 if ok else 0.0,
        rtt_p99=0.002 if ok else 0.0,
        lost_at=max(lossy) if lost else 0.0,
        partly=sum(result.partly for result in window),
        counted=tuple((result.began + clock, result.sent) for result in window) if lost else (),
    )
