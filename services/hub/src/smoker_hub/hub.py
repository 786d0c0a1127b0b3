"""The loop of the hub: every few seconds one look at all probers, and the findings that it changes.

Places ─▶ Collector ─▶ Diagnosis ─▶ Incidents ─▶ log lines, notifications; the current state ─▶ API, page, metrics

Looks at a small mesh cost little, so they come more often than every `interval`. After a look that suspects a fault or
finds new failures, the next one comes soon in any case: two looks open a finding.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import gevent
from loguru import logger

from smoker_common.clock import Clock
from smoker_common.work import BaseWork
from smoker_diagnosis.failures import Failures
from smoker_diagnosis.sightings import A_ROUND
from smoker_hub import words
from smoker_hub.changes import Changes, PathsChange
from smoker_hub.collect import Collected, Collector
from smoker_hub.diagnose import Diagnosis
from smoker_hub.incident import Incident
from smoker_hub.incidents import Change, Incidents

BLIND = 3  # blind regular looks in a row before a log line: a pod that has just started may have no network yet
STUCK = 120.0  # seconds without a look after which the hub counts as stuck
SOON = 1.0  # least seconds from one look to the next
OF_A_ROUND = 1 / 15  # share of the probers' interval: at rest no look comes sooner, as each question costs a prober CPU
AT_REST = 0.01  # largest share of a CPU for looks that come before their interval is over
CHEAP = 0.1  # the same after a look that suspects a fault
USUAL = 0.9  # share of the interval: a look that comes sooner is an early one
AWAITED = 8.0  # seconds for which new failures cause early looks

Tell = Callable[[Change], None]
Follow = Callable[[Sequence[PathsChange]], None]


class Known(Protocol):
    """A source of the probers' addresses."""

    @property
    def known(self) -> bool:
        """Return whether the addresses have ever been read."""

    def start(self) -> None:
        """Start watching."""

    def close(self) -> None:
        """Stop watching."""


class Hub(BaseWork):
    """Looks every `interval` seconds or more often, and reports the findings that opened, became worse or closed."""

    def __init__(
        self,
        places: Known,
        collector: Collector,
        *,
        interval: float,
        cluster: str,
        tells: Iterable[Tell] = (),
        diagnosis: Diagnosis | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._places, self._collector, self._interval = places, collector, interval
        self.cluster, self._tells, self.clock = cluster, list(tells), clock or Clock()
        self._diagnosis = diagnosis or Diagnosis(clock=self.clock)
        self.incidents = Incidents()
        self.collected = Collected()
        self.looked: float | None = None  # the instant of the last look
        self.looks = 0
        self.took = 0.0  # seconds
        self.used = 0.0  # seconds of CPU of the last look: a silent prober makes it long, and not dear
        self.blind = False
        self._deaf = 0  # looks in a row with fewer than half of the probers
        self._changes = Changes()
        self._follow: list[Follow] = []
        self._well = False  # whether it was logged
        self._failures = Failures()
        self._failed = float("-inf")  # when a path began to fail
        self.began = self.clock.now()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def look(self, *, early: bool = False) -> None:
        """Look once. `early`: whether the interval since the last regular look is not over; it closes no finding."""
        begun, used = self.clock.now(), time.process_time()
        collected = self._collector.look()
        if collected.asked:
            self._take(collected, early=early)
        self.collected, self.looked = collected, self.clock.now()
        self.took, self.used = self.looked - begun, time.process_time() - used
        self.looks += 1
        changed = list(self._changes.look(collected)) if self._follow else []
        for follow in self._follow:
            try:
                follow(changed)
            except Exception:
                logger.exception("the work after a look failed unexpectedly")

    def follow(self, tell: Tell | None = None, look: Follow | None = None) -> None:
        """Call `tell` with each change of a finding, `look` after each look with the probers whose paths changed."""
        if tell is not None:
            self._tells.append(tell)
        if look is not None:
            self._follow.append(look)

    def resume(self, incidents: Sequence[Incident], lapsed: Iterable[Incident] = ()) -> None:
        """Take over what was open when the hub stopped, and log it again: the log of this start has nothing of it."""
        self.incidents.resume(incidents, lapsed)
        for incident in incidents:
            words.log_resumed(incident)

    def _take(self, collected: Collected, *, early: bool) -> None:
        heard = collected.asked - len(collected.errors)
        self.blind = collected.blind
        if self.blind:
            self._deaf += not early
            if self._deaf == BLIND and not early:
                words.log_blind(heard, collected.asked)
            return
        if self._deaf >= BLIND:
            words.log_no_longer_blind(heard, collected.asked)
        self._deaf = 0
        now = self.clock.now()
        # In a thread, so that the API answers: with thousands of nodes a fault of everything takes seconds to explain.
        found = gevent.get_hub().threadpool.apply(self._diagnosis.look, (collected,))
        a_round = max((state.interval + state.timeout for state in collected.states), default=A_ROUND)
        news = self._failures.look(collected.states, collected.news)
        gone = self._diagnosis.gone
        for change in self.incidents.look(found, now, early=early, news=news, a_round=a_round, gone=gone):
            words.log_change(change)
            for tell in self._tells:
                tell(change)
        for incident, kinds in self.incidents.with_late_evidence():
            words.log_late_evidence(incident, kinds)
        if self._failures.more:
            self._failed = now
        all_known = heard == collected.asked == len(collected.states)  # one that hangs may not have answered yet
        if not self._well and all_known and not found and not self.failing and all_probed(collected):
            self._well = True
            words.log_healthy(paths_of(collected), collected.asked)

    @property
    def failing(self) -> int:
        """How many paths failed at their last probe, by the last look."""
        return self._failures.failing

    @property
    def pause(self) -> float:
        """Seconds from the beginning of the last look to the next one."""
        if self.blind:
            return self._interval
        expects = self.clock.now() - self._failed < AWAITED or any(each.opens_next for each in self.incidents.suspected)
        if expects:
            return min(self._interval, max(SOON, self.used / CHEAP))
        a_round = min((state.interval for state in self.collected.states), default=0.0)
        return min(self._interval, max(SOON, a_round * OF_A_ROUND, self.used / AT_REST))

    def start(self) -> None:
        """Begin to look."""
        self._places.start()
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        regular = self.clock.now() - self._interval
        while True:
            begun = self.clock.now()
            early = begun - regular < USUAL * self._interval
            regular = regular if early else begun
            try:
                self.look(early=early)
            except Exception:
                logger.exception("a look failed unexpectedly")
            gevent.sleep(max(self.pause - (self.clock.now() - begun), 0.1))

    def retire(self) -> None:
        """Stop looking."""
        self._places.close()
        self._collector.close()
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def unready(self) -> str:
        """Return why the hub is not ready, or an empty string."""
        if not self._places.known:
            return "the API server has not yet returned the list of probers"
        return "" if self.looked is not None else "the first look has not finished yet"

    def stuck(self) -> str:
        """Return why the hub is stuck, or an empty string."""
        age = self.clock.now() - (self.began if self.looked is None else self.looked)
        return f"the last look was {age:.0f} s ago" if age > STUCK + 2 * self._interval else ""


def paths_of(collected: Collected) -> int:
    """Return the number of paths in `states`."""
    return sum(len(state.paths) for state in collected.states)


def all_probed(collected: Collected) -> bool:
    """Return whether there are paths, and each of them has a result."""
    return paths_of(collected) > 0 and all(path.last for state in collected.states for path in state.paths)
