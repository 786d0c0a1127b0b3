"""Echo services whose pods have moved: failures from before the move no longer count.

A drain deletes the pod of an echo and starts it on another node. Probes fail in between, from every node, and the
network is healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from smoker_diagnosis.evidence import HOST, POD, Cell, Prober
from smoker_diagnosis.part import Part

Places = frozenset[str]


@dataclass(slots=True)
class Move:
    """A move of an echo service's pods to other nodes."""

    before: Places
    after: Places
    seen: Mapping[Prober, float]  # the time of each prober's clock when the hub saw the move
    failed: list[Cell] = field(default_factory=list)  # paths whose last probe failed before the move

    def missed(self, bit: int) -> int:
        """Return how many paths have had no result since the move."""
        return sum(not cell.known & bit for cell in self.failed)


class Moves:
    """Follows the nodes of each echo service's pods from look to look."""

    def __init__(self) -> None:
        self._places: dict[int, Places] = {}  # by bit of the probe, as last seen
        self.of: dict[int, Move] = {}

    def look(self, echoes: Mapping[int, Iterable[str]], services: Iterable[Cell], parts: Mapping[Prober, Part]) -> None:
        """Note the nodes of the pods now, and exclude results from before a move."""
        for bit, move in list(self.of.items()):
            if not any(
                part.now.instant - move.seen[each] <= part.lasts for each, part in parts.items() if each in move.seen
            ):
                del self.of[bit]  # every path has a result from after the move, or an outdated one
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
