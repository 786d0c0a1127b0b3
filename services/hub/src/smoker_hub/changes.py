"""Find the paths that changed their state from one look to the next, for the history and the stream.

states ─▶ one letter per path ─▶ the probers whose letters differ from those of the look before
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

import gevent

from smoker_diagnosis.state import State
from smoker_hub.collect import Collected, Key
from smoker_hub.judge import OK, letter

NAME = attrgetter("target", "plane", "family", "probe")  # of a path, within its prober
BATCH = 50  # probers after which other greenlets may run


class PathsChange(NamedTuple):
    """A prober whose paths changed. `state` and `letters` are empty where it does not count any more.

    `paths`: the places of the changed paths in `state.paths`. `layout`: whether its paths are others than before.
    """

    key: Key
    state: State | None
    letters: str  # one per path, in the order of `state.paths`
    paths: tuple[int, ...]
    layout: bool


class _Known(NamedTuple):
    state: State
    letters: str
    layout: int  # a hash of the names of its paths


class Changes:
    """Compares each look with the one before."""

    def __init__(self) -> None:
        self._known: dict[Key, _Known] = {}

    def look(self, collected: Collected) -> Iterator[PathsChange]:
        """Yield the changes since the last call. Other greenlets may run in between."""
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
            news = collected.news.get(key)
            if before is not None and news is not None and news.leads(before.state, state):
                layout = before.layout  # news are about the same paths
            else:
                layout = hash(tuple(map(NAME, state.paths)))
            now = _Known(state, letters_of(state, late), layout)
            self._known[key] = now
            if before is None or before.letters != now.letters or before.layout != now.layout:
                yield _change(key, now, before)


def letters_of(state: State, late: float) -> str:
    """Return a letter for each path of `state`, which was made `late` seconds ago."""
    oldest = state.at + late - 2 * state.interval - state.timeout
    return "".join(
        [
            OK
            if path.last == "success" and not path.lost and not path.failures and path.at >= oldest  # most of them
            else letter(path, state, late)
            for path in state.paths
        ]
    )


def _change(key: Key, now: _Known, before: _Known | None) -> PathsChange:
    if before is not None and before.layout == now.layout:
        pairs = enumerate(zip(before.letters, now.letters, strict=True))
        changed = tuple(place for place, (old, new) in pairs if old != new)
        return PathsChange(key, now.state, now.letters, changed, layout=False)
    known = {} if before is None else dict(zip(map(NAME, before.state.paths), before.letters, strict=True))
    named = enumerate(zip(map(NAME, now.state.paths), now.letters, strict=True))
    changed = tuple(place for place, (name, new) in named if known.get(name) != new)
    return PathsChange(key, now.state, now.letters, changed, layout=True)
