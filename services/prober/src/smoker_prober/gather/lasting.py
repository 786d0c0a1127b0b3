"""When looks at all probers have shown a fault that lasts, by the rule of the hub: then `once --mesh --wait` ends.

Looks come far more often here than at the hub. So an early one in which no probe has failed since the look before
counts for no finding that is known: it has the same results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from smoker_diagnosis.failures import Failures
from smoker_diagnosis.finding import Finding, is_sure
from smoker_diagnosis.newcomers import Newcomers, is_starting, touches
from smoker_diagnosis.sightings import A_ROUND, CLOSES, Sightings, may_follow
from smoker_prober.gather.judge import Gathered

REGULAR = 4.5  # seconds after which a look counts even if no probe has failed meanwhile: about those of the hub


class Lasting:
    """The faults of the looks so far. Instants are seconds of the caller's steady clock."""

    def __init__(self) -> None:
        self._seen: dict[str, Sightings] = {}  # by id of a finding
        self._missed: Counter[str] = Counter()  # by the same: looks in a row without it, early ones apart
        self._newcomers = Newcomers()
        self._failures = Failures()
        self._regular = float("-inf")  # the last look that was not early

    def look(self, found: Gathered, now: float) -> bool:
        """Take in a look. Return whether a fault that counts is certain by now.

        A fault of the first look may be over: its paths may not have been probed since. So it needs another one.
        """
        early = self._is_early(now)
        repeated = not self._failures.look(found.states) and early
        a_round = max((state.interval + state.timeout for state in found.states), default=A_ROUND)
        faults = self._faults(found, now)
        self._miss(self._seen.keys() - {each.id for each in faults}, early=early)
        certain = False
        for each in faults:
            del self._missed[each.id]
            if repeated and each.id in self._seen:
                if not is_sure(each):
                    self._seen[each.id].restart()
                continue
            seen = self._seen.setdefault(each.id, Sightings())
            certain |= seen.see(each, now, a_round, follows=may_follow(each, found.findings))
        return certain

    def _miss(self, gone: Collection[str], *, early: bool) -> None:
        """Count a look without the findings `gone`. Forget those that are over."""
        for each in gone:
            self._seen[each].miss()
            self._missed[each] += not early
            if self._missed[each] >= CLOSES:
                del self._seen[each], self._missed[each]

    def _is_early(self, now: float) -> bool:
        early = now - self._regular < REGULAR
        self._regular = self._regular if early else now
        return early

    def _faults(self, found: Gathered, now: float) -> Collection[Finding]:
        """Return the findings that count, without what has just started."""
        self._newcomers.note({state.node for state in found.states}, now)
        return [
            each
            for each in found.intolerable
            if not is_starting(each) and not touches(each, lambda node: self._newcomers.is_new(node, now))
        ]
