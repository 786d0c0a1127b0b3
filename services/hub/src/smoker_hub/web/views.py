"""The records of the API, which the page shows and notifications carry. docs/hub.md describes them; they only grow.

Instants are seconds since the epoch, durations seconds, unless a field says otherwise.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from smoker_diagnosis.finding import Finding
from smoker_hub.judge import Letter
from smoker_hub.web.past_views import Event

Health = Literal["healthy", "faults", "unclear", "blind", "starting"]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The answer in one sentence. `age`: seconds since the last look, null before the first."""

    sentence: str
    state: Health
    cluster: str
    open: int
    probers: int
    silent: int
    paths: int
    age: float | None


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A finding, its life, and its sentences. `next`: commands, each followed by three spaces and what it shows.

    `escalations`: how often it became worse while it was open.
    """

    id: str
    phase: str
    cluster: str
    headline: str
    place: str
    what: str
    evidence: tuple[str, ...]
    next: tuple[str, ...]
    first_seen: float
    last_seen: float
    opened: float | None
    closed: float | None
    escalations: int = 0  # absent in a history of an older version
    finding: Finding


class Findings(msgspec.Struct, frozen=True):
    """The open findings, the oldest first, and the closed ones, the newest first.

    `suspected`: what the last look found and is not sure of yet; no moment of the past has any.
    """

    open: list[View]
    recent: list[View]
    suspected: list[View] = []


class Prober(msgspec.Struct, frozen=True):
    """One prober. `silent_seconds`: since it was first asked in vain, 0 while it answers; `error`: why it does not."""

    network: str
    state: Literal["answering", "silent"]
    silent_seconds: float
    error: str
    paths: int
    failing: int


class Node(msgspec.Struct, frozen=True):
    """A node, its probers, and the open findings that name it."""

    node: str
    zone: str
    probers: list[Prober]
    findings: list[str]


class Notification(msgspec.Struct, frozen=True):
    """A finding that opened, became worse (`escalate`) or closed."""

    event: Literal["open", "escalate", "close"]
    finding: View


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """One probe of one path. Counts cover the last rounds, three by default.

    `state`: see `Matrix`. `outcome`: of the last result, empty before the first. `age`: since that probe began.
    `failing_seconds`: since the first failure in a row, 0 while it works. `requests_lost` and `replies_lost`: of the
    lost packets, those whose direction is known. `rtt_p50`, `rtt_p99`: seconds, 0 without a sample.
    """

    id: str
    source: str
    network: str
    source_zone: str
    role: str
    target: str
    target_zone: str
    plane: str
    family: str
    probe: str
    state: Letter
    outcome: str
    age: float | None
    attempts: int
    failed: int
    failures: dict[str, int]
    failing_seconds: float
    sent: int
    lost: int
    requests_lost: int
    replies_lost: int
    large: str
    mtu: int
    passes: int
    rtt_p50: float
    rtt_p99: float
    offender: str


class Bandwidth(msgspec.Struct, frozen=True, kw_only=True):
    """The newest measured bandwidth from one node to another.

    `rate`: bytes per second. `retransmits`: segments that TCP sent again. `age`: since the transfer began.
    `measured_by`: the node of the prober that measured, which is the source or the target.
    """

    source: str
    target: str
    plane: str
    family: str
    rate: float
    retransmits: int
    age: float
    measured_by: str


class Paths(msgspec.Struct, frozen=True):
    """Paths, the worst first. `left_out`: how many more there are.

    `bandwidth`: between the same ends, the newest first, where it is measured (`bandwidth.enabled`). No moment of the
    past has any.
    """

    at: float | None
    paths: list[Path]
    left_out: int
    bandwidth: list[Bandwidth] = []


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on the whole mesh. `ok`: nothing is at fault, missing or failing, and every path has a result.

    `at`: when the verdict was made. `findings`: the open ones that count: faults, and failures without a common cause,
    but not those of your own targets, nor certificates that expire. `missing`: sentences about probers that do not
    answer or do not know all others. `failing`: paths between probers and to the echo services whose last probe failed,
    and those without a result. `left_out`: how many more of them there are. `explained_by_loss`: how many of those
    whose last probe failed packet loss among `findings` explains, left out ones included.
    """

    ok: bool
    at: float
    sentence: str
    findings: list[View]
    missing: list[str]
    failing: list[Path]
    left_out: int
    explained_by_loss: int


class NodeDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A node, its probers, the open findings that name it, and the failing paths from and to it.

    `paths_from`, `paths_to`: how many paths between nodes leave and enter it. `left_out`: failing ones not listed.
    """

    node: str
    zone: str
    probers: list[Prober]
    findings: list[View]
    paths_from: int
    paths_to: int
    failing: list[Path]
    left_out: int


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """Who reaches whom, in columns: the n-th entry of `to`, `state`, `attempts`, `rtt` and `age` is of cell n.

    `names`: of rows and columns alike, nodes or zones. `counts`: how many cells each row has, in the order of `names`;
    a pair without a cell is not probed, or is among `left_out`. `to`: the column of a cell, an index of `names`.
    `state`: a letter a cell: `o` works, `l` works and lost packets or failed in the last rounds, `p` some of its paths
    fail, `f` all of them fail, `s` its newest result is older than two intervals, `u` it has no result.
    `attempts`: in the last rounds. `rtt`: microseconds, the largest of its paths' medians, 0 without a sample.
    `age`: seconds from its newest result to the instant `at`, -1 without one.
    `failed` (attempts) and `loss` (ratio of packets): only cells where they are not 0, by the number of the cell.
    `zones`: the zone of each name, an index of `zone_names`. `left_out`: cells beyond the limit.
    """

    by: Literal["node", "zone"]
    at: float | None
    names: list[str]
    zone_names: list[str]
    zones: list[int]
    counts: list[int]
    to: list[int]
    state: str
    attempts: list[int]
    rtt: list[int]
    age: list[int]
    failed: dict[int, int]
    loss: dict[int, float]
    left_out: int


class StreamEvent(msgspec.Struct, frozen=True):
    """An event of the stream. `data` is JSON: `Snapshot`, `Summary`, `Notification` or `MatrixDelta`, by `event`."""

    id: str
    event: Literal["snapshot", "summary", "finding", "matrix"]
    data: str


class Snapshot(msgspec.Struct, frozen=True):
    """The first event of a stream: the answer and the open findings."""

    at: float | None
    summary: Summary
    findings: list[View]


class CellChange(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """A cell of the matrix by node, over all paths, and its state from now on."""

    source: str
    target: str
    state: Letter


class MatrixDelta(msgspec.Struct, frozen=True):
    """An event of the stream. `reload`: too much changed, fetch the matrix again."""

    at: float | None
    cells: list[CellChange]
    reload: bool


class FailedResult(msgspec.Struct, frozen=True, kw_only=True):
    """A probe that failed, and why."""

    at: float
    source: str
    network: str
    target: str
    plane: str
    family: str
    probe: str
    outcome: str
    error: str


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Failures, the newest first. `left_out`: older ones beyond the limit.

    `asked`: probers whose failures were fetched, `answered`: those that answered in time. `not_asked`: probers with
    failures beyond the number that one answer asks.
    """

    results: list[FailedResult]
    left_out: int
    asked: int
    answered: int
    not_asked: int


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What a bug report needs. `states`: those of the probers, from which the diagnosis can be repeated.

    `errors`: why probers do not answer. `states_left_out`: states beyond 16 MiB, of probers with the fewest failures.
    """

    version: int
    program: str
    at: float | None
    summary: Summary
    findings: Findings
    nodes: list[Node]
    zones: Matrix
    matrix: Matrix
    events: list[Event]
    errors: dict[str, str]
    states: list[msgspec.Raw]
    states_left_out: int
