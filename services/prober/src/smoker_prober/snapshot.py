"""The snapshot that a prober serves at `GET /api/v1/snapshot`: what its windows say of each path, in detail.

Dates are seconds since the epoch, by the wall clock at the moment the snapshot was made. A value without a sample is
null. Fields may be added to version 1; `decode` ignores those that it does not know.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from smoker_common.fetch import FetchError
from smoker_common.fetch import fetch as fetch_bytes
from smoker_common.host import authority

SNAPSHOT = "/api/v1/snapshot"
VERSION = 1
LIMIT = 16 * 1024 * 1024  # bytes: 12,000 paths with their failures have some 10 million

_MOST = 1e12
Name = Annotated[str, Meta(max_length=512)]
Count = Annotated[int, Meta(ge=0, le=10**12)]
Number = Annotated[float, Meta(ge=0, le=_MOST)]  # milliseconds, or seconds
Ratio = Annotated[float, Meta(ge=0, le=1)]
Date = Annotated[float, Meta(ge=-_MOST, le=_MOST)]


class SnapshotError(ValueError):
    """A document that is no snapshot of this version. The message follows the name of the program that sent it."""


class Percentiles(msgspec.Struct, frozen=True):
    """Percentiles by nearest rank, in milliseconds."""

    p50: Number
    p95: Number
    p99: Number
    max: Number


class Failure(msgspec.Struct, frozen=True):
    """One failed result."""

    time: Date
    outcome: Name
    error: str


class PathWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What the window of one path and probe says."""

    probe: Name
    target: Name
    plane: Name  # empty from a pod to the echo services
    family: Name
    zone: Name
    role: Name = ""  # what the target is; older probers do not say
    last: Name  # outcome of the last result; empty before the first
    results: Count
    failed: Count
    failed_in_a_row: Count
    loss_ratio: Ratio | None
    recent_loss_ratio: Ratio | None  # of the last five trains
    rtt_ms: Percentiles | None
    jitter_ms: Number | None
    duration_ms: Percentiles | None
    longest_outage_seconds: Number
    last_success: Date | None
    failures: list[Failure]

    @property
    def failing(self) -> bool:
        """Whether the last probe failed. A path without a result does not fail."""
        return self.last not in ("", "success")


class MeshView(msgspec.Struct, frozen=True):
    """What a prober knows of its peers."""

    known: Count  # other nodes that have a prober
    probers: Count  # other probers: a node can have two
    probed: Count  # nodes that this prober probes
    paths: Count  # paths to them
    stale_since: Date | None  # since when the API server has given no news of peers; null while it does
    api: Name = "unanswered"  # how the API server answers: a word of smoker_kube.standing
    api_status: int | None = None  # the HTTP status of a refusal
    api_cause: str = ""  # the cause in words


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One prober's snapshot."""

    version: int = VERSION
    node: Name
    zone: Name
    network: Name
    time: Date
    mesh: MeshView | None  # null without a mesh
    paths: list[PathWindow]

    @property
    def as_object(self) -> Any:
        """Return it as dictionaries and lists, for JSON."""
        return msgspec.to_builtins(self)


class _Head(msgspec.Struct):
    """The part of a document that every version has."""

    version: Count


_head = msgspec.json.Decoder(_Head)
_decoder = msgspec.json.Decoder(Snapshot)


def fetch(host: str, port: int, seconds: float) -> Snapshot:
    """Return the snapshot of the prober with this admin port, within `seconds`. Raises `FetchError`."""
    document = fetch_bytes(host, port, SNAPSHOT, seconds=seconds, limit=LIMIT)
    try:
        return decode(document)
    except SnapshotError as wrong:
        raise FetchError(f"http://{authority(host, port)}{SNAPSHOT}", str(wrong), answered=True) from None


def decode(document: bytes) -> Snapshot:
    """Return the snapshot in `document`. Raises `SnapshotError` for anything that is not a snapshot of this version."""
    try:
        version = _head.decode(document).version
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise SnapshotError("sends no snapshot of a prober") from None
    if version != VERSION:
        raise SnapshotError(f"sends a snapshot of version {version}; this program reads version {VERSION}")
    try:
        return _decoder.decode(document)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise SnapshotError(f"sends a malformed snapshot: {error}") from None
