"""What all probers of a mesh say together: their snapshots, as they are now or once the mesh is whole.

snapshot ─▶ Answer (who, what it knows, the paths that are not well) ─▶ Gathered ─▶ findings

A prober that does not answer, or not with a snapshot, costs nothing but its own answer.
"""

from __future__ import annotations

import random
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool

from smoker_common.fetch import FetchError
from smoker_common.host import authority, is_address, wire
from smoker_common.log import escaped
from smoker_prober.analysis.cell import Cell, cells_of
from smoker_prober.analysis.finding import Finding, findings
from smoker_prober.discovery.peer import HOST, POD
from smoker_prober.failure import in_a_sentence
from smoker_prober.report import aligned
from smoker_prober.snapshot import failed, fetch
from smoker_prober.target import OTHER

TIMEOUT = 2.0  # seconds for one prober
LOOK_UP = 1.5  # seconds for a name
FIRST = 2.2  # seconds for the first answer of any prober, look-ups included: after them nobody is there
PAUSE = 0.5  # seconds between two looks
AT_ONCE = 64  # probers that are asked at one time
LISTED = 3  # addresses in a sentence
SHOWN = 200  # paths in the table: more help nobody

TO_NODES = (HOST, f"{POD}-{HOST}")  # planes that end at a prober on a node's network

HEADER = ("FROM", "TO", "PROBE", "PLANE", "FAMILY", "OUTCOME", "DETAIL")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is kept of a prober's snapshot: there can be thousands of probers, of a hundred paths each."""

    node: str
    network: str
    known: int | None  # other probers (node and network) that it knows; None without a mesh
    paths: int  # to peers, as many as it should have
    probed: int  # of these
    well: int  # of these and of those to the echo services
    failed: tuple[tuple[str, ...], ...]  # rows under `HEADER`
    waiting: tuple[tuple[str, ...], ...]  # the same, of those that have no result yet
    zones: Mapping[str, str]  # of nodes
    without_api: bool
    cells: tuple[Cell, ...]

    @classmethod
    def of(cls, snapshot: Mapping[str, Any]) -> Answer:
        """Return what is kept of `snapshot`, which was checked (`snapshot.decode`)."""
        mesh = snapshot["mesh"]
        paths = [path for path in snapshot["paths"] if not path["plane"].endswith(OTHER)]
        node = str(snapshot["node"])
        bad = [path for path in paths if failed(path)]
        return cls(
            node,
            str(snapshot["network"]),
            mesh["probers"] if mesh else None,
            mesh["paths"] if mesh else 0,
            sum(bool(path["family"]) for path in paths),
            sum(path["last"] == "success" for path in paths),
            tuple(_row(node, path, path["last"]) for path in bad),
            tuple(_row(node, path, "no result yet") for path in paths if not path["last"]),
            {path["target"]: path["zone"] for path in paths if path["zone"]} | {node: str(snapshot["zone"])},
            bool(mesh and mesh["stale_since"] is not None),
            cells_of(node, paths),
        )

    @property
    def probes_whom(self) -> set[tuple[str, str]]:
        """Node and network of each prober that it probes."""
        return {(cell.target, HOST if cell.plane in TO_NODES else POD) for cell in self.cells if cell.family}

    @property
    def who(self) -> str:
        return f"the prober on {self.node} ({self.network})"


def _row(node: str, path: Mapping[str, Any], outcome: str) -> tuple[str, ...]:
    detail = path["failures"][-1]["error"] if path["failures"] else ""
    shown = (node, path["target"], path["probe"], path["plane"], path["family"], outcome, detail)
    return tuple(escaped(str(text)) or "-" for text in shown)


@dataclass(frozen=True)
class Gathered:
    """The answers of the probers, and what is missing, each a sentence without its end."""

    answers: Sequence[Answer]
    missing: Sequence[str]

    @property
    def bad(self) -> list[tuple[str, ...]]:
        """A row for each path whose last probe failed, then for each that has no result yet."""
        failed = [row for answer in self.answers for row in answer.failed]
        return failed + [row for answer in self.answers for row in answer.waiting]

    @property
    def ok(self) -> bool:
        return not self.missing and not self.bad

    @property
    def findings(self) -> list[Finding]:
        """What is at fault, by all of these."""
        zones = {node: zone for answer in self.answers for node, zone in answer.zones.items() if zone}
        without_api = {answer.node for answer in self.answers if answer.without_api}
        return findings([cell for answer in self.answers for cell in answer.cells], zones, without_api)

    def __str__(self) -> str:
        """A sentence; before it a row for each path that is not well, after it what is at fault and what is missing."""
        bad, well = self.bad, sum(answer.well for answer in self.answers)
        where = f"of {len(self.answers)} probers"
        at_fault = [str(finding) for finding in self.findings]
        if self.ok and at_fault:
            return "\n".join([f"All {well} paths {where} were answered.", *at_fault])
        if self.ok:
            return f"All {well} paths {where} are well."
        told = [*aligned([HEADER, *bad[:SHOWN]]), ""] if bad else []
        if len(bad) > SHOWN:
            told.insert(-1, f"… and {len(bad) - SHOWN} more.")
        waiting = sum(len(answer.waiting) for answer in self.answers)
        sentence = f"{len(bad) - waiting} of {len(bad) + well} paths {where} failed"
        sentence += f", {waiting} have no result yet." if waiting else "."
        return "\n".join([*told, sentence, *at_fault, *(f"{why[:1].upper()}{why[1:]}." for why in self.missing)])


def gather(
    services: Sequence[tuple[str, int]], patience: float = 0.0, told: Callable[[Gathered], None] = lambda _found: None
) -> Gathered:
    """Return what all probers behind these Services (host, port) say now.

    With `patience` (seconds): once all is well, or when it is over. `told` gets each look that is not the last.
    """
    until, pause = time.monotonic() + patience, Event()
    known: dict[tuple[str, int], set[str]] = {service: set() for service in services}
    while True:
        found = _Look(known).gathered()
        if found.ok or time.monotonic() >= until:
            return found
        told(found)
        pause.wait(PAUSE)


class _Look:
    """One look at all probers. To the addresses in `known` it adds those of now: the DNS may not tell all each time."""

    def __init__(self, known: Mapping[tuple[str, int], set[str]]) -> None:
        self._known = known
        self._first = Event()  # somebody has answered, or everybody has failed
        self._pool = Pool(AT_ONCE)
        self._answers: dict[tuple[str, int], list[Answer]] = defaultdict(list)
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
        every = [answer for _, answer in sorted(found.items())]
        return Gathered(every, [*self._silent(), *self._unread(), *missing_of(every)])

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
            answer = Answer.of(fetch(address, service[1], TIMEOUT))
        except FetchError as failure:
            self._failures[service].append(failure)
        else:
            self._answers[service].append(answer)
            self._first.set()

    def _silent(self) -> Iterator[str]:
        """A sentence for each Service behind which nobody answers."""
        for service, addresses in self._known.items():
            failures = self._failures[service]
            if self._answers[service] or any(failure.answered for failure in failures):
                continue
            if not addresses:
                yield f"{service[0]} has no address: {self._unknown.get(service[0], 'the look-up has not ended')}"
                continue
            why = failures[0].why if failures else f"does not answer within {FIRST:g} s"
            why = why.removeprefix("does not answer").lstrip(": ")
            count = f"{len(addresses)} address{'es' if len(addresses) > 1 else ''}"
            yield f"no prober behind {authority(*service)} answers ({count}: {why})"

    def _unread(self) -> Iterator[str]:
        """A sentence for those who answer, but with nothing that can be read: one for all with the same reason."""
        whom = defaultdict(list)
        for failure in (each for failures in self._failures.values() for each in failures if each.answered):
            whom[failure.why].append(failure.where)
        for why, where in whom.items():
            more = f" and {len(where) - LISTED} more" if len(where) > LISTED else ""
            yield f"{', '.join(where[:LISTED])}{more} {why}"


def missing_of(answers: Sequence[Answer]) -> Iterator[str]:
    """What a mesh still lacks that is whole."""
    silent = Counter(each for answer in answers for each in answer.probes_whom)
    for answer in answers:
        silent.pop((answer.node, answer.network), None)
    for (node, network), count in sorted(silent.items()):
        yield f"the prober on {node} ({network}) does not answer here, and {count} others probe it"
    others = len(answers) - 1
    for answer in answers:
        if answer.known is None:
            yield f"{answer.who} has no mesh"
            continue
        if answer.known < others:
            yield f"{answer.who} knows {answer.known} of {others} other probers"
        if others + len(silent) < answer.known:
            yield f"{answer.who} knows {answer.known} other probers, but {others} of them answer here"
        if answer.probed < answer.paths:
            yield f"{answer.who} probes {answer.probed} of its {answer.paths} paths to peers"
