"""What all probers of a mesh know together: their states, and what the diagnosis makes of them.

state of each prober ─▶ Gathered (findings, failing paths, what is missing) ─▶ lines

A prober that does not answer, or not with a state, costs nothing but its own answer.
"""

from __future__ import annotations

import random
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gevent
import msgspec
from gevent.event import Event
from gevent.pool import Pool

from smoker_common.fetch import FetchError, fetch
from smoker_common.host import authority, is_address, wire
from smoker_common.log import escaped
from smoker_diagnosis import text
from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.state import LARGEST, PathState, State, StateError, decode
from smoker_outcome.failure import in_a_sentence
from smoker_prober.report import aligned
from smoker_prober.store.state import STATE
from smoker_prober.target import HOST, POD

TIMEOUT = 2.0  # seconds for one prober
LOOK_UP = 1.5  # seconds for a name
FIRST = 2.2  # seconds for the first answer of any prober, look-ups included: after them nobody is there
PAUSE = 0.5  # seconds between two looks
AT_ONCE = 64  # probers that are asked at one time
LISTED = 3  # addresses in a sentence
SHOWN = 200  # paths in the table: more help nobody

TO_NODES = (HOST, f"{POD}-{HOST}")  # planes that end at a prober on a node's network
ECHOED = ("peer", "service")  # roles of the paths that a whole mesh answers; other targets are the user's own

HEADER = ("FROM", "TO", "PROBE", "PLANE", "FAMILY", "OUTCOME", "FOR")


@dataclass(frozen=True)
class Gathered:
    """The states of the probers, and what is missing, each a sentence without its end."""

    states: Sequence[State]
    missing: Sequence[str]
    tolerated: Collection[str] = ()  # kinds of findings that do not count

    @cached_property
    def findings(self) -> list[Finding]:
        """What is at fault."""
        return diagnose(self.states, silent={})  # who does not answer is among what is missing

    @cached_property
    def _paths(self) -> list[tuple[State, PathState]]:
        return [(state, path) for state in self.states for path in state.paths if path.role in ECHOED]

    @cached_property
    def failing(self) -> list[tuple[State, PathState]]:
        """Each path whose last probe failed, with the state that has it."""
        return [(state, path) for state, path in self._paths if path.last not in ("", "success")]

    @cached_property
    def waiting(self) -> list[tuple[State, PathState]]:
        """Each path that has no result yet."""
        return [(state, path) for state, path in self._paths if not path.last]

    @property
    def ok(self) -> bool:
        """Whether nothing fails, nothing is missing and nothing is at fault that counts."""
        # Other targets are the user's own: they are shown, and no part of the mesh.
        counts = [each for each in self.findings if each.kind not in {*self.tolerated, "target"}]
        return not (self.missing or self.failing or self.waiting or counts)

    @property
    def as_object(self) -> dict[str, Any]:
        """For JSON: `{"ok", "probers", "findings", "missing", "failing"}`; each finding has its sentence as `text`."""
        findings = [msgspec.to_builtins(each) | {"text": text.headline(each)} for each in self.findings]
        keys = [word.lower() for word in HEADER]
        failing = [dict(zip(keys, _row(*each), strict=True)) for each in [*self.failing, *self.waiting]]
        return {
            "ok": self.ok,
            "probers": len(self.states),
            "findings": findings,
            "missing": list(self.missing),
            "failing": failing,
        }

    def __str__(self) -> str:
        """The sentence first, then the findings with their evidence, what is missing, and the paths that fail."""
        paths, failing, waiting = len(self._paths), self.failing, self.waiting
        told = [text.summary(self.findings, paths, len(self.states)) if not self.missing or self.findings else ""]
        for finding in self.findings:
            told += text.lines(finding)
        if failing and not self.findings:
            told = [f"{len(failing)} of {paths} paths of {len(self.states)} probers failed: too little to name a fault"]
        told += [f"{why[:1].upper()}{why[1:]}." for why in self.missing]
        if waiting:
            told.append(f"{len(waiting)} of {paths} paths have no result yet.")
        rows = [_row(*each) for each in [*failing, *waiting]]
        if rows:
            told += ["", *aligned([HEADER, *rows[:SHOWN]])]
        if len(rows) > SHOWN:
            told.append(f"… and {len(rows) - SHOWN} more.")
        return "\n".join(escaped(line) for number, line in enumerate(told) if line or number)


def _row(state: State, path: PathState) -> tuple[str, ...]:
    lasts = text.duration(state.at - path.since) if path.streak else ""
    plane = path.plane if path.role == "peer" or path.plane != "service" else "service"
    shown = (state.node, path.target, path.probe, plane, path.family, path.last or "no result yet", lasts)
    return tuple(escaped(each) or "-" for each in shown)


def gather(
    services: Sequence[tuple[str, int]],
    patience: float = 0.0,
    told: Callable[[Gathered], None] = lambda _found: None,
    tolerated: Collection[str] = (),
) -> Gathered:
    """Return what all probers behind these Services (host, port) say now.

    With `patience` (seconds): once all is well, or when it is over. `told` gets each look that is not the last.
    `tolerated`: kinds of findings that are shown and do not count.
    """
    until, pause = time.monotonic() + patience, Event()
    known: dict[tuple[str, int], set[str]] = {service: set() for service in services}
    while True:
        found = _Look(known, tolerated).gathered()
        if found.ok or time.monotonic() >= until:
            return found
        told(found)
        pause.wait(PAUSE)


class _Look:
    """One look at all probers. To the addresses in `known` it adds those of now: the DNS may not tell all each time."""

    def __init__(self, known: Mapping[tuple[str, int], set[str]], tolerated: Collection[str]) -> None:
        self._known, self._tolerated = known, tolerated
        self._first = Event()  # somebody has answered, or everybody has failed
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
        random.shuffle(every)  # however many are silent, some that are not are among the first
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
            why = failures[0].why if failures else f"nothing came within {FIRST:g} s"
            why = why.removeprefix("does not answer: ")
            count = f"{len(addresses)} address{'es' if len(addresses) > 1 else ''}"
            yield f"no prober behind {authority(*service)} answers ({count}: {why})"

    def _unread(self) -> Iterator[str]:
        """Yield a sentence for the probers whose answers cannot be read: one for all with the same reason."""
        whom = defaultdict(list)
        for failure in (each for failures in self._failures.values() for each in failures if each.answered):
            whom[failure.why].append(failure.where)
        for why, (first, *others) in whom.items():
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


def missing_of(states: Sequence[State]) -> Iterator[str]:
    """Yield what a mesh still lacks that is whole."""
    probed = {(state.node, state.network): _probed_by(state) for state in states}
    silent = Counter(each for peers in probed.values() for each in peers if each not in probed)
    for (node, network), count in sorted(silent.items()):
        whom = f"{count} other prober{'s' if count > 1 else ''} probe{'s' if count == 1 else ''} it"
        yield f"the prober on {node} ({network}) does not answer here, and {whom}"
    others = len(states) - 1
    for state in states:
        who = f"the prober on {state.node} ({state.network})"
        if not state.api:
            yield f"{who} has no mesh"
        elif state.peers < others:
            yield f"{who} knows {state.peers} of {others} other probers"
        elif others + len(silent) < state.peers:
            yield f"{who} knows {state.peers} other probers, but {others} of them answer here"


def _probed_by(state: State) -> set[tuple[str, str]]:
    """Return node and network of each prober that this one probes."""
    return {(path.target, HOST if path.plane in TO_NODES else POD) for path in state.paths if path.role == "peer"}
