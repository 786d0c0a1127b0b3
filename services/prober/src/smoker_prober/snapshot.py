"""The snapshot of a prober as another program reads it: fetched with a deadline and a limit, and checked throughout.

What is in it: store/windows.py. After `decode` every field that version 1 has is there, with its type and within its
range; what later versions of a prober add is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, cast

from smoker_common.fetch import FetchError, fetch_json
from smoker_common.host import authority
from smoker_common.log import escaped

SNAPSHOT = "/api/v1/snapshot"
VERSION = 1
LIMIT = 16 * 1024 * 1024  # bytes: 12,000 paths with their failures have some 10 million
LONGEST = 512  # characters of a name
MOST = 1e12  # of whatever: a count, milliseconds, seconds since the epoch

Check = Callable[[Any], None]  # of a value; raises `_Wrong`


class Malformed(Exception):
    """It is no snapshot that this program can read; the text says why, after the name of the prober."""


class Failure(TypedDict):
    time: float
    outcome: str
    error: str


class PathState(TypedDict):
    """One path: a probe and a target."""

    probe: str
    target: str
    plane: str
    family: str
    zone: str
    last: str
    results: int
    failed: int
    failed_in_a_row: int
    loss_ratio: float | None
    recent_loss_ratio: float | None
    rtt_ms: dict[str, float] | None
    jitter_ms: float | None
    duration_ms: dict[str, float] | None
    longest_outage_seconds: float
    last_success: float | None
    failures: list[Failure]


class MeshState(TypedDict):
    known: int
    probers: int
    probed: int
    paths: int
    stale_since: float | None


class Snapshot(TypedDict):
    version: int
    node: str
    zone: str
    network: str
    time: float
    mesh: MeshState | None
    paths: list[PathState]


def fetch(host: str, port: int, seconds: float) -> Snapshot:
    """Return what the prober with this admin port says of itself, within `seconds`. Raises `FetchError`."""
    found = fetch_json(host, port, SNAPSHOT, seconds=seconds, limit=LIMIT)
    try:
        return decode(found)
    except Malformed as malformed:
        raise FetchError(f"http://{authority(host, port)}{SNAPSHOT}", str(malformed), answered=True) from None


def decode(found: Any) -> Snapshot:
    """Return `found`, which came as JSON, if it is a snapshot. Raises `Malformed`."""
    if not isinstance(found, dict) or "version" not in found:
        raise Malformed("sends no snapshot of a prober")
    version = found["version"]
    if version != VERSION or not _is_number(version):
        shown = version if isinstance(version, int | float | str) else _kind(version)
        raise Malformed(f"sends a snapshot of version {escaped(str(shown))[:20]}; this program reads version {VERSION}")
    try:
        _snapshot(found)
    except _Wrong as wrong:
        raise Malformed(f"sends a malformed snapshot: {wrong}") from None
    return cast(Snapshot, found)


def failed(path: Mapping[str, Any]) -> bool:
    """Whether the last probe of this path failed; one without a result has not."""
    return path["last"] not in ("", "success")


class _Wrong(Exception):
    """What is wrong with a value, and in which place of the snapshot that is."""

    def __init__(self, why: str) -> None:
        self.why, self.place = why, ""

    def inside(self, place: str) -> _Wrong:
        """Return it, seen from one level further out."""
        self.place = place + self.place
        return self

    def __str__(self) -> str:
        return f"{self.place.removeprefix('.') or 'it'} {self.why}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    """Return what a value of JSON is, in a word; never the value itself, which can be anything."""
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


def _word(value: Any) -> None:
    """Check a name: it is short and can be printed."""
    _text(value)
    if len(value) > LONGEST or not value.isprintable():
        raise _Wrong("is too long or cannot be printed")


def _text(value: Any) -> None:
    if not isinstance(value, str):
        raise _Wrong(f"is {_kind(value)}")


def _number(least: float = 0, most: float = MOST, *, whole: bool = False) -> Check:
    """Return a check for a number from `least` to `most`."""

    def check(value: Any) -> None:
        if not _is_number(value):
            raise _Wrong(f"is {_kind(value)}")
        if not least <= value <= most or (whole and not isinstance(value, int)):
            raise _Wrong("is out of range")

    return check


def _or_null(other: Check) -> Check:
    def check(value: Any) -> None:
        if value is not None:
            other(value)

    return check


def _each(other: Check) -> Check:
    """Return a check for a list whose elements all pass `other`."""

    def check(value: Any) -> None:
        if not isinstance(value, list):
            raise _Wrong(f"is {_kind(value)}")
        for number, element in enumerate(value):
            try:
                other(element)
            except _Wrong as wrong:
                raise wrong.inside(f"[{number}]") from None

    return check


def _fields(**checks: Check) -> Check:
    """Return a check for an object that has at least these fields."""

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise _Wrong(f"is {_kind(value)}")
        for name, other in checks.items():
            try:
                if name not in value:
                    raise _Wrong("is missing")
                other(value[name])
            except _Wrong as wrong:
                raise wrong.inside(f".{name}") from None

    return check


_COUNT, _RATIO, _DATE = _number(whole=True), _number(most=1.0), _number(-MOST)
_SPREAD = _or_null(_fields(p50=_number(), p95=_number(), p99=_number(), max=_number()))
_snapshot = _fields(
    node=_word,
    zone=_word,
    network=_word,
    time=_DATE,
    mesh=_or_null(_fields(known=_COUNT, probers=_COUNT, probed=_COUNT, paths=_COUNT, stale_since=_or_null(_DATE))),
    paths=_each(
        _fields(
            probe=_word,
            target=_word,
            plane=_word,
            family=_word,
            zone=_word,
            last=_word,
            results=_COUNT,
            failed=_COUNT,
            failed_in_a_row=_COUNT,
            loss_ratio=_or_null(_RATIO),
            recent_loss_ratio=_or_null(_RATIO),
            rtt_ms=_SPREAD,
            jitter_ms=_or_null(_number()),
            duration_ms=_SPREAD,
            longest_outage_seconds=_number(),
            last_success=_or_null(_DATE),
            failures=_each(_fields(time=_DATE, outcome=_word, error=_text)),
        )
    ),
)
