"""The last failures of all probers, read from their snapshots for each request.

At most `PROBERS` are asked, those with the most failing paths first, then those whose paths failed lately, then others:
a prober keeps failures for longer than its state tells. All share one deadline. Each prober that does not answer is
counted and does not delay the others.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import gevent
import msgspec
from gevent.pool import Pool

from smoker_common.fetch import FetchError, fetch
from smoker_diagnosis.state import State
from smoker_hub import judge
from smoker_hub.collect import Address, Key
from smoker_hub.web.router import Values
from smoker_hub.web.sources import Sources
from smoker_hub.web.views import FailedResult, Results

SNAPSHOT = "/api/v1/snapshot"
PROBERS = 50  # probers that are asked for one answer
AT_ONCE = 16
SECONDS = 4.0  # for all of them
LARGEST = 16 * 1024 * 1024  # bytes of a snapshot
USUAL, MOST = 200, 2_000  # results of one answer
LONGEST = 500  # characters of an error


class _Failure(msgspec.Struct):
    time: float
    outcome: str
    error: str


class _Path(msgspec.Struct):
    probe: str
    target: str
    plane: str
    family: str
    failures: list[_Failure]


class _Snapshot(msgspec.Struct):
    """The part of a prober's snapshot that is read here."""

    node: str
    network: str
    paths: list[_Path]


class _Asked(NamedTuple):
    key: Key
    results: list[FailedResult]
    error: str


_decoder = msgspec.json.Decoder(_Snapshot)


def answer(sources: Sources, values: Values) -> Results:
    """Return the newest failures, the newest first."""
    addresses = {(each.node, each.network): each for each in sources.addresses()}
    failed, others = _worst(sources, values)
    wanted = [key for key in failed if key in addresses]
    wanted += [key for key in others if key in addresses][: max(PROBERS - len(wanted), 0)]
    pool, asked = Pool(AT_ONCE), list[_Asked]()
    for key in wanted[:PROBERS]:
        pool.spawn(lambda address: asked.append(_ask(address, values)), addresses[key])
    pool.join(timeout=SECONDS)
    pool.kill()
    answered = [each for each in asked if not each.error]
    found = [result for each in answered for result in each.results]
    newest = heapq.nlargest(values["limit"], found, key=lambda result: (result.at, result.source, result.target))
    return Results(
        results=newest,
        left_out=len(found) - len(newest),
        asked=min(len(wanted), PROBERS),
        answered=len(answered),
        not_asked=max(len(wanted) - PROBERS, 0),
    )


def _worst(sources: Sources, values: Values) -> tuple[list[Key], list[Key]]:
    """Return the probers with a path that failed lately, those with most failing paths first, and the others."""
    found: list[tuple[int, Key]] = []
    others: list[Key] = []
    for number, state in enumerate(sources.hub.collected.states, 1):
        if not number % PROBERS:
            gevent.sleep(0)
        if values["from"] not in (None, state.node):
            continue
        bad = _bad(state, values["to"])
        if bad:
            found.append((-bad, (state.node, state.network)))
        elif bad is not None:
            others.append((state.node, state.network))
    return [key for _, key in sorted(found)], others


def _bad(state: State, target: str | None) -> int | None:
    """Return how bad the paths of `state` are, None without a path to `target`.

    A failing path counts more than any number of those that only failed lately.
    """
    weight: int | None = None
    for path in state.paths:
        if target in (None, path.target):
            lately = bool(path.failures) or path.last_failure is not None
            weight = (weight or 0) + (10_000 if judge.fails(path) else int(lately))
    return weight


def _ask(address: Address, values: Values) -> _Asked:
    key = address.node, address.network
    try:
        body = fetch(address.host, address.port, SNAPSHOT, seconds=SECONDS, limit=LARGEST)
        snapshot = _decoder.decode(body)
    except FetchError as error:
        return _Asked(key, [], error.why)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _Asked(key, [], "sends no snapshot of a prober")
    return _Asked(key, list(_results(key, snapshot, values)), "")


def _results(key: Key, snapshot: _Snapshot, values: Values) -> Iterator[FailedResult]:
    for path in snapshot.paths:
        if values["to"] not in (None, path.target):
            continue
        for failure in path.failures:
            yield FailedResult(
                at=failure.time,
                source=key[0],
                network=key[1],
                target=path.target,
                plane=path.plane,
                family=path.family,
                probe=path.probe,
                outcome=failure.outcome,
                error=failure.error[:LONGEST],
            )
