"""Which paths fail by the last look, and whether a probe has failed since the look before.

Most probers have no new failure from one look to the next. Only the others are read: those whose news list changed
paths, and those whose news are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from smoker_diagnosis.evidence import Prober
from smoker_diagnosis.news import News
from smoker_diagnosis.state import PathState, State

Path = tuple[str, str, str, str]  # target, plane, family and probe: a path of one prober


@dataclass(slots=True)
class _Known:
    """What the last look read in the state of one prober."""

    state: State | None = None
    failed: dict[Path, float] = field(default_factory=dict)  # by path: when its last probe that failed began
    failing: frozenset[Path] = frozenset()

    def holds_for(self, state: State, news: News | None) -> bool:
        """Return whether `state` says the same of failures. Then the next news are those since this state."""
        if self.state is not state:
            if self.state is None or news is None or news.changed or not news.leads(self.state, state):
                return False
            self.state = state
        return True


class Failures:
    """Compares the failures of each look with those of the look before."""

    def __init__(self) -> None:
        self._known: dict[Prober, _Known] = {}
        self.failing = 0  # paths that failed at their last probe, by the last look
        self.more = False  # whether one of these did not fail by the look before

    def look(self, states: Iterable[State], news: Mapping[Prober, News] | None = None) -> bool:
        """Take in the states of a look. Return whether a probe has failed since the look before.

        A failure counts here also where a repeated probe has succeeded since. `news`: by node and network, `news_of`
        the state before and this one, where the caller has compared them already.
        """
        before, self._known = self._known, {}
        self.failing, self.more, failed = 0, False, False
        for state in states:
            who = state.node, state.network
            known = before.get(who) or _Known()
            if not known.holds_for(state, None if news is None else news.get(who)):
                known, old = _read(state), known
                failed |= not known.failed.items() <= old.failed.items()
                self.more |= not known.failing <= old.failing
            self.failing += len(known.failing)
            self._known[who] = known
        return failed


def _read(state: State) -> _Known:
    failed: dict[Path, float] = {}
    failing: set[Path] = set()
    for path in state.paths:
        if path.streak:
            failing.add(_name(path))
        if path.last_failure is not None:
            failed[_name(path)] = path.last_failure.at
        elif path.streak:  # an older prober says no more
            failed[_name(path)] = path.at
    return _Known(state, failed, frozenset(failing))


def _name(path: PathState) -> Path:
    return path.target, path.plane, path.family, path.probe
