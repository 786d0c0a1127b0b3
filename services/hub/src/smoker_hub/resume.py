"""An incident that was open in a hub before this one, made from its stored finding and dates.

It goes on as *clearing*: the next looks confirm or close it. If no hub looked for longer than `AWAY` seconds, it counts
as closed when the last one looked, and a finding of now is new.
"""

from __future__ import annotations

from smoker_common.clock import Clock
from smoker_diagnosis.finding import Finding
from smoker_hub.incident import GRAVITY, Incident, Phase

AWAY = 600.0  # seconds without a look after which an open finding does not continue


def instant(clock: Clock, date: float) -> float:
    """Return the instant of a date."""
    return clock.now() - (clock.wall_time() - date)


def resumed(
    finding: Finding,
    clock: Clock,
    phase: Phase,
    *,
    first_seen: float,
    last_seen: float,
    opened: float,
    escalations: int,
) -> Incident:
    """Return the incident with these dates."""
    return Incident(
        finding,
        instant(clock, first_seen),
        instant(clock, last_seen),
        phase,
        instant(clock, opened),
        escalations=escalations,
        opened_date=opened,
        resumed=True,
        _worst=GRAVITY[finding.severity],
    )
