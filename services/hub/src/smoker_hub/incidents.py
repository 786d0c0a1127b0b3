"""All incidents of the hub: which findings of a look are known, which are left by others, and which are news."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from smoker_diagnosis.finding import Finding
from smoker_diagnosis.sightings import A_ROUND, may_follow
from smoker_hub.incident import Incident, Word, late_kinds
from smoker_hub.remains import is_part_of, leaves_paths, left_for, remains_of

MOST_CLOSED = 200  # closed incidents that are kept


@dataclass(frozen=True, slots=True)
class Change:
    """What a look has changed: an incident that opened, became worse or closed."""

    kind: Word
    incident: Incident


class Incidents:
    """All incidents, by the id of their finding."""

    def __init__(self) -> None:
        self._live: dict[str, Incident] = {}
        self._closed: list[Incident] = []
        self._lapsed: list[Incident] = []

    def resume(self, incidents: Iterable[Incident], lapsed: Iterable[Incident] = ()) -> None:
        """Take over what was open when the hub stopped. The next look closes those of `lapsed`, which have an end."""
        for each in incidents:
            each.told = late_kinds(each.finding)
            self._live[each.id] = each
        self._lapsed += lapsed

    def look(
        self,
        findings: Iterable[Finding],
        now: float,
        *,
        early: bool = False,
        news: bool = True,
        a_round: float = A_ROUND,
        gone: Callable[[Finding], bool] = lambda _: False,
    ) -> list[Change]:
        """Process one look. Return the findings that opened, became worse or closed.

        `early`: whether it came sooner after the last one than usual. `news`: whether a probe has failed since then.
        `gone(finding)`: whether what it is about exists no more; such a finding closes at once.
        """
        changes = [Change("close", each) for each in self._lapsed]
        self._closed += self._lapsed
        self._lapsed = []
        named = list(self._with_known_ids(findings, now, a_round))
        seen = {finding.id for finding in named}
        healing: set[str] = set()  # ids of open findings of which something is left
        for finding in named:
            whole = self._leaving(finding, seen, now, a_round)
            if whole is not None:
                healing.add(whole.id)
                seen.discard(finding.id)
                continue
            incident = self._live.get(finding.id)
            if incident is None:
                incident = self._live[finding.id] = Incident(finding, now, now)
            beside = any(each.id != finding.id and leaves_paths(each.finding) for each in self.open)
            repeated, follows = early and not news, may_follow(finding, (*named, *(each.finding for each in self.open)))
            word = incident.see(finding, now, a_round, beside=beside, repeated=repeated, follows=follows)
            if word is not None:
                incident.told = late_kinds(finding)
                changes.append(Change(word, incident))
        open_now = [each.finding for each in self.open if each.id in seen]
        for incident in [each for key, each in self._live.items() if key not in seen]:
            waits = early or incident.id in healing
            larger = next((each for each in open_now if is_part_of(incident.finding, each)), None)
            if larger is not None:
                incident.join(larger)
            ends = larger is not None or gone(incident.finding)
            closed = incident.end(now) if ends else incident.miss(now, early=waits)
            if closed:
                changes.append(Change("close", incident))
            if incident.phase == "closed":
                del self._live[incident.id]
                if incident.opened is not None:
                    self._closed.append(incident)
                    del self._closed[:-MOST_CLOSED]
        return changes

    def _leaving(self, finding: Finding, seen: Collection[str], now: float, a_round: float) -> Incident | None:
        """Return the open incident that heals and leaves `finding`; None if `finding` is news.

        `seen`: the ids of the findings of this look. What was seen beside an open incident is not left by it, and after
        a round without the incident each of its paths has been probed again (after three, no lost packet counts).
        """
        known = self._live.get(finding.id)
        if known is not None and known.opened is not None:
            return None
        for each in self.open:
            ago = now - each.last_seen
            beside = known is not None and known.last_seen >= each.last_seen
            if each.id in seen or beside or ago > a_round * left_for(each.finding, finding):
                continue
            if remains_of(each.finding, ago, finding):
                return each
        return None

    def _with_known_ids(self, findings: Iterable[Finding], now: float, a_round: float) -> Iterator[Finding]:
        """Yield the findings. One whose choice of places or direction has changed keeps the id that it had.

        A choice of places that a loss of one sure place leaves while it heals is not that loss.
        """
        listed = list(findings)
        ids = {finding.id for finding in listed}
        for finding in listed:
            if finding.id not in self._live:
                others = [each for key, each in self._live.items() if key not in ids]
                known = next((each for each in others if finding.id in each.ids), None)
                if known is None and self._leaving(finding, ids, now, a_round) is None:
                    known = next((each for each in others if each.same(finding)), None)
                if known is not None:
                    if known.finding.kind != finding.kind:
                        known.ids.add(finding.id)
                    ids.add(known.id)
                    finding = msgspec.structs.replace(finding, id=known.id)  # noqa: PLW2901  the same, renamed
            yield finding

    @property
    def open(self) -> list[Incident]:
        """The incidents that are open or clearing, the oldest first."""
        return [each for each in self._live.values() if each.phase in ("open", "clearing")]

    def with_late_evidence(self) -> Iterator[tuple[Incident, set[str]]]:
        """Yield the open incidents that have evidence of another kind than when they opened, each kind only once."""
        for incident in self.open:
            news = late_kinds(incident.finding) - incident.told
            if news:
                incident.told |= news
                yield incident, news

    @property
    def suspected(self) -> list[Incident]:
        """The incidents that were seen and are not sure yet."""
        return [each for each in self._live.values() if each.phase == "suspected"]

    @property
    def lasting(self) -> list[Incident]:
        """Those that are suspected for longer than a round, the longest first."""
        return sorted((each for each in self.suspected if each.lasts), key=lambda each: -each.finding.since)

    def recent(self) -> Iterator[Incident]:
        """Yield the closed incidents, the last one first."""
        yield from reversed(self._closed)
