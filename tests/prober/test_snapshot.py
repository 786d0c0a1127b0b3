"""A snapshot as another program reads it: whatever a peer sends, it is a snapshot or one sentence."""

from __future__ import annotations

import contextlib
import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from smoker_common.fetch import FetchError
from smoker_prober.report import windows
from smoker_prober.result import Method, Outcome, Rtt
from smoker_prober.snapshot import SNAPSHOT, Malformed, decode, fetch
from smoker_prober.store.windows import Memory
from smoker_prober.target import Path, Target
from tests.prober.store.test_windows import TRAIN, made
from tests.prober.targets import PLENTY, answering, listening

JUNK: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1e308,
    -0.5,
    10**40,
    "",
    "7",
    "\ud800\x1b[2J",
    "x" * 5000,
    [],
    {},
    [[[]]],
    {"p50": 1},
]


def real(node: str = "node-1", other: str = "node-2") -> dict[str, Any]:
    """A snapshot as a prober makes it, with a mesh, a peer and the echo services."""
    memory = Memory()
    memory.zone, memory.network = "zone-a", "pod"
    memory.mesh = lambda: {"known": 1, "probers": 1, "probed": 1, "paths": 1, "stale_since": None}
    memory.keep(made(rtt=Rtt(0.001, Method.TCP_INFO), source=node))
    for outcome in (Outcome.SUCCESS, Outcome.TIMEOUT, Outcome.TIMEOUT):
        target = Target("127.0.0.1", 8081, peer=Path(other, "pod", "ipv4", "zone-b"))
        memory.keep(made(outcome, probe="udp", target=target, train=TRAIN, source=node))
    memory.expect("http", Path("smoker-server:8082"))
    found = json.loads(json.dumps(memory.snapshot()))
    assert isinstance(found, dict)
    return found


@contextlib.contextmanager
def prober(said: Any) -> Iterator[int]:
    """An admin port whose snapshot is this (JSON, or bytes as they are)."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    with listening(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))) as port:
        yield port


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Each place of a JSON value."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in below:
        yield (*place, key)
        yield from places(each, (*place, key))


def at(value: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def used(snapshot: Any) -> None:
    """All that is made of a snapshot: the report."""
    assert windows(snapshot)


def malformed(found: Any) -> str:
    """Why it is no snapshot; empty where it is one."""
    try:
        decode(found)
    except Malformed as wrong:
        return str(wrong)
    return ""


def test_what_a_prober_says_is_a_snapshot() -> None:
    """It comes back as it is; fields of a later prober are left alone."""
    found = real() | {"later": [{}]}
    found["paths"][0]["later"] = None
    assert decode(copy.deepcopy(found)) == found
    with prober(found) as port:
        assert fetch("127.0.0.1", port, PLENTY) == found
    used(found)


def test_each_field_has_to_be_there() -> None:
    """Whichever is missing, it is named."""
    found = real()
    for place in list(places(found)):
        if isinstance(place[-1], int):
            continue
        broken = copy.deepcopy(found)
        del at(broken, place[:-1])[place[-1]]
        with pytest.raises(
            Malformed, match="no snapshot of a prober" if place == ("version",) else f"{place[-1]} is m"
        ):
            decode(broken)


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        (("paths", 1, "plane"), None, "paths[1].plane is null"),
        (("paths", 1, "results"), "3", "paths[1].results is a string"),
        (("paths", 1, "results"), 3.5, "paths[1].results is out of range"),
        (("paths", 1, "failed"), True, "paths[1].failed is a boolean"),
        (("paths", 1, "failed_in_a_row"), -1, "paths[1].failed_in_a_row is out of range"),
        (("paths", 1, "recent_loss_ratio"), float("inf"), "paths[1].recent_loss_ratio is out of range"),
        (("paths", 1, "longest_outage_seconds"), float("nan"), "paths[1].longest_outage_seconds is out of range"),
        (("paths", 0, "rtt_ms", "p99"), [], "paths[0].rtt_ms.p99 is a list"),
        (("paths", 1, "failures", 0, "error"), {}, "paths[1].failures[0].error is an object"),
        (("paths", 1, "target"), "\x1b[2J", "paths[1].target is too long or cannot be printed"),
        (("paths",), {}, "paths is an object"),
        (("paths", 0), 7, "paths[0] is a number"),
        (("mesh",), [], "mesh is a list"),
        (("mesh", "stale_since"), 1e300, "mesh.stale_since is out of range"),
        (("node",), "x" * 600, "node is too long or cannot be printed"),
    ],
)
def test_where_it_is_malformed(place: tuple[str | int, ...], value: Any, why: str) -> None:
    """The sentence names the place and what is there, and never what a stranger wrote."""
    broken = real()
    at(broken, place[:-1])[place[-1]] = value
    with pytest.raises(Malformed) as caught:
        decode(broken)
    assert str(caught.value) == f"sends a malformed snapshot: {why}"


@pytest.mark.parametrize("version", [2, 0, "1", "\x1b[2J", True, None, [1], 10**300])
def test_another_version(version: Any) -> None:
    """It is named, in a sentence."""
    with pytest.raises(Malformed, match=r"sends a snapshot of version .*; this program reads version 1") as caught:
        decode(real() | {"version": version})
    assert str(caught.value).isprintable()
    with prober(real() | {"version": version}) as port, pytest.raises(FetchError) as failed:
        fetch("127.0.0.1", port, PLENTY)
    assert str(failed.value) == f"http://127.0.0.1:{port}{SNAPSHOT} {caught.value}"


@pytest.mark.parametrize("found", [*JUNK, {"version": 1}, {"kind": "Status"}])
def test_what_is_no_snapshot_at_all(found: Any) -> None:
    """Whatever JSON it is."""
    with pytest.raises(Malformed):
        decode(found)


def test_whatever_a_peer_makes_of_it() -> None:
    """Thousands of mutations of a real one: each is refused with one sentence, or all that is made of it goes well."""
    chance, original, refused = random.Random(12), real(), 0
    for _ in range(3000):
        broken = copy.deepcopy(original)
        for _ in range(chance.randint(1, 3)):
            place = chance.choice(list(places(broken)))
            parent = at(broken, place[:-1])
            match chance.choice(["junk", "drop", "swap", "repeat"]):
                case "junk":
                    parent[place[-1]] = copy.deepcopy(chance.choice(JUNK))
                case "drop":
                    del parent[place[-1]]
                case "swap":
                    parent[place[-1]] = copy.deepcopy(at(original, chance.choice(list(places(original)))))
                case "repeat":
                    parent[place[-1]] = [parent[place[-1]]] * chance.randint(0, 50)
        why = malformed(broken)
        refused += bool(why)
        assert why.isprintable()
        if not why:
            used(broken)
    assert 1000 < refused < 3000
