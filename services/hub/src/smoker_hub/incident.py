"""The life of a finding: suspected, open, clearing, closed.

A finding opens when looks in a row have made it certain (`smoker_diagnosis.sightings` has the rule). An open finding
clears when a look no longer finds it, and closes after three such looks in a row; early looks do not count. A finding
that becomes worse escalates. Only opening, escalating and closing are logged and sent: a path that fails once is not.
While an open finding heals, what is left of it is no new finding: for up to a round (a loss: three rounds) it keeps the
open one from closing, and what fails for longer is a finding of its own. A finding ends at once when a larger one is
open that explains all of its paths. An open finding goes on when a check shows that only some flows of its place fail;
it escalates when everything fails there for longer than a round.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from smoker_diagnosis import text
from smoker_diagnosis.component import INTO, NODE, OUT_OF
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.sightings import A_ROUND, CLOSES, Sightings
from smoker_hub.remains import shows_flows

Phase = Literal["suspected", "open", "clearing", "closed"]
Word = Literal["open", "escalate", "close"]

LATE = ("flows", "last_hops")  # evidence of checks and traces that follow a failure: it may come after the name
GRAVITY = {"info": 0, "warning": 1, "critical": 2}


def late_kinds(finding: Finding) -> set[str]:
    """Return the kinds of late evidence that the finding has."""
    return {kind for kind in LATE if getattr(finding, kind)}


@dataclass(slots=True)
class Incident:
    """One finding and what has become of it. Instants are seconds of the caller's steady clock."""

    finding: Finding  # as last seen
    first_seen: float
    last_seen: float
    phase: Phase = "suspected"
    opened: float | None = None
    closed: float | None = None
    escalations: int = 0  # how often it became worse while it was open
    opened_date: float | None = None  # of one that a hub before this one opened: the date stays what it was
    resumed: bool = False  # whether it was open before the hub started, and no look has had it since
    part_of: str = ""  # why a larger finding closed it, in words
    told: set[str] = field(default_factory=set)  # kinds of late evidence that the hub has logged
    ids: set[str] = field(default_factory=set)  # of findings of another kind that are this one, too
    _sightings: Sightings = field(default_factory=Sightings, repr=False)
    _missed: int = field(default=0, repr=False)
    _worst: int = field(default=0, repr=False)  # gravity that was told
    _partly: bool = field(default=False, repr=False)  # whether it was a loss, or some flows, since it was last told
    _unseen: float | None = field(default=None, repr=False)  # instant of the first look without it, where it resumes

    @property
    def id(self) -> str:
        """The id of its finding."""
        return self.finding.id

    @property
    def opens_next(self) -> bool:
        """Return whether one more look with the finding would open it."""
        return self.phase == "suspected" and self._sightings.is_sure

    @property
    def lasts(self) -> bool:
        """Return whether it is not sure, and has lasted for longer than a round."""
        return self._sightings.lasts

    def same(self, finding: Finding) -> bool:
        """Return whether `finding` is this one: other places to choose from, the layer known now, or both directions.

        As long as the last state of a silent prober counts, its node seems to be cut off in one direction. An open one
        is also the same if its flows show that only some of them fail.
        """
        before = self.finding
        if before.kind != finding.kind:
            return self.opened is not None and shows_flows(before, finding)
        if before.layer != finding.layer:
            return before.scope == finding.scope and not finding.one_of and finding.layer in before.layers
        if not finding.one_of:
            widens = before.scope.kind in (INTO, OUT_OF, NODE) and finding.scope.kind == NODE
            return widens and self.opened is not None and before.scope.nodes == finding.scope.nodes
        return not {before.scope, *before.one_of}.isdisjoint((finding.scope, *finding.one_of))

    def see(
        self,
        finding: Finding,
        now: float,
        a_round: float = A_ROUND,
        *,
        beside: bool = False,
        repeated: bool = False,
        follows: bool = False,
    ) -> Word | None:
        """Count a look that has the finding. Return whether it opened or became worse with this look.

        `a_round`: seconds from one result of a path to the next. A sure, not certain finding opens if it lasts longer.
        `beside`: whether another finding is open that may have explained its paths until now. `repeated`: whether it
        is an early look, and no probe has failed since the look before. `follows`: whether it may be chance at a node
        that loses packets; then it must last for longer.
        """
        before = self.finding
        self.finding, self.last_seen, self._missed, self.resumed = finding, now, 0, False
        if self.opened is not None and before.kind != finding.kind:
            self._sightings.restart()
        opens = self._sightings.see(finding, now, a_round, beside=beside, repeated=repeated, follows=follows)
        if self.phase == "clearing":
            self.phase = "open"
        if self.phase == "suspected" and opens:
            self.phase, self.opened, self._worst = "open", now, GRAVITY[finding.severity]
            return "open"
        worse = GRAVITY[finding.severity] > self._worst or (finding.kind, before.kind) == ("not_ready", "fault")
        self._partly |= finding.kind in ("loss", "flows")
        if self._partly and finding.kind == "fault":  # for a moment all probes can hit the flows that fail
            worse = self._sightings.sure_for_longer(now, a_round)
        if self.phase == "open" and worse:
            self._partly = False
            self._worst = max(self._worst, GRAVITY[finding.severity])
            self.escalations += 1
            return "escalate"
        return None

    def miss(self, now: float, *, early: bool) -> bool:
        """Take in a look that does not have it. Return whether it closed; an early look closes nothing."""
        if self.resumed and self.finding.kind == "silent":  # the hub knows only after a round that a prober is silent
            self._unseen = now if self._unseen is None else self._unseen
            early |= now - self._unseen < A_ROUND
        self._sightings.miss()
        self._missed += not early
        if self.phase == "open":
            self.phase = "clearing"
        if self._missed < CLOSES:
            return False
        return self.end(now)

    def join(self, larger: Finding) -> None:
        """Note that the finding `larger` explains all of its paths."""
        self.part_of = text.part_of(larger)
        self.finding = msgspec.structs.replace(self.finding, notes=(*self.finding.notes, self.part_of))

    def end(self, now: float) -> bool:
        """Close the finding. Return whether it was open."""
        was_open, self.phase, self.closed = self.opened is not None, "closed", now
        return was_open
