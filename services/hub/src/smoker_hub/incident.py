"""The life of a finding: suspected, open, clearing, closed.

A finding opens when two looks in a row find it with certainty, or are sure of it for longer than a round. For a fault,
an early look counts only if a probe has failed since the look before: the same results say nothing new. While a check
is due that may change its name, a finding opens only once it has been seen for longer than a round. An unsure finding
(a low confidence, one of several places, paths without a common cause) opens as such, once the paths have failed for
longer than two rounds. An open finding clears when a look no longer finds it, and closes after three such looks in a
row; early looks do not count. A finding that becomes worse escalates. Only opening, escalating and closing are logged
and sent: a path that fails once is not. While an open finding heals, what is left of it is no new finding: for up to a
round (a loss: three rounds) it keeps the open one from closing, and what fails for longer is a finding of its own. A
finding ends at once when a larger one is open that explains all of its paths. A hard fault at a node that loses many
packets opens only if it lasts for longer than a round, too. An open finding goes on when a check shows that only some
flows of its place fail; it escalates when everything fails there for longer than a round.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from smoker_diagnosis import text
from smoker_diagnosis.component import INTO, NODE, OUT_OF
from smoker_diagnosis.finding import Finding, is_sure
from smoker_hub.remains import COUNTED, shows_flows

Phase = Literal["suspected", "open", "clearing", "closed"]
Word = Literal["open", "escalate", "close"]

LATE = ("flows", "last_hops")  # evidence of checks and traces that follow a failure: it may come after the name
CERTAIN = 0.97  # confidence from which a finding opens at once: chance comes near now and then, and does not last
BY_LIKELIHOOD = ("fault", "loss", "mtu", "service", "dns", "flows")  # kinds whose confidence says how likely chance is
LASTS = 2  # rounds for which paths fail before they are a finding without a sure place
A_ROUND = 35.0  # assumed seconds from one result of a path to the next
OPENS, CLOSES = 2, 3  # looks in a row with it, and without it
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
    lasts: bool = False  # whether it is not sure, and has lasted for longer than a round
    opened_date: float | None = None  # of one that a hub before this one opened: the date stays what it was
    resumed: bool = False  # whether it was open before the hub started, and no look has had it since
    part_of: str = ""  # why a larger finding closed it, in words
    told: set[str] = field(default_factory=set)  # kinds of late evidence that the hub has logged
    ids: set[str] = field(default_factory=set)  # of findings of another kind that are this one, too
    _looks: int = field(default=0, repr=False)  # looks in a row that had it
    _first: float = field(default=0.0, repr=False)  # instant of the first of these
    _seen: int = field(default=0, repr=False)  # of these, the last ones in a row that were sure of it
    _since: float = field(default=0.0, repr=False)  # instant of the first of these
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
        return self.phase == "suspected" and self._seen > 0

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
        that loses packets; then it must last for longer than a round.
        """
        before = self.finding
        self.finding, self.last_seen, self._missed, self.resumed = finding, now, 0, False
        self._looks, self._first = self._looks + 1, self._first if self._looks else now
        sure = is_sure(finding)
        if self.opened is not None and before.kind != finding.kind:
            self._seen = 0  # what it has become counts anew
        counts = not repeated or finding.kind != "fault" or self._seen == 0
        self._seen, self._since = (self._seen + counts, self._since if self._seen else now) if sure else (0, now)
        certain = not follows and (finding.confidence >= CERTAIN or finding.kind not in BY_LIKELIHOOD)
        if self.phase == "clearing":
            self.phase = "open"
        opens = self._seen >= OPENS and (certain or now - self._since > a_round)
        if not sure:
            # Loss need not fail a probe: what is seen for this long was in packets that the first look did not count.
            failed_for = min(finding.since, now - self._first) if beside else finding.since
            lasted = max(failed_for, now - self._first - COUNTED * a_round)
            self.lasts = lasted > a_round
            opens = self._looks >= OPENS and lasted > LASTS * a_round
        if self.phase == "suspected" and opens and not (finding.awaits and now - self.first_seen <= a_round):
            self.phase, self.opened, self._worst = "open", now, GRAVITY[finding.severity]
            return "open"
        worse = GRAVITY[finding.severity] > self._worst or (finding.kind, before.kind) == ("not_ready", "fault")
        self._partly |= finding.kind in ("loss", "flows")
        if self._partly and finding.kind == "fault":  # for a moment all probes can hit the flows that fail
            worse = self._seen >= OPENS and now - self._since > a_round
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
        self._seen, self._looks, self._missed = 0, 0, self._missed + (not early)
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
