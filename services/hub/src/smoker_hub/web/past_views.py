"""The records of the API that are about a span of time; `views` has those of a moment."""

from __future__ import annotations

from typing import Literal

import msgspec


class Event(msgspec.Struct, frozen=True):
    """Something that happened. `subject`: a node, a prober as `node (network)`, or the id of a finding."""

    at: float
    kind: str
    subject: str
    text: str


class Events(msgspec.Struct, frozen=True):
    """Events, the newest first. `left_out`: older ones beyond the limit."""

    since: float
    until: float
    events: list[Event]
    left_out: int


class PathChange(msgspec.Struct, frozen=True):
    """A path has this state from `at` on. `state`: see `Matrix`; empty while the path is not probed."""

    at: float
    state: Literal["o", "l", "f", "s", "u", ""]
    outcome: str


class PathHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The states of a path, the oldest first; the first one is that of `since`. `left_out`: older ones."""

    id: str
    source: str
    network: str
    target: str
    plane: str
    family: str
    probe: str
    since: float
    until: float
    changes: list[PathChange]
    left_out: int


class Rollups(msgspec.Struct, frozen=True, kw_only=True):
    """What the paths between nodes from a node or zone were, minute by minute, in columns.

    `at`: the beginning of the minute. `paths` and `failing`: how many there were. `attempts`, `failed`, `sent`, `lost`:
    of the last rounds then, so they do not add up. `rtt`: microseconds, the median of the paths' medians.
    """

    by: Literal["node", "zone"]
    name: str
    since: float
    until: float
    at: list[int]
    paths: list[int]
    failing: list[int]
    attempts: list[int]
    failed: list[int]
    sent: list[int]
    lost: list[int]
    rtt: list[int]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of a path over time. `value` has an entry for each of `at`; a moment without data has neither.

    `metric`: `rtt` in seconds; `loss`, the ratio of packets; `failures`, the ratio of attempts. `source`: a point of
    Prometheus is a mean over `step` or two minutes; a point of the prober is one result of its last hour.
    """

    source: Literal["prometheus", "prober"]
    path: str
    metric: Literal["rtt", "loss", "failures"]
    since: float
    until: float
    step: float
    at: list[float]
    value: list[float]
