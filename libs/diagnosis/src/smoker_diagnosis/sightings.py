"""When looks in a row make a finding certain: then the hub opens it, and `once --mesh --wait` ends.

Two looks in a row must find it with certainty, or be sure of it for longer than a round. For a place with failing
paths, an early look counts only if a probe has failed since the look before: the same results say nothing new. While a
check is due that may change its name, a finding must have been seen for longer than a round. An unsure finding (a low
confidence, one of several places, paths without a common cause) counts once its paths have failed for longer than two
rounds. What may be chance at a node that loses packets must last for longer than a round, and be seen itself for two
rounds while it is not sure: a hard fault at a node that loses many packets, and a pair of nodes while other paths of
one of them are in trouble, because it may grow into a fault of that node.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from smoker_diagnosis.component import INTO, NODE, OUT_OF
from smoker_diagnosis.finding import Finding, is_sure

CERTAIN = 0.97  # confidence from which two looks are enough: chance comes near now and then, and does not last
BY_LIKELIHOOD = ("fault", "loss", "mtu", "service", "dns", "flows")  # kinds whose confidence says how likely chance is
LASTS = 2  # rounds for which paths fail before they are a finding without a sure place
A_ROUND = 35.0  # assumed seconds from one result of a path to the next
ENOUGH = 2  # looks in a row with it
CLOSES = 3  # looks in a row without it, early ones apart, after which it is over
COUNTED = 3  # rounds that the counts of a state cover
OF_SERVICES = ("service", "dns")
OF_PATHS = ("fault", "mtu", *OF_SERVICES)  # kinds whose evidence is failing paths of one place
HEAVY = 0.1  # share of the packets that a node loses from which its probes fail at times


@dataclass(slots=True)
class Sightings:
    """The looks in a row that had one finding. Instants are seconds of the caller's steady clock."""

    lasts: bool = False  # whether it is not sure, and has lasted for longer than a round
    _began: float | None = None  # instant of the first look that ever had it
    _looks: int = 0  # in a row
    _first: float = 0.0  # instant of the first of these
    _sure: int = 0  # of these, the last ones in a row that were sure of it
    _since: float = 0.0  # instant of the first of these

    @property
    def is_sure(self) -> bool:
        """Return whether the last look was sure of the finding."""
        return self._sure > 0

    def see(
        self,
        finding: Finding,
        now: float,
        a_round: float,
        *,
        beside: bool = False,
        repeated: bool = False,
        follows: bool = False,
    ) -> bool:
        """Count a look that has `finding`. Return whether it is certain by now.

        `a_round`: seconds from one result of a path to the next. `beside`: whether another finding is certain that may
        have explained its paths until now. `repeated`: whether it is an early look, and no probe has failed since the
        look before. `follows`: whether it may be chance at a node that loses packets.
        """
        self._began = now if self._began is None else self._began
        self._looks, self._first = self._looks + 1, self._first if self._looks else now
        sure = is_sure(finding)
        counts = not repeated or finding.kind not in OF_PATHS or self._sure == 0
        self._sure, self._since = (self._sure + counts, self._since if self._sure else now) if sure else (0, now)
        at_once = not follows and (finding.confidence >= CERTAIN or finding.kind not in BY_LIKELIHOOD)
        lasted = now - self._since
        if finding.kind == "service" and not follows:  # failing for longer than a round, it failed in the next one, too
            lasted = max(lasted, finding.since)
        certain = self._sure >= ENOUGH and (at_once or lasted > a_round)
        if not sure:
            # Loss need not fail a probe: what is seen for this long was in packets that the first look did not count.
            failed_for = min(finding.since, now - self._first) if beside or follows else finding.since
            lasted = max(failed_for, now - self._first - COUNTED * a_round)
            self.lasts = lasted > a_round
            certain = self._looks >= ENOUGH and lasted > LASTS * a_round
        return certain and not (finding.awaits and now - self._began <= a_round)

    def sure_for_longer(self, now: float, a_round: float) -> bool:
        """Return whether looks have been sure of it for longer than a round."""
        return self._sure >= ENOUGH and now - self._since > a_round

    def restart(self) -> None:
        """Count anew the looks that are sure of it: it has become something else."""
        self._sure = 0

    def miss(self) -> None:
        """Count a look that does not have it."""
        self._sure, self._looks = 0, 0


def may_follow(finding: Finding, found: Iterable[Finding]) -> bool:
    """Return whether `finding` may be chance at a node that loses packets, by one of the others in `found` for sure.

    There, probes fail at random: for a while a pair of the node, or look-ups of several nodes, seem to fail always.
    """
    if finding.may_grow:  # the loss of the node is not found yet
        return True
    if finding.kind not in OF_PATHS:
        return False
    nodes = set(finding.scope.nodes)
    return any(
        each.kind == "loss"
        and each.share >= HEAVY
        and each.scope.kind in (NODE, INTO, OUT_OF)
        and is_sure(each)
        and (nodes.intersection(each.scope.nodes) if nodes else finding.kind in OF_SERVICES)
        for each in found
    )
