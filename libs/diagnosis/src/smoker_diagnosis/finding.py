"""A finding as data: place, fault, confidence and evidence. Only the package `text` makes sentences."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from smoker_diagnosis.component import Scope
from smoker_diagnosis.evidence import NAMES, Cell
from smoker_diagnosis.traces import LastHop

Kind = Literal[
    "fault",
    "loss",
    "mtu",
    "not_ready",
    "silent",
    "dns",
    "service",
    "moved",
    "target",
    "certificate",
    "flows",
    "conntrack",
    "unsteady",
    "unknown",
]
Severity = Literal["critical", "warning", "info"]
Check = Literal["dns_pods", "other_nodes"]

SHOWN_FAILING, SHOWN_WORKING = 20, 5  # most paths in a finding
SHOWN_CAUSES, LONGEST_CAUSE = 3, 200  # causes, and characters of one


SURE = 0.9  # confidence from which a place is named without a doubt


class Seen(msgspec.Struct, frozen=True):
    """One path of the evidence."""

    source: str
    target: str
    plane: str
    family: str
    probe: str
    outcome: str  # "success" for a working one
    since: float = 0.0  # seconds for which it has failed
    error: str = ""  # the cause that the probe reported, in words for people; empty: not known


class Cause(msgspec.Struct, frozen=True):
    """A cause that probes reported, in words for people, and the number of paths on which they did."""

    error: str
    paths: int


class SeenFlows(msgspec.Struct, frozen=True):
    """One path on which some flows always fail: how many source ports of those that were tried."""

    source: str
    target: str
    plane: str
    family: str
    failing: int
    of: int


class Count(msgspec.Struct, frozen=True):
    """Number of failing paths, and of all paths, of one plane within the scope."""

    plane: str
    failing: int
    of: int

    @property
    def half_fail(self) -> bool:
        """Whether at least half of them fail."""
        return 2 * self.failing >= self.of > 0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A fault: its place, layer, kind, confidence and evidence.

    `scope.kind` is empty where no common cause was found. `layers` has more than one entry where the paths cannot tell
    them apart. `one_of` is empty, or has every scope that explains the paths about as well, `scope` among them.
    """

    id: str
    kind: Kind
    scope: Scope
    layer: str
    layers: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()  # empty: all
    families: tuple[str, ...] = ()  # empty: all
    one_of: tuple[Scope, ...] = ()
    severity: Severity = "critical"
    confidence: float = 1.0
    direction: str = ""  # "in", "out", "both"; empty: not known
    share: float = 1.0  # of the packets or look-ups that fail
    mtu: int = 0  # bytes
    passes: int = 0
    offender: str = ""
    outcomes: tuple[str, ...] = ()  # of the failing probes
    since: float = 0.0  # seconds for which the fault has been seen
    counts: tuple[Count, ...] = ()
    beside: tuple[Count, ...] = ()  # of the other planes between the same nodes
    failing: tuple[Seen, ...] = ()
    working: tuple[Seen, ...] = ()
    flows: tuple[SeenFlows, ...] = ()  # paths on which some flows always fail
    kept_ports: tuple[int, ...] = ()  # source ports of kept flows that fail, in the order of `failing`
    pod: str = ""  # `namespace/name` of the pod that is at fault
    last_hops: tuple[LastHop, ...] = ()  # at which traces of the failing paths end
    follows: int = 0  # paths to the echo services that fail because of it
    notes: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()  # of the failing probes of a target, the most frequent first
    awaits: tuple[Check, ...] = ()  # checks without a result since the fault began that may change its name
    from_start: bool = False  # whether none of a Service's failing paths has worked since its prober started
    may_grow: bool = False  # whether it may be what shows so far of a fault of a node: other paths there are in trouble


def is_sure(finding: Finding) -> bool:
    """Return whether the finding has one place, and its confidence says so."""
    return finding.confidence >= SURE and not finding.one_of


def is_harmless(finding: Finding) -> bool:
    """Return whether the network is healthy beside the finding: information, or a certificate that expires."""
    return finding.severity == "info" or finding.kind == "certificate"


def identity(cluster: str, kind: str, scope: Scope, layer: str) -> str:
    """Return the id of a finding. It stays the same after a restart and in every replica of the hub."""
    words = "\0".join([cluster, kind, scope.kind, *scope.nodes, *scope.zones, layer])
    return hashlib.blake2b(words.encode(), digest_size=6).hexdigest()


def finding_of(cluster: str, kind: Kind, scope: Scope, layer: str, **more: Any) -> Finding:
    """Return a finding with its id."""
    return Finding(id=identity(cluster, kind, scope, layer), kind=kind, scope=scope, layer=layer, **more)


def causes_of(errors: Iterable[str]) -> tuple[Cause, ...]:
    """Return the causes that most of the failing paths report, given the error of each path."""
    counted = Counter(error[:LONGEST_CAUSE] for error in errors if error)
    return tuple(Cause(*each) for each in sorted(counted.items(), key=lambda each: (-each[1], each[0]))[:SHOWN_CAUSES])


def flows_of(cells: Iterable[Cell]) -> tuple[SeenFlows, ...]:
    """Return those of `cells` on which some flows always fail, the most failing ones first."""
    found = [
        SeenFlows(cell.source, cell.target, cell.plane, cell.family, cell.flows.failing, cell.flows.tried)
        for cell in cells
        if cell.flows is not None
    ]
    return tuple(sorted(found, key=lambda each: (-each.failing, each.source, each.target))[:SHOWN_FAILING])


def seen(cells: Iterable[Cell], bits: int) -> Iterator[Seen]:
    """Yield the failing probes of `cells`; for a cell without failures, one success."""
    for cell in cells:
        failing = list(cell.failing(bits))
        for bit in failing:
            failure = cell.failed[bit]
            yield Seen(
                cell.source, cell.target, cell.plane, cell.family, NAMES[bit], failure.outcome, cell.failing_for(bit)
            )
        if not failing:
            yield Seen(cell.source, cell.target, cell.plane, cell.family, "", "success")
