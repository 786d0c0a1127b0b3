"""Echo services whose pods move: the one place that knows which moved, when, and what that explains.

A drain deletes the pod of an echo and starts it on another node. Probes fail in between, from every node, and the
network is healthy. Failures from before a move do not count. After pods left a drained node, their Service may fail
for `HOLDS` seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from smoker_diagnosis.evidence import BITS, NAMES, Cell, Move, Prober
from smoker_diagnosis.part import Part
from smoker_diagnosis.state import EchoMove

HOLDS = 60.0  # seconds that an eviction and a new pod may take, in addition to one round and one probe
SETTLES = 5.0  # seconds until every node sends to a new pod

Places = frozenset[str]
Parts = Mapping[Prober, Part]


def stays(_node: str) -> bool:
    """Return False: as far as the caller knows, pods leave no node."""
    return False


@dataclass(slots=True)
class _Loss:
    """An echo service that lost its pods on one node."""

    seen: dict[Prober, float]  # each prober's clock at that time
    evicted: bool = False  # whether pods left this node then, or have since


class Moves:
    """Follows the nodes of each echo service's pods from look to look.

    A hub that starts during a move has not seen it. The probers have: it takes the move from their states.
    """

    def __init__(self) -> None:
        self._places: dict[int, Places] = {}  # by bit of the probe, as last seen
        self._lost: dict[tuple[int, str], _Loss] = {}  # by bit and node
        self.of: dict[int, Move] = {}

    @property
    def evicted(self) -> frozenset[str]:
        """The probes whose echo has lost pods on a node that pods leave."""
        return frozenset(NAMES[bit] for (bit, _), loss in self._lost.items() if loss.evicted)

    def look(
        self,
        echoes: Mapping[int, Iterable[str]],
        services: Collection[Cell],
        parts: Parts,
        moving: Iterable[Part],
        leaves: Callable[[str], bool],
    ) -> None:
        """Note the nodes of the pods now, and exclude results from before a move.

        `moving`: those of `parts` whose prober saw a move.
        """
        self._forget(parts)
        for bit in self._places.keys() | echoes.keys():
            now, before = frozenset(echoes.get(bit, ())), self._places.get(bit)
            if before is not None and now != before:
                first = self.of[bit].before if bit in self.of else before
                failed = self.of[bit].failed if bit in self.of else []
                self.of[bit] = Move(first, now, _clocks(parts), failed)
                for node in before - now:
                    self._lost.setdefault((bit, node), _Loss(_clocks(parts)))
            self._places[bit] = now
        for part in moving:
            for probe, told in part.state.moves.items():
                if probe in BITS:
                    self._add(BITS[probe], told, part)
        for (_, node), loss in self._lost.items():
            loss.evicted = loss.evicted or leaves(node)
        for bit, move in self.of.items():
            if move.after:
                self._exclude_old_results(bit, move, services, parts)

    def _add(self, bit: int, told: EchoMove, part: Part) -> None:
        """Add a move that a prober saw, unless it is over. What was seen here counts first."""
        prober = part.prober
        before, now = frozenset(told.before), self._places.setdefault(bit, frozenset())
        if part.now.instant - told.at <= part.lasts:
            move = self.of.setdefault(bit, Move(before, now, {}))
            move.before = move.before or before
            move.seen[prober] = max(move.seen.get(prober, -math.inf), min(part.now.instant, told.at + SETTLES))
        if part.now.instant - told.since <= _holds(part):
            for node in before - now:
                self._lost.setdefault((bit, node), _Loss({})).seen.setdefault(prober, told.since)

    def _forget(self, parts: Parts) -> None:
        """Forget moves since which every path has a result, or an outdated one, and pods lost too long ago."""
        for bit, move in list(self.of.items()):
            if not any(age <= part.lasts for part, age in _ages(move.seen, parts)):
                del self.of[bit]
        for key, loss in list(self._lost.items()):
            if not any(age <= _holds(part) for part, age in _ages(loss.seen, parts)):
                del self._lost[key]

    def _exclude_old_results(self, bit: int, move: Move, services: Collection[Cell], parts: Parts) -> None:
        here = set(services)
        move.failed = [cell for cell in move.failed if cell in here]  # a prober with other paths has new cells
        known = set(move.failed)
        for cell in services:
            seen = move.seen.get(cell.prober, -math.inf)
            if cell.bad & bit and cell.at(bit) <= seen <= parts[cell.prober].now.instant:
                cell.bad &= ~bit
                cell.known &= ~bit
                if cell not in known:  # one whose path is read again is there already
                    move.failed.append(cell)


def _clocks(parts: Parts) -> dict[Prober, float]:
    """Return the time of each prober's clock."""
    return {each: part.now.instant for each, part in parts.items()}


def _holds(part: Part) -> float:
    """Return the seconds after which pods that left must be replaced, by the results of this prober."""
    return HOLDS + part.state.interval + part.state.timeout


def _ages(seen: Mapping[Prober, float], parts: Parts) -> Iterator[tuple[Part, float]]:
    """Yield the seconds since `seen` by the clock of each prober. A clock that went back belongs to a new process."""
    for each, part in parts.items():
        age = part.now.instant - seen.get(each, math.inf)
        if age >= 0:
            yield part, age
