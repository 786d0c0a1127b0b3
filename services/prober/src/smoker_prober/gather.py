"""What all probers of a mesh say together: their snapshots, gathered once the mesh is whole or patience is over."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import urllib3
from gevent.event import Event
from gevent.pool import Pool

from smoker_common.log import escaped
from smoker_prober.report import aligned

SNAPSHOT = "/api/v1/snapshot"
TIMEOUT = 3.0  # seconds for one prober
PAUSE = 0.5  # seconds between two looks
AT_ONCE = 32
OK = 200

Snapshot = Mapping[str, Any]


@dataclass(frozen=True)
class Gathered:
    """The snapshots of the probers that answer, and what is missing, each a sentence without its end."""

    snapshots: Sequence[Snapshot]
    missing: Sequence[str]

    @property
    def paths(self) -> list[tuple[Snapshot, Mapping[str, Any]]]:
        """Every path between two probers, with the snapshot it is from."""
        return [(each, path) for each in self.snapshots for path in each["paths"] if path["family"]]

    @property
    def failed(self) -> list[tuple[Snapshot, Mapping[str, Any]]]:
        """Those whose last probe failed."""
        return [(each, path) for each, path in self.paths if path["last"] != "success"]

    @property
    def ok(self) -> bool:
        return not self.missing and not self.failed

    def __str__(self) -> str:
        """A sentence; before it a row for each path that failed, after it what is missing."""
        failed, all_of_them = self.failed, len(self.paths)
        where = f"between {len(self.snapshots)} probers"
        if self.ok:
            return f"All {all_of_them} paths {where} are well."
        rows = [("FROM", "TO", "PROBE", "PLANE", "FAMILY", "OUTCOME", "DETAIL"), *map(_row, failed)]
        told = [*aligned(rows), ""] if failed else []
        sentence = f"{len(failed)} of {all_of_them} paths {where} failed."
        return "\n".join([*told, sentence, *(f"{why[:1].upper()}{why[1:]}." for why in self.missing)])


def _row(found: tuple[Snapshot, Mapping[str, Any]]) -> tuple[str, ...]:
    snapshot, path = found
    detail = path["failures"][-1]["error"] if path["failures"] else ""
    shown = (snapshot["node"], path["target"], path["probe"], path["plane"], path["family"], path["last"], detail)
    return tuple(escaped(str(text)) for text in shown)


def gather(services: Sequence[tuple[str, int]], patience: float) -> Gathered:
    """The snapshots of all probers behind these Services (host, port), once all is well or after `patience` s."""
    until, pause = time.monotonic() + patience, Event()
    known: dict[tuple[str, int], set[str]] = {service: set() for service in services}
    while True:
        found = _look(known)
        if found.ok or time.monotonic() >= until:
            return found
        pause.wait(PAUSE)


def _look(known: Mapping[tuple[str, int], set[str]]) -> Gathered:
    """One look. To the addresses in `known` it adds what the names have now: the DNS may not tell each time."""
    snapshots: dict[tuple[str, str], Snapshot] = {}
    missing: list[str] = []
    pool = Pool(AT_ONCE)
    for (host, port), addresses in known.items():
        addresses.update(_addresses(host, port))
        answers = [each for each in pool.map(partial(_ask, port=port), addresses) if each]
        if not answers:
            missing.append(f"no prober behind {host}:{port} answers ({len(addresses)} addresses)")
        for answer in answers:
            snapshots[answer["node"], answer["network"]] = answer
    every = list(snapshots.values())
    return Gathered(every, [*missing, *missing_of(every)])


def missing_of(snapshots: Sequence[Snapshot]) -> Iterator[str]:
    """What a mesh still lacks that is whole."""
    nodes = {each["node"] for each in snapshots}
    for each in snapshots:
        who, mesh = f"the prober on {each['node']} ({each['network']})", each["mesh"]
        if mesh is None:
            yield f"{who} has no mesh"
            continue
        others = max(mesh["known"], len(nodes - {each["node"]}))
        if mesh["known"] < others:
            yield f"{who} knows {mesh['known']} of {others} other nodes"
        if len(nodes) - 1 < mesh["known"]:
            yield f"{who} knows {mesh['known']} other nodes, but {len(nodes) - 1} of them answer here"
        seen = sum(1 for path in each["paths"] if path["family"] and path["results"])
        if seen < mesh["paths"]:
            yield f"{who} has results of {seen} of its {mesh['paths']} paths to peers"


def _addresses(host: str, port: int) -> set[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(sockaddr[0]) for *_, sockaddr in found}


def _ask(address: str, port: int) -> Snapshot | None:
    host = f"[{address}]" if ":" in address else address
    try:
        answer = urllib3.request("GET", f"http://{host}:{port}{SNAPSHOT}", timeout=TIMEOUT, retries=False)
        found = json.loads(answer.data) if answer.status == OK else None
    except (urllib3.exceptions.HTTPError, ValueError):
        return None
    return found if isinstance(found, dict) and "network" in found else None
