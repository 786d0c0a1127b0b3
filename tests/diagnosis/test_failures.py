"""Which paths fail, and whether a probe has failed since the look before, even if a repeated one has succeeded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smoker_diagnosis import failures as failures_module
from smoker_diagnosis.evidence import Prober
from smoker_diagnosis.failures import Failures
from smoker_diagnosis.news import News, news_of
from smoker_diagnosis.state import LastFailure, PathState, State, decode, encode

WORKS = PathState("peer", "node-2", "pod", "ipv4", "udp", "", "success", 100.0, 3)
FAILS = msgspec.structs.replace(WORKS, last="timeout", streak=1)
NO_ANSWER = LastFailure(100.0, "timeout")

ONE = State(node="node-1", at=100.0, interval=30.0, timeout=5.0)
PROBERS = [ONE, msgspec.structs.replace(ONE, network="host"), msgspec.structs.replace(ONE, node="node-2")]
LOOKS = 40
Failing = tuple[str, ...]  # node, network, target, plane, family and probe of a path


def look(failures: Failures, *paths: PathState) -> bool:
    return failures.look([msgspec.structs.replace(ONE, paths=list(paths))])


@pytest.mark.parametrize("last_failure", [None, NO_ANSWER], ids=["older prober", "prober"])
def test_a_failure_is_news_once(last_failure: LastFailure | None) -> None:
    """The same result says nothing new, and the next failure does."""
    failures = Failures()
    fails = msgspec.structs.replace(FAILS, last_failure=last_failure)
    again = last_failure and LastFailure(130.0, "timeout", 2)
    later = msgspec.structs.replace(fails, at=130.0, streak=2, last_failure=again)
    assert [look(failures, path) for path in (WORKS, fails, fails, later, later, WORKS)] == [
        False,
        True,
        False,
        True,
        False,
        False,
    ]


def test_a_failure_that_is_over_before_the_look_is_news() -> None:
    """A look-up that was half answered has failed, even if its repetition a second later succeeded."""
    failures = Failures()
    over = msgspec.structs.replace(WORKS, at=101.5, last_failure=NO_ANSWER)
    assert [look(failures, path) for path in (WORKS, over, over, WORKS)] == [False, True, False, False]


def test_a_success_after_a_known_failure_is_no_news() -> None:
    """The failure is the same, whatever came after it."""
    failures = Failures()
    fails = msgspec.structs.replace(FAILS, last_failure=NO_ANSWER)
    works = msgspec.structs.replace(WORKS, at=101.5, last_failure=NO_ANSWER)
    assert [look(failures, path) for path in (fails, works)] == [True, False]


class AllPaths:
    """Reads all paths of each look: what `Failures` must find."""

    def __init__(self) -> None:
        self._last: dict[Failing, float] = {}
        self._failing: set[Failing] = set()

    def look(self, states: list[State]) -> tuple[bool, int, bool]:
        """Return whether a probe has failed since the look before, how many paths fail, and whether a new one does."""
        before, self._last = self._last, dict(self._failed(states))
        failing = {self._name(state, path) for state in states for path in state.paths if path.streak}
        more, self._failing = not failing <= self._failing, failing
        return any(before.get(path) != at for path, at in self._last.items()), len(failing), more

    def _failed(self, states: Iterable[State]) -> Iterator[tuple[Failing, float]]:
        for state in states:
            for path in state.paths:
                if path.last_failure is not None:
                    yield self._name(state, path), path.last_failure.at
                elif path.streak:
                    yield self._name(state, path), path.at

    @staticmethod
    def _name(state: State, path: PathState) -> Failing:
        return state.node, state.network, path.target, path.plane, path.family, path.probe


class Simulated:
    """A prober. Its paths get results and repeated ones, its list of paths changes, and it restarts."""

    def __init__(self, prober: State, chance: Random) -> None:
        self._prober, self._chance = prober, chance
        self._old = chance.random() < 0.2  # whether it tells no last failures
        self._restart()

    def _restart(self) -> None:
        self._clock = 100.0
        self._paths = [self._path() for _ in range(self._chance.randrange(6))]

    def _path(self) -> PathState:
        target, probe = self._chance.choice(["node-3", "node-4"]), self._chance.choice(["tcp", "udp", "dns"])
        return PathState("peer", target, self._chance.choice(["pod", "host"]), "ipv4", probe)

    def go_on(self) -> None:
        """Let some seconds pass."""
        chance = self._chance
        self._clock += 5.0
        happens = chance.random()
        if happens < 0.05:
            self._restart()
        elif happens < 0.1:
            self._paths.append(self._path())
        elif happens < 0.15:
            del self._paths[:1]
        elif happens < 0.2:
            chance.shuffle(self._paths)
        self._paths = [self._result(each) if chance.random() < 0.3 else each for each in self._paths]

    def _result(self, path: PathState) -> PathState:
        """Return the path with a new result: a failure, one with a repeated probe that succeeds, or a success."""
        at, happens = self._clock - self._chance.uniform(0.0, 5.0), self._chance.random()
        failure = path.last_failure
        if failure is not None and at - failure.at > 20.0:  # a prober tells it for some time only
            failure = None
        if happens < 0.3 and not self._old:
            failure = LastFailure(at, "timeout", 1 if failure is None else failure.count + 1)
        streak = path.streak + 1 if happens < 0.2 else 0
        last = "timeout" if streak else "success"
        return msgspec.structs.replace(path, last=last, at=at, streak=streak, last_failure=failure)

    @property
    def document(self) -> bytes:
        """The state that it serves."""
        return encode(msgspec.structs.replace(self._prober, at=self._clock, paths=self._paths))


class Hub:
    """Receives the states of the probers: decodes each as it comes, and compares it with the one before."""

    def __init__(self) -> None:
        self.states: dict[Prober, State] = {}
        self.news: dict[Prober, News] = {}
        self._documents: dict[Prober, bytes] = {}

    def take(self, who: Prober, document: bytes) -> None:
        """Receive a state. An unchanged one stays the same object."""
        if self._documents.get(who) == document:
            return
        self._documents[who], before = document, self.states.get(who)
        state = self.states[who] = decode(document, before)
        news = None if before is None else news_of(before, state)
        self.news.pop(who, None)
        if news is not None:
            self.news[who] = news


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 1 << 32))
def test_looks_that_read_only_what_changed_find_what_looks_at_all_paths_find(seed: int) -> None:
    """Probers join, leave, restart and change their paths; now and then a look gets no news, or misses a state."""
    chance = Random(seed)
    hub, changed, every = Hub(), Failures(), AllPaths()
    probers = {(each.node, each.network): Simulated(each, chance) for each in PROBERS}
    for _ in range(LOOKS):
        for who, prober in probers.items():
            for _ in range(chance.choice([0, 1, 1, 1, 1, 2])):
                prober.go_on()
                hub.take(who, prober.document)
        states = [state for state in hub.states.values() if chance.random() > 0.05]
        news = hub.news if chance.random() < 0.9 else None
        found = changed.look(states, news), changed.failing, changed.more
        assert found == every.look(states)


def test_a_look_reads_only_probers_with_changed_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prober whose paths go on working is not read again, and its next news count from this state on."""
    hub, failures = Hub(), Failures()
    read: list[float] = []
    reads = failures_module._read

    def note(state: State) -> failures_module._Known:
        read.append(state.at)
        return reads(state)

    monkeypatch.setattr(failures_module, "_read", note)
    later = [msgspec.structs.replace(WORKS, at=at) for at in (130.0, 160.0)]
    for path in (WORKS, *later, msgspec.structs.replace(FAILS, at=190.0)):
        hub.take((ONE.node, ONE.network), encode(msgspec.structs.replace(ONE, at=path.at, paths=[path])))
        failures.look(hub.states.values(), hub.news)
    assert read == [100.0, 190.0]
    assert failures.failing == 1
