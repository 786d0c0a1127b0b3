"""Echo services whose pods have moved: failures from before say nothing about now.

A drain deletes the pod of an echo and starts it on another node. Probes fail in between, from every node, and the
network is well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from smoker_diagnosis.evidence import HOST, POD, Cell, Prober
from smoker_diagnosis.part import Part

Places = frozenset[str]


@dataclass(slots=True)
class Move:
    """The pods of one echo service stand on other nodes than before."""

    before: Places
    after: Places
    seen: Mapping[Prober, float]  # what the clock of each prober showed when the hub saw it
    failed: list[Cell] = field(default_factory=list)  # paths whose last probe failed before that

    def missed(self, bit: int) -> int:
        """Return how many paths have had no result since."""
        return sum(not cell.known & bit for cell in self.failed)


class Moves:
    """Follows where the pods of each echo service are, from look to look."""

    def __init__(self) -> None:
        self._places: dict[int, Places] = {}  # by bit of the probe, as last seen
        self.of: dict[int, Move] = {}

    def look(self, echoes: Mapping[int, Iterable[str]], services: Iterable[Cell], parts: Mapping[Prober, Part]) -> None:
        """Take in where the pods are now, and set results from before a move apart."""
        for bit, move in list(self.of.items()):
            if not any(
                part.now.instant - move.seen[each] <= part.lasts for each, part in parts.items() if each in move.seen
            ):
                del self.of[bit]  # every path has had a result since, or is too old
        for bit in self._places.keys() | echoes.keys():
            now, before = frozenset(echoes.get(bit, ())), self._places.get(bit)
            if before is not None and now != before:
                first = self.of[bit].before if bit in self.of else before
                failed = self.of[bit].failed if bit in self.of else []
                self.of[bit] = Move(first, now, {each: part.now.instant for each, part in parts.items()}, failed)
            self._places[bit] = now
        for bit, move in self.of.items():
            if move.after:
                self._excuse(bit, move, services)

    def _excuse(self, bit: int, move: Move, services: Iterable[Cell]) -> None:
        for cell in services:
            prober = cell.source, HOST if cell.plane.startswith(HOST) else POD
            if cell.bad & bit and cell.at[bit] <= move.seen.get(prober, -1.0):
                cell.bad &= ~bit
                cell.known &= ~bit
                move.failed.append(cell)
