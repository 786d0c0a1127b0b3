"""The hub at work: every few seconds one look at all probers, and what it changes.

Places ─▶ Collector ─▶ diagnose ─▶ Incidents ─▶ log lines, notifications; what is known now ─▶ API, page, metrics
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import gevent
from loguru import logger

from smoker_common.clock import Clock
from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.finding import Finding
from smoker_hub import words
from smoker_hub.changes import Changes, PathsChange
from smoker_hub.collect import Collected, Collector
from smoker_hub.incidents import Change, Incidents

STUCK = 120.0  # seconds without a look after which the hub is not alive any more

Tell = Callable[[Change], None]
Follow = Callable[[Sequence[PathsChange]], None]


class Known(Protocol):
    """What says where the probers are."""

    @property
    def known(self) -> bool:
        """Return whether it has ever been said."""

    def start(self) -> None:
        """Begin to watch."""

    def close(self) -> None:
        """Watch no more."""


class Hub:
    """Looks every `interval` seconds, and calls each of `tells` with what opened or closed."""

    def __init__(
        self,
        places: Known,
        collector: Collector,
        *,
        interval: float,
        cluster: str,
        tells: Iterable[Tell] = (),
        clock: Clock | None = None,
    ) -> None:
        self._places, self._collector, self._interval = places, collector, interval
        self.cluster, self._tells, self.clock = cluster, list(tells), clock or Clock()
        self.incidents = Incidents()
        self.collected = Collected()
        self.looked: float | None = None  # the instant of the last look
        self.took = 0.0  # seconds
        self.blind = False
        self._changes = Changes()
        self._follow: list[Follow] = []
        self._well = False  # whether it was said
        self.began = self.clock.now()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def look(self) -> None:
        """Look once."""
        begun = self.clock.now()
        collected = self._collector.look()
        if collected.asked:
            self._take(collected)
        self.collected, self.looked = collected, self.clock.now()
        self.took = self.looked - begun
        changed = list(self._changes.look(collected)) if self._follow else []
        for follow in self._follow:
            try:
                follow(changed)
            except Exception:
                logger.exception("what follows the looks failed in a way it should not")

    def follow(self, tell: Tell, look: Follow | None = None) -> None:
        """Call `tell` with what opens or closes, and `look` after each look with the probers whose paths changed."""
        self._tells.append(tell)
        if look is not None:
            self._follow.append(look)

    def _take(self, collected: Collected) -> None:
        heard = collected.asked - len(collected.errors)
        if collected.blind != self.blind:
            self.blind = collected.blind
            (words.blind if self.blind else words.sees_again)(heard, collected.asked)
        if self.blind:
            return
        found = [each for each in diagnose(collected.states, collected.waited) if not _too_soon(each, collected)]
        for change in self.incidents.look(found, self.clock.now()):
            words.tell(change, self.cluster)
            for tell in self._tells:
                tell(change)
        everybody = heard == collected.asked and all(path.last for state in collected.states for path in state.paths)
        if not self._well and everybody and not found and paths_of(collected):
            self._well = True
            words.well(paths_of(collected), collected.asked, self.cluster)

    def start(self) -> None:
        """Begin to look."""
        self._places.start()
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            begun = self.clock.now()
            try:
                self.look()
            except Exception:
                logger.exception("a look failed in a way it should not")
            gevent.sleep(max(self._interval - (self.clock.now() - begun), 0.1))

    def retire(self) -> None:
        """Look no more."""
        self._places.close()
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    close = retire

    def drain(self, seconds: float) -> int:  # noqa: ARG002  a look is cut at once
        """Nothing is ever in flight."""
        return 0

    def unready(self) -> str:
        """Return why it knows nothing yet, or an empty string."""
        if not self._places.known:
            return "the API server has not yet said where the probers are"
        return "" if self.looked is not None else "the first look is not over yet"

    def stuck(self) -> str:
        """Return whether looks have stopped, in words."""
        age = self.clock.now() - (self.began if self.looked is None else self.looked)
        return f"the last look was {age:.0f} s ago" if age > STUCK + 2 * self._interval else ""


def paths_of(collected: Collected) -> int:
    """Return how many paths the probers know of."""
    return sum(len(state.paths) for state in collected.states)


def _too_soon(finding: Finding, collected: Collected) -> bool:
    """Return whether a silent prober has not been silent for long enough, or was never asked."""
    if finding.kind != "silent" or "silent" not in finding.notes:
        return False
    return not any((node, note) in collected.lost for node in finding.scope.nodes for note in finding.notes)
