"""Asks the probers behind Services for their states. One that fails to answer costs nothing but its own answer."""

from __future__ import annotations

import random
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import gevent
from gevent.event import Event
from gevent.pool import Pool

from smoker_common.fetch import FetchError, fetch
from smoker_common.host import authority, is_address, wire
from smoker_common.log import escaped
from smoker_diagnosis.state import LARGEST, State, StateError, decode
from smoker_diagnosis.whole import missing_of
from smoker_outcome.failure import in_a_sentence
from smoker_prober.gather.judge import Gathered
from smoker_prober.gather.lasting import Lasting
from smoker_prober.store.state import STATE

TIMEOUT = 2.0  # seconds for one prober
LOOK_UP = 1.5  # seconds for a name
FIRST = 2.2  # seconds for the first answer of any prober, lookups included: after them no prober is there
PAUSE = 0.5  # seconds between two looks
AT_ONCE = 64  # probers that are asked at once
LISTED = 3  # addresses in a sentence


def gather(
    services: Sequence[tuple[str, int]],
    patience: float = 0.0,
    progress: Callable[[Gathered], None] = lambda _found: None,
    tolerated: Collection[str] = (),
) -> Gathered:
    """Return the states of all probers behind these Services (host, port).

    With `patience` ask again until all is good, for that many seconds at most. A fault ends it sooner, if later looks
    still see it, by the rule by which the hub opens one. `progress` gets each look but the last.
    `tolerated` are kinds of findings that are shown and do not count.
    """
    until, pause, lasting = time.monotonic() + patience, Event(), Lasting()
    known: dict[tuple[str, int], set[str]] = {service: set() for service in services}
    while True:
        found = _Look(known, tolerated).gathered()
        now = time.monotonic()
        if found.ok or now >= until or lasting.look(found, now):
            return found
        progress(found)
        pause.wait(PAUSE)


class _Look:
    """One look at all probers. It adds addresses to `known`, for the DNS may not return all of them each time."""

    def __init__(self, known: Mapping[tuple[str, int], set[str]], tolerated: Collection[str]) -> None:
        self._known, self._tolerated = known, tolerated
        self._first = Event()  # one prober has answered, or all have failed
        self._pool = Pool(AT_ONCE)
        self._answers: dict[tuple[str, int], list[State]] = defaultdict(list)
        self._failures: dict[tuple[str, int], list[FetchError]] = defaultdict(list)
        self._unknown: dict[str, str] = {}  # why a host has no address

    def gathered(self) -> Gathered:
        asking = gevent.spawn(self._ask_all)
        asking.link(lambda _: self._first.set())
        try:
            if self._first.wait(FIRST):
                asking.get()
        finally:
            asking.kill()
            self._pool.kill()
        found = {(each.node, each.network): each for answers in self._answers.values() for each in answers}
        every = [state for _, state in sorted(found.items())]
        return Gathered(every, [*self._silent(), *self._unread(), *missing_of(every)], self._tolerated)

    def _ask_all(self) -> None:
        gevent.joinall([gevent.spawn(self._look_up, host, port) for host, port in self._known], raise_error=True)
        every = [(service, address) for service, addresses in self._known.items() for address in addresses]
        random.shuffle(every)  # so that some that answer are among the first, however many are silent
        for service, address in every:
            self._pool.spawn(self._ask, service, address)
        self._pool.join(raise_error=True)

    def _look_up(self, host: str, port: int) -> None:
        if is_address(host):
            self._known[host, port].add(host)
            return
        try:
            with gevent.Timeout(LOOK_UP, TimeoutError(f"the look-up takes longer than {LOOK_UP:g} s")):
                found = socket.getaddrinfo(wire(host), port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            self._unknown[host] = in_a_sentence(getattr(error, "strerror", None) or str(error))
        else:
            self._known[host, port].update(str(sockaddr[0]) for *_, sockaddr in found)

    def _ask(self, service: tuple[str, int], address: str) -> None:
        try:
            answer = _state_at(address, service[1])
        except FetchError as failure:
            self._failures[service].append(failure)
        else:
            self._answers[service].append(answer)
            self._first.set()

    def _silent(self) -> Iterator[str]:
        """Yield a sentence for each Service behind which no prober answers."""
        for service, addresses in self._known.items():
            failures = self._failures[service]
            if self._answers[service] or any(failure.answered for failure in failures):
                continue
            if not addresses:
                yield f"{service[0]} has no address: {self._unknown.get(service[0], 'the look-up has not ended')}"
                continue
            why = failures[0].why if failures else f"nothing arrived within {FIRST:g} s"
            why = why.removeprefix("does not answer: ")
            count = f"{len(addresses)} address{'es' if len(addresses) > 1 else ''}"
            yield f"no prober behind {authority(*service)} answers ({count}: {why})"

    def _unread(self) -> Iterator[str]:
        """Yield a sentence for the probers whose answers cannot be read: one for all with the same reason."""
        places = defaultdict(list)
        for failure in (each for failures in self._failures.values() for each in failures if each.answered):
            places[failure.why].append(failure.where)
        for why, (first, *others) in places.items():
            more = f" (so do {len(others)} more: {', '.join(others[:LISTED])}{', …' * (len(others) > LISTED)})"
            yield f"the program at {first} {why}{more if others else ''}"


def _state_at(host: str, port: int) -> State:
    """Return the state of the prober with this admin port. Raises `FetchError`."""
    document = fetch(host, port, STATE, seconds=TIMEOUT, limit=LARGEST)
    try:
        return decode(document)
    except StateError as wrong:
        where = f"http://{authority(host, port)}{STATE}"
        raise FetchError(
            where, f"does not send a state that can be read: {escaped(str(wrong))}", answered=True
        ) from None
