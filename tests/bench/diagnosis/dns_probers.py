"""The look-ups of one simulated prober: its rounds, the names of its echoes, and the checks after half answers.

The instants of all that may begin a check are drawn first; then the checks follow them by the rules of `look_ups.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import msgspec

from smoker_diagnosis.state import HalfAnswers, PathState
from smoker_prober.probes.followups.look_ups import AT_ONCE, EACH, GLANCE, LATER, Check
from smoker_prober.store.checks import Checks
from smoker_prober.store.record import LOOK_UPS, ROUNDS

from .packets import CONFIRMED, PATIENCE
from .world import INTERVAL, TIMEOUT

NAMES = 3  # names of echoes that a prober looks up in an interval, evenly spread over it
QUICK = 0.01  # seconds of a look-up that is answered

Half = Callable[[float], float]  # the probability that a look-up at this instant is half answered


class LookUp(NamedTuple):
    """A look-up of a round."""

    began: float
    known: float  # when its result was known
    half: bool


class Found(NamedTuple):
    """A check."""

    known: float
    check: Check


@dataclass
class DnsProber:
    """A prober from `first` to `last`. `half` is for look-ups by the Service, `at_pods` for those at each pod."""

    chance: random.Random
    half: Half
    at_pods: dict[str, Half]
    first: float
    last: float
    checks: bool  # whether it asks again
    rounds: list[LookUp] = field(default_factory=list)
    straight: dict[str, list[LookUp]] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    _halved: bool = False  # whether the last check found half answers
    _begun: float = float("-inf")
    _free: float = float("-inf")  # when the last check ends

    def __post_init__(self) -> None:
        """Draw all look-ups."""
        self.rounds = list(self._rounds(self.half))
        self.straight = {pod: list(self._rounds(half)) for pod, half in self.at_pods.items()}
        signs = [(each.known, each.half) for each in chain(self.rounds, self._repeated())]
        unresolved = ((known, None) for known in self._unresolved())
        for known, half in sorted([*signs, *unresolved], key=itemgetter(0)):
            if self.checks and known >= self._free and known - self._begun >= LATER:
                self._sign(known, half)

    def _look_up(self, half: Half, at: float, timeout: float = TIMEOUT) -> LookUp:
        lost = self.chance.random() < half(at)
        return LookUp(at, at + (timeout if lost else QUICK), lost)

    def _rounds(self, half: Half) -> Iterator[LookUp]:
        at = self.first + self.chance.uniform(0, INTERVAL)
        while at < self.last:
            yield self._look_up(half, at)
            at += INTERVAL

    def _repeated(self) -> Iterator[LookUp]:
        for each in self.rounds:
            if each.half:
                yield self._look_up(self.half, each.known + CONFIRMED, PATIENCE)

    def _unresolved(self) -> Iterator[float]:
        """Yield when a name of an echo was not found: half an answer is none for a program."""
        at = self.first + self.chance.uniform(0, INTERVAL)
        while at < self.last:
            found = self._look_up(self.half, at)
            if found.half:
                yield found.known
            at += INTERVAL / NAMES

    def _sign(self, known: float, half: bool | None) -> None:
        """Take in a look-up by the Service, or (None) a name that was not found."""
        before = self._halved
        if half is None:
            self._begun = known
            glance = [self._look_up(self.half, known).half for _ in range(GLANCE)]
            self._free = known + (TIMEOUT / 2 if any(glance) else QUICK)
            if not any(glance):
                return
        elif not half and not before:
            return
        self._check(max(known, self._free))
        if self._halved != before:
            self._check(self._free + LATER)

    def _check(self, at: float) -> None:
        pods = list(self.at_pods.values())
        own = sum(self._look_up(self.half, at).half for _ in range(AT_ONCE))
        of_pods = AT_ONCE * EACH
        others = sum(self._look_up(pods[number % len(pods)], at).half for number in range(of_pods))
        self._begun, self._free, self._halved = at, at + (TIMEOUT / 2 if own or others else QUICK), own > 0
        self.found.append(Found(self._free, Check(at, AT_ONCE, own, of_pods, others)))

    def state(self, path: PathState, now: float, lead: float) -> PathState:
        """Return `path` as this prober knows it at `now`. `lead`: of its clock."""
        checks = Checks()
        for known, check in self.found:
            if known <= now and check.began > now - LOOK_UPS * INTERVAL:
                checks.add(check._replace(began=check.began + lead))
        rounds = self.straight.get(path.target, self.rounds)
        known_rounds = [each for each in rounds if each.known <= now][-LOOK_UPS:]
        halved = [each.began + lead for each in known_rounds if each.half]
        at, _, half = known_rounds[-1]
        partly = sum(each.half for each in known_rounds[-ROUNDS:])
        last = halved[-1] if halved else 0.0
        again = checks.said(last) if path.target not in self.straight else None
        return msgspec.structs.replace(
            path,
            last="timeout" if half else "success",
            at=at + lead,
            attempts=ROUNDS,
            failures={"timeout": partly} if partly else {},
            partly=partly,
            streak=int(half),
            since=at + lead if half else 0.0,
            halves=HalfAnswers(len(halved), len(known_rounds), last, halved[0] if halved else 0.0, again),
        )
