"""Which paths changed their state from one look to the next: history stores it, the stream sends it.

states ─▶ a letter a path ─▶ the probers whose letters differ from those of the look before
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

import gevent

from smoker_diagnosis.state import State
from smoker_hub.collect import Collected, Key
from smoker_hub.judge import letter

BATCH = 50  # probers after which others get their turn


class PathsChange(NamedTuple):
    """A prober whose paths changed. `state` and `letters` are empty where it does not count any more.

    `paths`: the places of the changed paths in `state.paths`. `layout`: whether its paths are others than before.
    """

    key: Key
    state: State | None
    letters: str  # one a path, in the order of `state.paths`
    paths: tuple[int, ...]
    layout: bool


class _Known(NamedTuple):
    state: State
    letters: str
    ids: array[int]  # a hash of each path, in the order of its letters


class Changes:
    """Compares each look with the one before."""

    def __init__(self) -> None:
        self._known: dict[Key, _Known] = {}

    def look(self, collected: Collected) -> Iterator[PathsChange]:
        """Yield what changed since the last call. Others get their turn in between."""
        wanted = {(state.node, state.network): state for state in collected.states}
        for key in self._known.keys() - wanted.keys():
            del self._known[key]
            yield PathsChange(key, None, "", (), layout=True)
        for number, (key, state) in enumerate(wanted.items(), 1):
            if not number % BATCH:
                gevent.sleep(0)
            late, before = collected.waited.get(key, 0.0), self._known.get(key)
            if before is not None and before.state is state and late < state.interval:
                continue  # nothing new, and not old enough to be stale
            letters = "".join([letter(path, state, late) for path in state.paths])
            ids = array("q", [hash((path.target, path.plane, path.family, path.probe)) for path in state.paths])
            self._known[key] = _Known(state, letters, ids)
            if before is None or before.ids != ids or before.letters != letters:
                yield _change(key, self._known[key], before)


def _change(key: Key, now: _Known, before: _Known | None) -> PathsChange:
    if before is not None and before.ids == now.ids:
        pairs = enumerate(zip(before.letters, now.letters, strict=True))
        changed = tuple(place for place, (old, new) in pairs if old != new)
        return PathsChange(key, now.state, now.letters, changed, layout=False)
    old_letters = {} if before is None else dict(zip(before.ids, before.letters, strict=True))
    changed = tuple(
        place
        for place, (path, new) in enumerate(zip(now.ids, now.letters, strict=True))
        if old_letters.get(path) != new
    )
    return PathsChange(key, now.state, now.letters, changed, layout=True)
