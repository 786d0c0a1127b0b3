"""The stored states of paths: one letter each, per prober, and a layout that assigns letters to paths.

The letters are those of `judge`, with a capital for the outcome instead of `f`. A row is written only when a letter
changes. The newest row of each prober before a moment is the state of that moment.
"""

from __future__ import annotations

import hashlib
import sqlite3
import statistics
import zlib
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from smoker_diagnosis.state import PEER, PathState, Role, State
from smoker_hub import judge
from smoker_hub.changes import PathsChange
from smoker_hub.collect import Key

OUTCOMES = {
    "T": "timeout",
    "R": "refused",
    "U": "unreachable",
    "S": "reset",
    "D": "resolve_error",
    "L": "tls_error",
    "B": "bad_reply",
    "M": "mtu",
}
CODES = {outcome: code for code, outcome in OUTCOMES.items()}
LEVEL = 6  # of zlib
SILENT = b"s"  # the letters of a prober that does not answer; none: there is no such prober
Stored = Literal["o", "l", "f", "s", "u"]


class PathName(msgspec.Struct, frozen=True, array_like=True):
    """The name of a path."""

    role: Role
    target: str
    plane: str
    family: str
    probe: str
    zone: str


class PathOf(NamedTuple):
    """A path of the prober on `node`."""

    node: str
    network: str
    path: PathName


class Layout(msgspec.Struct, frozen=True):
    """The zone of a prober, and its paths in the order of their letters."""

    zone: str
    paths: list[PathName]


class Rollup(NamedTuple):
    """The paths of a node or zone at the end of a minute; `rtt` in microseconds, the median of medians."""

    paths: int
    failing: int
    attempts: int
    failed: int
    sent: int
    lost: int
    rtt: int


_layout = msgspec.json.Decoder(Layout)


def encoded(state: State, letters: str) -> bytes:
    """Return the letters as they are stored."""
    pairs = zip(state.paths, letters, strict=True)
    codes = [CODES.get(path.last, "f") if letter == judge.FAILS else letter for path, letter in pairs]
    return zlib.compress("".join(codes).encode(), LEVEL)


def layout(paths: bytes) -> Layout:
    """Return a stored layout."""
    return _layout.decode(zlib.decompress(paths))


def put_states(db: sqlite3.Connection, at: float, changes: Iterable[PathsChange], silent: Collection[Key]) -> None:
    """Store the letters of the probers whose paths changed; `silent`: those that exist and do not answer."""
    for change in changes:
        prober = _prober(db, *change.key)
        place = None if change.state is None else _layout_id(db, change.state)
        absent = SILENT if change.key in silent else b""
        letters = absent if change.state is None else encoded(change.state, change.letters)
        db.execute("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?)", (prober, at, place, letters))


def put_rollups(db: sqlite3.Connection, at: float, states: Sequence[State]) -> None:
    """Store the sums of the paths between nodes, for each node and zone from which they come."""
    minute = int(at // 60 * 60)
    by_name: dict[tuple[str, str], list[State]] = {}
    for state in states:
        by_name.setdefault(("node", state.node), []).append(state)
        by_name.setdefault(("zone", state.zone), []).append(state)
    for (kind, name), of_name in by_name.items():
        found = rollup(path for state in of_name for path in state.paths if path.role == PEER)
        db.execute(
            "INSERT OR REPLACE INTO rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (kind, _name(db, name), minute, *found),
        )


def rollup(paths: Iterable[PathState]) -> Rollup:
    """Return the sums of `paths`."""
    count = failing = attempts = failed = sent = lost = 0
    rtts: list[float] = []
    for path in paths:
        count += 1
        failing += judge.fails(path)
        attempts += path.attempts
        failed += path.failed
        sent += path.sent
        lost += path.lost
        if path.rtt_p50:
            rtts.append(path.rtt_p50)
    return Rollup(count, failing, attempts, failed, sent, lost, round(statistics.median(rtts or [0.0]) * 1e6))


def rebuilt(node: str, network: str, found: Layout, codes: str) -> State:
    """Return a state whose paths have the letters `codes`. It has no counts and no times."""
    paths = [_path(name, code) for name, code in zip(found.paths, codes, strict=True)]
    place = "host" if network == "host" else "pod"
    return State(node=node, network=place, zone=found.zone, at=0.0, interval=1.0, timeout=1.0, paths=paths)  # type: ignore[arg-type]


def decoded(letters: bytes) -> str:
    """Return stored letters."""
    return zlib.decompress(letters).decode()


def letter_of(code: str) -> tuple[Stored, str]:
    """Return the state and the outcome that a stored letter stands for."""
    if code in OUTCOMES:
        return "f", OUTCOMES[code]
    known: dict[str, Stored] = {"o": "o", "l": "l", "s": "s", "f": "f"}
    found = known.get(code, "u")
    return found, "success" if found in ("o", "l") else ""


def _path(name: PathName, code: str) -> PathState:
    letter, outcome = letter_of(code)
    last = outcome or {judge.STALE: "success", judge.FAILS: "timeout"}.get(letter, "")
    return PathState(
        name.role,
        name.target,
        name.plane,
        name.family,
        name.probe,
        name.zone,
        last=last,
        at=-1e9 if letter == judge.STALE else 0.0,
        failures={last: 0} if letter == judge.LOSSY else {},
    )


def _prober(db: sqlite3.Connection, node: str, network: str) -> int:
    db.execute("INSERT OR IGNORE INTO probers (node, network) VALUES (?, ?)", (node, network))
    return int(db.execute("SELECT id FROM probers WHERE node = ? AND network = ?", (node, network)).fetchone()[0])


def _layout_id(db: sqlite3.Connection, state: State) -> int:
    paths = [PathName(each.role, each.target, each.plane, each.family, each.probe, each.zone) for each in state.paths]
    document = msgspec.json.encode(Layout(state.zone, paths))
    digest = hashlib.blake2b(document, digest_size=16).digest()
    found = db.execute("SELECT id FROM layouts WHERE digest = ?", (digest,)).fetchone()
    if found is None:
        insert = "INSERT INTO layouts (digest, paths) VALUES (?, ?)"
        return int(db.execute(insert, (digest, zlib.compress(document, LEVEL))).lastrowid or 0)
    return int(found[0])


def _name(db: sqlite3.Connection, name: str) -> int:
    db.execute("INSERT OR IGNORE INTO names (name) VALUES (?)", (name,))
    return int(db.execute("SELECT id FROM names WHERE name = ?", (name,)).fetchone()[0])
