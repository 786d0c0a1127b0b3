"""A snapshot as another program reads it: anything a peer sends is a snapshot or one sentence."""

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
from smoker_prober.snapshot import SNAPSHOT, MeshView, Snapshot, SnapshotError, decode, fetch
from smoker_prober.store import Store
from smoker_prober.store.identity import Identity
from smoker_prober.target import Target, service_path
from tests.prober.store.test_windows import TRAIN, made
from tests.prober.targets import PLENTY, answering, listening, peer_path

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
    """Return a snapshot of a prober with a mesh, a peer and the echo services."""
    store = Store(Identity(node))
    store.zone = "zone-a"
    store.mesh = lambda: MeshView(known=1, probers=1, probed=1, paths=1, stale_since=None)
    store.keep(made(rtt=Rtt(0.001, Method.TCP_INFO), source=node))
    for outcome in (Outcome.SUCCESS, Outcome.TIMEOUT, Outcome.TIMEOUT):
        peer = Target("udp", "127.0.0.1", 8081, peer_path(other, zone="zone-b"))
        store.keep(made(outcome, target=peer, train=TRAIN, source=node))
    store.expect("http", service_path("smoker-server", 8082))
    found = json.loads(json.dumps(store.snapshot().as_object))
    assert isinstance(found, dict)
    return found


@contextlib.contextmanager
def prober(said: Any) -> Iterator[int]:
    """Run an admin port with this snapshot (JSON, or bytes unchanged)."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    with listening(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))) as port:
        yield port


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield each place of a JSON value."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in below:
        yield (*place, key)
        yield from places(each, (*place, key))


def at(value: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def read(found: Any) -> Snapshot:
    """Decode `found` as it comes over the wire. Raises `SnapshotError`."""
    return decode(json.dumps(found).encode())


def refusal(found: Any) -> str:
    """Return why `found` is not a snapshot; empty if it is one."""
    try:
        read(found)
    except SnapshotError as wrong:
        return str(wrong)
    return ""


def used(snapshot: Snapshot) -> None:
    """Do what the report does with a snapshot: print each line and its JSON."""
    assert all(line.isprintable() for line in windows(snapshot).splitlines())
    assert json.dumps(snapshot.as_object)
    assert {path.failing for path in snapshot.paths} <= {True, False}


def test_a_prober_serves_a_valid_snapshot() -> None:
    """It is read unchanged; fields of a later prober are ignored."""
    original = real()
    found = copy.deepcopy(original) | {"later": [{}]}
    found["paths"][0]["later"] = None
    assert read(found).as_object == original
    with prober(found) as port:
        assert fetch("127.0.0.1", port, PLENTY).as_object == original
    used(read(found))


def test_an_older_prober() -> None:
    """Fields that were added to version 1 later may be missing."""
    found = real()
    for path in found["paths"]:
        del path["role"]
    for name in ("api", "api_status", "api_cause"):
        del found["mesh"][name]
    used(read(found))


def test_every_field_is_required() -> None:
    """Any missing field is named."""
    found = real()
    for place in list(places(found)):
        if isinstance(place[-1], int) or place[-1] in ("role", "api", "api_status", "api_cause"):
            continue
        broken = copy.deepcopy(found)
        del at(broken, place[:-1])[place[-1]]
        why = "no snapshot of a prober" if place == ("version",) else f"missing required field `{place[-1]}`"
        with pytest.raises(SnapshotError, match=why):
            read(broken)


@pytest.mark.parametrize(
    ("place", "value", "shown"),
    [
        (("paths", 1, "plane"), None, "$.paths[1].plane"),
        (("paths", 1, "results"), "3", "$.paths[1].results"),
        (("paths", 1, "results"), 3.5, "$.paths[1].results"),
        (("paths", 1, "failed"), True, "$.paths[1].failed"),
        (("paths", 1, "failed_in_a_row"), -1, "$.paths[1].failed_in_a_row"),
        (("paths", 1, "longest_outage_seconds"), 1e300, "$.paths[1].longest_outage_seconds"),
        (("paths", 1, "recent_loss_ratio"), 1.5, "$.paths[1].recent_loss_ratio"),
        (("paths", 0, "rtt_ms", "p99"), [], "$.paths[0].rtt_ms.p99"),
        (("paths", 1, "failures", 0, "error"), {}, "$.paths[1].failures[0].error"),
        (("paths",), {}, "$.paths"),
        (("paths", 0), 7, "$.paths[0]"),
        (("mesh",), [], "$.mesh"),
        (("mesh", "stale_since"), 1e300, "$.mesh.stale_since"),
        (("node",), "x" * 600, "$.node"),
    ],
)
def test_an_error_names_the_malformed_field(place: tuple[str | int, ...], value: Any, shown: str) -> None:
    """The sentence names the place and never quotes the sender."""
    broken = real()
    at(broken, place[:-1])[place[-1]] = value
    with pytest.raises(SnapshotError, match=r"^sends a malformed snapshot: ") as caught:
        read(broken)
    assert str(caught.value).endswith(f"`{shown}`")
    assert "xxx" not in str(caught.value)


@pytest.mark.parametrize("name", ["plane", "last", "target", "probe", "family"])
def test_unprintable_text_is_escaped(name: str) -> None:
    """The report escapes it."""
    broken = real()
    broken["node"] = broken["zone"] = broken["paths"][1][name] = "\x1b[2J"
    used(read(broken))


@pytest.mark.parametrize("version", [2, 0])
def test_another_version(version: int) -> None:
    """The sentence names it."""
    found = real() | {"version": version}
    with pytest.raises(SnapshotError) as caught:
        read(found)
    assert str(caught.value) == f"sends a snapshot of version {version}; this program reads version 1"
    with prober(found) as port, pytest.raises(FetchError) as failed:
        fetch("127.0.0.1", port, PLENTY)
    assert str(failed.value) == f"http://127.0.0.1:{port}{SNAPSHOT} {caught.value}"


@pytest.mark.parametrize("found", [*JUNK, {"version": 1}, {"kind": "Status"}])
def test_other_documents_are_not_snapshots(found: Any) -> None:
    """Any other JSON is refused."""
    with pytest.raises(SnapshotError):
        read(found)


@pytest.mark.parametrize("version", ["1", "\x1b[2J", True, None, [1], 1.5, -1, 10**300])
def test_a_version_that_is_not_a_number(version: Any) -> None:
    """It is no snapshot."""
    with pytest.raises(SnapshotError, match=r"^sends no snapshot of a prober$"):
        read(real() | {"version": version})


@pytest.mark.parametrize("document", [b"", b"{", b"\xff", b"[" * 100_000, b'{"version": 1, "node": "\xff"}'])
def test_invalid_json_is_an_error(document: bytes) -> None:
    """It is refused in one sentence."""
    with pytest.raises(SnapshotError) as caught:
        decode(document)
    assert str(caught.value).isprintable()


def test_any_change_to_a_snapshot_is_read_or_refused() -> None:
    """Thousands of mutations of a real one are refused with one sentence, or can be used."""
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
        why = refusal(broken)
        refused += bool(why)
        assert why.isprintable()
        if not why:
            used(read(broken))
    assert 1000 < refused < 3000
