"""Polls the state of every prober: one request each look, answered by 304 where nothing has changed.

EndpointSlices ─▶ addresses ─▶ GET /api/v1/state (deadline, limit, ETag) ─▶ Collected

A prober that is slow, malformed or silent costs nobody else anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from gevent.pool import Pool

from smoker_common.fetch import FetchError, Fetched, fetch
from smoker_diagnosis.state import LARGEST, State, StateError, decode

STATE = "/api/v1/state"
AT_ONCE = 64  # probers that are asked at one time


@dataclass(frozen=True, slots=True)
class Address:
    """Where a prober's admin port is, and on which node and network it stands."""

    node: str
    network: str
    host: str
    port: int


@dataclass(slots=True)
class _Known:
    """What is kept of one prober. Instants are seconds of the steady clock."""

    state: State | None = None
    tag: str = ""
    received: float = 0.0  # when the state came that is kept
    answered: float = 0.0  # when it last answered, a 304 too
    error: str = ""


@dataclass(frozen=True, slots=True)
class Collected:
    """One look: the states, how old each is, and who does not answer for how long."""

    states: list[State] = field(default_factory=list)
    waited: Mapping[tuple[str, str], float] = field(default_factory=dict)
    silent: Mapping[tuple[str, str], float] = field(default_factory=dict)
    errors: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def blind(self) -> bool:
        """Whether less than half of the probers answer: then the hub itself is cut off."""
        return len(self.states) < len(self.silent)


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
        self._known: dict[tuple[str, str], _Known] = {}

    def look(self) -> Collected:
        """Ask everybody once, and return what is known now."""
        wanted = {(each.node, each.network): each for each in self._addresses()}
        for gone in self._known.keys() - wanted.keys():
            del self._known[gone]
        begun = self._clock()
        for key in wanted.keys() - self._known.keys():
            self._known[key] = _Known(answered=begun)
        pool = Pool(AT_ONCE)
        for key, address in wanted.items():
            pool.spawn(self._ask, key, address)
        pool.join(raise_error=True)
        return self._collected()

    def _ask(self, key: tuple[str, str], address: Address) -> None:
        known = self._known[key]
        try:
            found = fetch(address.host, address.port, STATE, seconds=self._timeout, limit=LARGEST, tag=known.tag)
            self._take(known, found)
        except FetchError as failure:
            known.error = str(failure)
        except StateError as wrong:
            known.error = f"{address.node}: {wrong}"

    def _take(self, known: _Known, found: Fetched) -> None:
        now = self._clock()
        if found.body is not None:
            known.state, known.tag, known.received = decode(found.body), found.tag, now
        known.answered, known.error = now, ""

    def _collected(self) -> Collected:
        now = self._clock()
        states, waited, silent, errors = [], {}, {}, {}
        for key, known in self._known.items():
            if known.error:
                silent[key] = now - known.answered
                errors[key] = known.error
            elif known.state is not None:
                states.append(known.state)
                waited[key] = now - known.received
        return Collected(states, waited, silent, errors)
