"""The nodes of the echo services' pods, and their last move: a hub that starts during a drain asks for it."""

from __future__ import annotations

from collections.abc import Mapping

from smoker_diagnosis.state import EchoMove

Places = dict[str, list[str]]  # by probe, the nodes on which its echo service has ready pods


class EchoPlaces:
    """Follows the nodes of the ready pods. The first list of them is no move."""

    def __init__(self) -> None:
        self.now: Places = {}
        self.moves: Mapping[str, EchoMove] = {}  # by probe
        self._known = False

    def see(self, places: Places, at: float) -> None:
        """Note the nodes at the instant `at`."""
        changed = [probe for probe in self.now.keys() | places.keys() if self.now.get(probe) != places.get(probe)]
        if self._known and changed:
            self.moves = {**self.moves, **{probe: self._move(probe, at) for probe in changed}}
        self.now, self._known = places, True

    def _move(self, probe: str, at: float) -> EchoMove:
        """Return the move from the present nodes. Where no pod is ready, a move goes on that began earlier."""
        before, last = self.now.get(probe), self.moves.get(probe)
        if not before and last is not None:
            return EchoMove(at, last.since, last.before)
        return EchoMove(at, at, before or [])
