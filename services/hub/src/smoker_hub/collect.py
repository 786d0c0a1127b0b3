"""Polls the state of every prober: one request each look, answered by 304 where nothing has changed.

addresses ─▶ GET /api/v1/state (deadline, limit, ETag) ─▶ Collected

A prober that is slow, malformed or silent costs nobody else anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from gevent.pool import Pool

from smoker_common.fetch import Fetched, FetchError, fetch_news
from smoker_diagnosis.state import LARGEST, State, StateError, decode

STATE = "/api/v1/state"
AT_ONCE = 64  # probers that are asked at one time
USUAL = 35.0  # seconds for which a prober may be silent before that means anything, where its interval is not known

Key = tuple[str, str]  # node and network of a prober


@dataclass(frozen=True, slots=True)
class Address:
    """Where a prober's admin port is, and on which node and network it stands."""

    node: str
    network: str
    host: str
    port: int
    ready: bool = True  # as the API server has it


@dataclass(slots=True)
class _Known:
    """What is kept of one prober. Instants are seconds of the steady clock."""

    ready: bool = True
    state: State | None = None
    tag: str = ""
    received: float = 0.0  # when the state came that is kept
    answered: float = 0.0  # when it last answered, a 304 too; at first, when it was first asked
    error: str = ""

    @property
    def patience(self) -> float:
        """Seconds of silence that mean nothing: one round and one probe of that prober."""
        return USUAL if self.state is None else self.state.interval + self.state.timeout


@dataclass(frozen=True, slots=True)
class Collected:
    """One look. `states` has those that count: a prober that has been silent for a moment keeps its last one."""

    states: list[State] = field(default_factory=list)
    waited: Mapping[Key, float] = field(default_factory=dict)  # seconds since a state was received
    silent: Mapping[Key, float] = field(default_factory=dict)  # seconds since a prober that fails now last answered
    errors: Mapping[Key, str] = field(default_factory=dict)  # why it fails
    lost: frozenset[Key] = frozenset()  # those whose silence has lasted long enough to count
    asked: int = 0
    missed: int = 0  # of the silent, those that are ready or have answered before: the others never started

    @property
    def blind(self) -> bool:
        """Whether fewer than half of the probers that should answer do: then the hub itself is cut off."""
        return self.asked - len(self.errors) < self.missed


class Collector:
    """Asks the probers at `addresses` each time that `look` is called."""

    def __init__(
        self,
        addresses: Callable[[], Iterable[Address]],
        *,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses, self._timeout, self._clock = addresses, timeout, clock
        self._known: dict[Key, _Known] = {}

    def look(self) -> Collected:
        """Ask every prober once, and return what is known now."""
        wanted = {(each.node, each.network): each for each in self._addresses()}
        for gone in self._known.keys() - wanted.keys():
            del self._known[gone]
        begun = self._clock()
        for key in sorted(wanted.keys() - self._known.keys()):
            self._known[key] = _Known(answered=begun)
        pool = Pool(AT_ONCE)
        for key, address in wanted.items():
            self._known[key].ready = address.ready
            pool.spawn(self._ask, self._known[key], address)
        pool.join(raise_error=True)
        return self._collected()

    def _ask(self, known: _Known, address: Address) -> None:
        try:
            found = fetch_news(address.host, address.port, STATE, tag=known.tag, seconds=self._timeout, limit=LARGEST)
            self._take(known, found, address)
        except FetchError as failure:
            known.error = failure.why
        except StateError as wrong:
            known.error = str(wrong)

    def _take(self, known: _Known, found: Fetched, address: Address) -> None:
        now = self._clock()
        if found.body is not None:
            state = decode(found.body)
            if (state.node, state.network) != (address.node, address.network):
                raise StateError(f"this is the state of another prober, on {state.node} ({state.network})")
            known.state, known.tag, known.received = state, found.tag, now
        known.answered, known.error = now, ""

    def _collected(self) -> Collected:
        now = self._clock()
        silent = {key: now - known.answered for key, known in self._known.items() if known.error}
        lost = frozenset(key for key, age in silent.items() if age > self._known[key].patience)
        counted = {
            key: known for key, known in sorted(self._known.items()) if key not in lost and known.state is not None
        }
        return Collected(
            states=[known.state for known in counted.values() if known.state is not None],
            waited={key: now - known.received for key, known in counted.items()},
            silent=silent,
            errors={key: self._known[key].error for key in silent},
            lost=lost,
            asked=len(self._known),
            missed=sum(self._known[key].ready or self._known[key].state is not None for key in silent),
        )
