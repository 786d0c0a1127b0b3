"""What all probers of a mesh say together: their snapshots, gathered once the mesh is whole or patience is over.

snapshot ─▶ Answer (who, what it knows, the paths that are not well) ─▶ Gathered ─▶ findings
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gevent.event import Event
from gevent.pool import Pool

from smoker_common.host import authority, wire
from smoker_common.log import escaped
from smoker_prober.analysis.cell import Cell, cells_of
from smoker_prober.analysis.finding import Finding, findings
from smoker_prober.discovery.peer import HOST, POD
from smoker_prober.report import aligned
from smoker_prober.snapshot import failed, fetch
from smoker_prober.target import OTHER, Target

TIMEOUT = 3.0  # seconds for one prober
PAUSE = 0.5  # seconds between two looks
AT_ONCE = 32
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
        """Raises `KeyError` or `TypeError` where it is no snapshot."""
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


def gather(services: Sequence[tuple[str, int]], patience: float) -> Gathered:
    """What all probers behind these Services (host, port) say, once all is well or after `patience` seconds."""
    until, pause = time.monotonic() + patience, Event()
    known: dict[tuple[str, int], set[str]] = {service: set() for service in services}
    while True:
        found = _look(known)
        if found.ok or time.monotonic() >= until:
            return found
        pause.wait(PAUSE)


def _look(known: Mapping[tuple[str, int], set[str]]) -> Gathered:
    """One look. To the addresses in `known` it adds what the names have now: the DNS may not tell each time."""
    found: dict[tuple[str, str], Answer] = {}
    missing: list[str] = []
    pool = Pool(AT_ONCE)
    for (host, port), addresses in known.items():
        addresses.update(_addresses(host, port))
        answers = [each for each in pool.imap_unordered(partial(_ask, port=port), addresses) if each]
        if not answers:
            missing.append(f"no prober behind {authority(host, port)} answers ({len(addresses)} addresses)")
        found |= {(answer.node, answer.network): answer for answer in answers}
    every = [answer for _, answer in sorted(found.items())]
    return Gathered(every, [*missing, *missing_of(every)])


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


def _addresses(host: str, port: int) -> set[str]:
    try:
        found = socket.getaddrinfo(wire(host), port, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(sockaddr[0]) for *_, sockaddr in found}


def _ask(address: str, port: int) -> Answer | None:
    try:
        found = fetch(Target(address, port), TIMEOUT)
        return None if found is None else Answer.of(found)
    except (KeyError, TypeError):  # another program's
        return None
