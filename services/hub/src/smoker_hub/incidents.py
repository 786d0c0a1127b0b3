"""The life of a finding: suspected, open, clearing, closed.

A finding opens when two looks in a row have it and are sure of it. It clears when a look no longer has it, and closes
when three in a row do not. Only opening and closing are told: a path that flakes once tells nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from smoker_diagnosis.finding import Finding

Phase = Literal["suspected", "open", "clearing", "closed"]

SURE = 0.9  # confidence from which a finding can open
OPENS, CLOSES = 2, 3  # looks in a row that have it, and that do not
MOST_CLOSED = 200  # closed incidents that are remembered


@dataclass(slots=True)
class Incident:
    """One finding and what has become of it. Instants are seconds of the caller's steady clock."""

    finding: Finding  # as last seen
    first_seen: float
    last_seen: float
    phase: Phase = "suspected"
    opened: float | None = None
    closed: float | None = None
    _seen: int = field(default=0, repr=False)  # looks in a row that were sure of it
    _missed: int = field(default=0, repr=False)

    @property
    def id(self) -> str:
        """The id of its finding."""
        return self.finding.id

    def see(self, finding: Finding, now: float) -> bool:
        """Take in a look that has it. Return whether it opened with this look."""
        self.finding, self.last_seen, self._missed = finding, now, 0
        self._seen = self._seen + 1 if finding.confidence >= SURE and not finding.one_of else 0
        if self.phase == "clearing":
            self.phase = "open"
        if self.phase == "suspected" and self._seen >= OPENS:
            self.phase, self.opened = "open", now
            return True
        return False

    def miss(self, now: float) -> bool:
        """Take in a look that does not have it. Return whether it closed with this look."""
        self._seen, self._missed = 0, self._missed + 1
        if self.phase == "open":
            self.phase = "clearing"
        if self._missed < CLOSES:
            return False
        was_open, self.phase, self.closed = self.phase == "clearing", "closed", now
        return was_open


@dataclass(frozen=True, slots=True)
class Change:
    """What a look has changed: an incident that opened or closed."""

    kind: Literal["open", "close"]
    incident: Incident


class Incidents:
    """All incidents, by the id of their finding."""

    def __init__(self) -> None:
        self._live: dict[str, Incident] = {}
        self._closed: list[Incident] = []

    def look(self, findings: Iterable[Finding], now: float) -> list[Change]:
        """Take in one look. Return what opened and what closed."""
        changes: list[Change] = []
        seen: set[str] = set()
        for finding in findings:
            seen.add(finding.id)
            incident = self._live.get(finding.id)
            if incident is None:
                incident = self._live[finding.id] = Incident(finding, now, now)
            if incident.see(finding, now):
                changes.append(Change("open", incident))
        for incident in [each for key, each in self._live.items() if key not in seen]:
            if incident.miss(now):
                changes.append(Change("close", incident))
            if incident.phase == "closed":
                del self._live[incident.id]
                if incident.opened is not None:
                    self._closed.append(incident)
                    del self._closed[:-MOST_CLOSED]
        return changes

    @property
    def open(self) -> list[Incident]:
        """Those that are open or clearing, the oldest first."""
        return [each for each in self._live.values() if each.phase in ("open", "clearing")]

    @property
    def suspected(self) -> list[Incident]:
        """Those that were seen and are not sure yet."""
        return [each for each in self._live.values() if each.phase == "suspected"]

    def recent(self) -> Iterator[Incident]:
        """Yield those that have closed, the last one first."""
        yield from reversed(self._closed)
