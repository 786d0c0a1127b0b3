"""What the paths between nodes of all probers add up to, kept from look to look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from smoker_diagnosis.evidence import Cell


@dataclass(slots=True)
class Sums:
    """The sums. Fields are as in `Mesh`."""

    known: int = 0
    past: int = 0
    flaps: int = 0
    trains: int = 0
    lossy: int = 0
    sent: int = 0
    lost: int = 0

    def add(self, cells: Iterable[Cell], times: int = 1) -> None:
        """Add the numbers of `cells`, or take them out with -1 for `times`."""
        known = past = flaps = trains = lossy = sent = lost = 0
        for cell in cells:  # thousands of probers have hundreds each: so there is one loop
            known += cell.known > 0
            if not cell.unsteady:
                past, flaps = past + cell.past, flaps + cell.flaps
            if cell.sent and cell.source != cell.target:
                trains, lossy = trains + cell.trains, lossy + cell.lossy
                sent, lost = sent + cell.sent, lost + cell.lost
        self.known += times * known
        self.past += times * past
        self.flaps += times * flaps
        self.trains += times * trains
        self.lossy += times * lossy
        self.sent += times * sent
        self.lost += times * lost
