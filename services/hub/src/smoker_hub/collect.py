"""Polls the state of every prober: one request per look, answered by 304 if nothing has changed.

addresses ─▶ GET /api/v1/state (kept connection, deadline, limit, ETag) ─▶ Collected

A slow, broken or silent prober does not affect the others: a look ends when no answer has come for `QUIET`
seconds, and a later answer counts in the next look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from gevent.event import Event
from gevent.pool import Pool
from loguru import logger

from smoker_common.fetch import Fetched, FetchError, Line
from smoker_diagnosis.news import News, news_of
from smoker_diagnosis.state import LARGEST, State, StateError, decode

STATE = "/api/v1/state"
AT_ONCE = 512  # probers that are asked at once
QUIET = 0.5  # seconds without any answer after which a look ends
USUAL = 35.0  # seconds for which a prober of unknown interval may be silent
RESTARTING = 60.0  # seconds for which a pod that ends, or a new one that is not ready, may be silent

Key = tuple[str, str]  # node and network of a prober


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a prober's admin port, and the prober's node and network."""

    node: str
    network: str
    host: str
    port: int
    ready: bool = True  # according to the API server
    ends: bool = False  # whether the API server has been told to delete the pod
    pod: str = ""  # its name: on the node's network the next pod has the same address

    @property
    def identity(self) -> tuple[str, int, str]:
        """Return what tells this pod from the node's next one."""
        return self.host, self.port, self.pod


@dataclass(slots=True)
class _Known:
    """The last state of one prober. Instants are seconds of the steady clock."""

    address: Address
    line: Line
    state: State | None = None
    news: News | None = None  # in this state since the one before
    tag: str = ""
    received: float = 0.0  # when this state was received
    answered: float = 0.0  # when it last answered (a 304 counts); at first, when it was first asked
    began: float = 0.0  # when this pod was first asked at this address
    became_ready: float = 0.0  # when this pod was first asked, or later the API server called it ready
    fresh: bool = True  # whether this pod has never answered at this address
    unanswered: float = 0.0  # when it was first asked in vain, while it does not answer
    error: str = ""
    asking: bool = False

    @property
    def patience(self) -> float:
        """Seconds for which the prober may be silent: one round and one probe."""
        return USUAL if self.state is None else self.state.interval + self.state.timeout

    def silent_for(self, now: float) -> float:
        """Return the seconds since this pod was first asked in vain, or became ready.

        When it last answered would be too early: a fault that began after that answer may be the cause.
        """
        return now - max(self.became_ready, self.unanswered)

    def restarts(self, now: float) -> bool:
        """Return whether it is silent because its pod ends, or because its new pod still starts."""
        restarting = self.address.ends or (self.fresh and not self.address.ready)
        return bool(self.error) and restarting and now - max(self.began, self.answered) <= RESTARTING


@dataclass(frozen=True, slots=True)
class Collected:
    """The result of one look. `states`: those that count; a prober that was silent for a moment keeps its last one."""

    states: list[State] = field(default_factory=list)
    waited: Mapping[Key, float] = field(default_factory=dict)  # seconds since a state was received
    news: Mapping[Key, News] = field(default_factory=dict)  # in a state since the one before
    silent: Mapping[Key, float] = field(default_factory=dict)  # seconds, as `_Known.silent_for` counts them
    errors: Mapping[Key, str] = field(default_factory=dict)  # why it is silent
    lost: frozenset[Key] = frozenset()  # probers that have been silent for long enough to count
    restarting: frozenset[Key] = frozenset()  # silent probers whose pod starts or ends: their silence says nothing
    asked: int = 0
    missed: int = 0  # silent probers that are ready or have answered before; the others never started
    nodes: frozenset[str] = frozenset()  # those of all probers that were asked, also where no answer came yet

    @property
    def blind(self) -> bool:
        """Return whether fewer than half of the probers that should answer do: then the hub itself is cut off."""
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
        self._pool = Pool(AT_ONCE)
        self._asking = 0  # requests under way
        self._ended = Event()  # set when one of them has ended

    def look(self) -> Collected:
        """Ask every prober once, and return the states known now."""
        wanted = {(each.node, each.network): each for each in self._addresses()}
        for gone in self._known.keys() - wanted.keys():
            self._known.pop(gone).line.close()
        begun = self._clock()
        for key, address in wanted.items():
            known = self._known.get(key)
            if known is None or known.address.identity != address.identity:
                known = self._moved(key, address, begun)
            if known.fresh and address.ready and not known.address.ready:
                known.became_ready = begun
            known.address = address
            if not known.asking:
                known.asking = True
                self._asking += 1
                self._pool.spawn(self._ask, known, begun)
        while self._asking:
            self._ended.clear()
            if not self._ended.wait(QUIET):
                break
        return self._collected()

    def close(self) -> None:
        """Close every connection."""
        for known in self._known.values():
            known.line.close()
        self._known.clear()

    def _moved(self, key: Key, address: Address, now: float) -> _Known:
        """Return the entry of a prober that is new or has a new pod or address. Its last state is kept."""
        before = self._known.get(key)
        line = Line(address.host, address.port)
        known = self._known[key] = _Known(address, line, answered=now, began=now, became_ready=now)
        if before is not None:
            known.state, known.tag, known.received = before.state, before.tag, before.received
            known.answered, known.unanswered, known.error = before.answered, before.unanswered, before.error
            before.line.close()
        return known

    def _ask(self, known: _Known, begun: float) -> None:
        error = "it was not asked to the end"
        try:
            found = known.line.fetch_news(STATE, tag=known.tag, seconds=self._timeout, limit=LARGEST)
            self._take(known, found)
            error = ""
        except FetchError as failure:
            error = failure.why
        except StateError as wrong:
            error = str(wrong)
            known.line.drop()
        except Exception:
            logger.exception("a prober's state could not be read")
            error = "its state could not be read"
        finally:
            if error and not known.error:
                known.unanswered = begun
            known.error = error
            known.asking = False
            self._asking -= 1
            self._ended.set()

    def _take(self, known: _Known, found: Fetched) -> None:
        now, address = self._clock(), known.address
        if found.body is not None:
            state = decode(found.body, known.state)
            if (state.node, state.network) != (address.node, address.network):
                raise StateError(f"this is the state of another prober, on {state.node} ({state.network})")
            known.news = None if known.state is None else news_of(known.state, state)
            known.state, known.tag, known.received = state, found.tag, now
        known.answered, known.fresh = now, False

    def _collected(self) -> Collected:
        now = self._clock()
        silent = {key: known.silent_for(now) for key, known in self._known.items() if known.error}
        restarting = frozenset(key for key in silent if self._known[key].restarts(now))
        lost = frozenset(key for key, age in silent.items() if age > self._known[key].patience) - restarting
        old = {key for key in silent if now - self._known[key].answered > self._known[key].patience}
        out = restarting | old  # a new pod may have longer, but its predecessor's state is old
        counted = {
            key: known for key, known in sorted(self._known.items()) if key not in out and known.state is not None
        }
        return Collected(
            states=[known.state for known in counted.values() if known.state is not None],
            waited={key: now - known.received for key, known in counted.items()},
            news={key: known.news for key, known in counted.items() if known.news is not None},
            silent=silent,
            errors={key: self._known[key].error for key in silent},
            lost=lost,
            restarting=restarting,
            asked=len(self._known),
            missed=sum(self._known[key].address.ready or self._known[key].state is not None for key in silent),
            nodes=frozenset(node for node, _ in self._known),
        )
