"""Asks the cluster's DNS again, many times at once, after a look-up by its Service that got one of two answers.

One such look-up can be a lost packet. Far more of them by the Service than at the pods, at the same moment, are none.

half answer ─────────────────────────────▶ 16 look-ups by the Service and 32 at its pods, at once ─▶ Check ─▶ state
name of an echo not found ─▶ 6 look-ups ── half answer ──▲

Programs look up both types at once, too, and half an answer is none for them: so the names of the echoes give the first
sign more often than the look-ups of the DNS itself, which are one a round.

A check that finds a half answer where the one before found none, or the other way round, is repeated ten seconds later.
While the last check found half answers, another one follows each round, so that the end of a race shows, too.

A storm is impossible: a prober begins at most one of these in ten seconds, and none beside another one. The look-ups
are no rounds, and no confirmations: they have no lines, and count for no rates, windows or metrics.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import gevent
from gevent.pool import Group
from loguru import logger

from smoker_diagnosis.state import RESOLVER, SERVICE
from smoker_prober.result import Outcome, Result
from smoker_prober.target import Target

GLANCE = 6  # look-ups by the Service after a name was not found: if half of them are lost, one in 64 times all succeed
AT_ONCE = 16  # look-ups by the Service: six half answers, and none at the pods, are chance once in 1,500 times
EACH = 2  # look-ups at the pods for each of these
LATER = 10.0  # seconds from the beginning of one check to that of the next, at least


class Check(NamedTuple):
    """What one check found. A look-up is half answered if one of its two queries was answered, and not the other."""

    began: float  # by the clock of results
    of: int  # look-ups by the Service
    halved: int
    of_pods: int  # look-ups at the pods
    halved_pods: int
    silent_pods: int = 0  # look-ups at the pods to which no query was answered


class LookUps:
    """The checks of a prober.

    `look_up` probes a target once. `servers` returns the targets of the cluster's DNS: its Service and its pods.
    """

    def __init__(
        self,
        look_up: Callable[[Target], Result],
        servers: Callable[[], Sequence[Target]],
        keep: Callable[[Target, Check], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up, self._servers, self._keep, self._clock = look_up, servers, keep, clock
        self._halved = False  # whether the last check found half answers
        self._begun = float("-inf")
        self._running: gevent.Greenlet[..., None] | None = None

    def after(self, result: Result) -> None:
        """Begin a check if `result`, kept already, gives a reason for one."""
        by_service = is_service(result.target)
        unresolved = result.target.path.role == SERVICE and result.outcome is Outcome.RESOLVE_ERROR
        if not (unresolved or (by_service and (self._halved or _is_half(result)))):
            return
        if not self._running and self._clock() - self._begun >= LATER:
            self._begun = self._clock()
            self._running = gevent.spawn(self._checks, sure=by_service)

    def _checks(self, *, sure: bool) -> None:
        """Check once or twice. `sure`: whether a half answer is known."""
        before = self._halved
        if (sure or self._glance()) and self._check() != before:
            gevent.sleep(LATER)
            self._check()

    def _glance(self) -> bool:
        """Return whether one of a few look-ups by the Service is half answered."""
        services, _pods = self._both()
        return any(map(_is_half, self._ask(services[:1] * GLANCE)))

    def _check(self) -> bool:
        """Ask the Service and its pods at once. Return whether a look-up by the Service was half answered."""
        self._begun, self._halved = self._clock(), False
        services, pods = self._both()
        found = self._ask(_turns(services[0], pods)) if services else []
        own, others = _at(found, services[:1]), _at(found, pods)
        if own:
            silent = sum(not each.outcome.ok and not _is_half(each) for each in others)
            check = Check(min(each.began for each in own), len(own), _half(own), len(others), _half(others), silent)
            self._keep(services[0], check)
            self._halved = check.halved > 0
            logger.info(
                "the DNS was asked again after a look-up that got one of two answers",
                half_by_service=f"{check.halved}/{check.of}",
                half_at_pods=f"{check.halved_pods}/{check.of_pods}",
                none_at_pods=f"{check.silent_pods}/{check.of_pods}",
            )
        return self._halved

    def _both(self) -> tuple[list[Target], list[Target]]:
        """Return the targets by the Service, and those of the pods: none if either is missing, as one tells nothing."""
        services, pods = list[Target](), list[Target]()
        for each in self._servers():
            (services if is_service(each) else pods).append(each)
        return (services, pods) if services and pods else ([], [])

    def _ask(self, targets: Iterable[Target]) -> list[Result]:
        """Ask all of `targets` at once, and return the results that say something of them."""
        return [each for each in Group().map(self._look_up, targets) if each.outcome is not Outcome.LOCAL_ERROR]

    @property
    def running(self) -> bool:
        """Whether a check runs."""
        return bool(self._running)

    def close(self) -> None:
        """Check nothing more."""
        if self._running is not None:
            self._running.kill(block=False)


def is_service(target: Target) -> bool:
    """Return whether `target` is the cluster's DNS by its Service."""
    return target.path.role == RESOLVER and target.path.plane.endswith(SERVICE)


def _turns(service: Target, pods: Sequence[Target]) -> Iterator[Target]:
    """Yield what a check asks: the Service and the pods in turn, each pod about as often."""
    for number in range(AT_ONCE):
        yield service
        for each in range(EACH * number, EACH * (number + 1)):
            yield pods[each % len(pods)]


def _at(found: Iterable[Result], targets: Sequence[Target]) -> list[Result]:
    return [each for each in found if each.target in targets]


def _half(found: Iterable[Result]) -> int:
    return sum(map(_is_half, found))


def _is_half(result: Result) -> bool:
    return result.details is not None and result.details.partly
