"""The ready pods of the echo services: their nodes, their last move, and when they changed last.

A hub that starts during a drain asks for the move.
"""

from __future__ import annotations

from collections.abc import Mapping

from smoker_diagnosis.state import EchoMove

Places = dict[str, list[str]]  # by probe, the nodes on which its echo service has ready pods
Pods = frozenset[tuple[str, str]]  # node and address


class EchoPlaces:
    """Follows the ready pods. The first list of them is no move, but its pods may be new."""

    def __init__(self) -> None:
        self.now: Places = {}
        self.moves: Mapping[str, EchoMove] = {}  # by probe
        self.replaced: Mapping[str, float] = {}  # by probe, when its pods changed last, also where their nodes did not
        self._pods: Mapping[str, Pods] = {}
        self._known = False

    def see(self, pods: Mapping[str, Pods], at: float) -> None:
        """Note the ready pods, by probe, at the instant `at`."""
        places = {probe: sorted({node for node, _ in found}) for probe, found in pods.items()}
        if self._known:
            moved = _changed(self.now, places)
            self.moves = {**self.moves, **{probe: self._move(probe, at) for probe in moved}}
        self.replaced = {**self.replaced, **dict.fromkeys(_changed(self._pods, pods), at)}
        self.now, self._pods, self._known = places, pods, True

    def _move(self, probe: str, at: float) -> EchoMove:
        """Return the move from the present nodes. Where no pod is ready, a move goes on that began earlier."""
        before, last = self.now.get(probe), self.moves.get(probe)
        if not before and last is not None:
            return EchoMove(at, last.since, last.before)
        return EchoMove(at, at, before or [])


def _changed(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    return [probe for probe in before.keys() | now.keys() if before.get(probe) != now.get(probe)]
