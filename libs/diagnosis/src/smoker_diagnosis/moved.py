"""Echo services whose pods move: the one place that knows which moved, when, and what that explains.

A drain deletes the pod of an echo and starts it on another node. Probes fail in between, from every node, and the
network is healthy. Failures from before a move do not count. After pods left a drained node, their Service may fail
for `HOLDS` seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

from smoker_diagnosis.evidence import HOST, NAMES, POD, Cell, Move, Prober
from smoker_diagnosis.part import Part

HOLDS = 60.0  # seconds that an eviction and a new pod may take, in addition to one round and one probe

Places = frozenset[str]
Parts = Mapping[Prober, Part]


def stays(_node: str) -> bool:
    """Return False: as far as the caller knows, pods leave no node."""
    return False


class Moves:
    """Follows the nodes of each echo service's pods from look to look."""

    def __init__(self) -> None:
        self._places: dict[int, Places] = {}  # by bit of the probe, as last seen
        self._evicted: dict[int, Mapping[Prober, float]] = {}  # by bit: each prober's clock when the first pod left
        self.of: dict[int, Move] = {}

    @property
    def evicted(self) -> frozenset[str]:
        """The probes whose echo has lost pods on a node that pods leave."""
        return frozenset(NAMES[bit] for bit in self._evicted)

    def look(
        self, echoes: Mapping[int, Iterable[str]], services: Iterable[Cell], parts: Parts, leaves: Callable[[str], bool]
    ) -> None:
        """Note the nodes of the pods now, and exclude results from before a move."""
        self._forget(parts)
        clocks = {each: part.now.instant for each, part in parts.items()}
        for bit in self._places.keys() | echoes.keys():
            now, before = frozenset(echoes.get(bit, ())), self._places.get(bit)
            if before is not None and now != before:
                first = self.of[bit].before if bit in self.of else before
                failed = self.of[bit].failed if bit in self.of else []
                self.of[bit] = Move(first, now, clocks, failed)
                if any(map(leaves, before - now)):
                    self._evicted.setdefault(bit, clocks)
            self._places[bit] = now
        for bit, move in self.of.items():
            if move.after:
                self._exclude_old_results(bit, move, services, parts)

    def _forget(self, parts: Parts) -> None:
        """Forget moves since which every path has a result, or an outdated one, and evictions that are over."""
        for bit, move in list(self.of.items()):
            if not any(age <= part.lasts for part, age in _ages(move.seen, parts)):
                del self.of[bit]
        for bit, seen in list(self._evicted.items()):
            if not any(age <= HOLDS + part.state.interval + part.state.timeout for part, age in _ages(seen, parts)):
                del self._evicted[bit]

    def _exclude_old_results(self, bit: int, move: Move, services: Iterable[Cell], parts: Parts) -> None:
        for cell in services:
            prober = cell.source, HOST if cell.plane.startswith(HOST) else POD
            seen = move.seen.get(prober, -math.inf)
            if cell.bad & bit and cell.at(bit) <= seen <= parts[prober].now.instant:
                cell.bad &= ~bit
                cell.known &= ~bit
                move.failed.append(cell)


def _ages(seen: Mapping[Prober, float], parts: Parts) -> Iterator[tuple[Part, float]]:
    """Yield the seconds since `seen` by the clock of each prober. A clock that went back belongs to a new process."""
    for each, part in parts.items():
        age = part.now.instant - seen.get(each, math.inf)
        if age >= 0:
            yield part, age
