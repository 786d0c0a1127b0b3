"""Evidence: what works and what fails of each path, and how old each result is; the mesh of one look."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from smoker_diagnosis.state import AskedAgain, FailingFlows, HalfAnswers, KeptFlow, PathState, Traced

TCP, UDP, HTTP, LARGE, DNS = 1, 2, 4, 8, 16  # the probes of a path that are judged, one bit each
BITS = {"tcp": TCP, "udp": UDP, "http": HTTP}
NAMES = {TCP: "tcp", UDP: "udp", HTTP: "http", LARGE: "large", DNS: "dns"}
ECHO = TCP | UDP | HTTP  # the probes that every echo answers

POD, HOST = "pod", "host"
IN_A_ROW = 2  # failures in a row that are more than chance, where nothing else says how likely that is
LOCAL_ERROR, MTU, RESOLVE = "local_error", "mtu", "resolve_error"

Prober = tuple[str, str]  # node and network
Row = tuple[int, int]  # identity of a cell, bit
Places = tuple[int, ...]  # by bit: the place of a path in its prober's state
NOWHERE: Places = (-1,) * (DNS + 1)


class Failure(NamedTuple):
    """A probe of a path whose last result failed."""

    outcome: str
    since: float  # instant at which its first failure in a row began
    streak: int  # failures in a row


@dataclass(slots=True)
class Now:
    """A prober at the moment of a look. All its cells share one object."""

    instant: float = 0.0  # the time of its clock
    paths: Sequence[PathState] = ()  # of its state
    interval: float = 0.0  # seconds from one of its rounds to the next
    replaced: float = -math.inf  # when the ready pods of the UDP echo changed last, as far as it knows


def _nothing() -> Mapping[int, Any]:
    return _NOTHING  # most cells have no failure and share an empty mapping


_NOTHING: Mapping[int, Any] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Cell:
    """One path from a node to a node (or to a Service) over one plane and address family.

    Instants are seconds on the clock of the prober at its source. Those of results are read from the prober's state, so
    a cell stays as it is while its probes go on working.
    """

    source: str
    target: str  # a node; for a Service: its host
    plane: str
    family: str
    now: Now = field(default_factory=Now, repr=False)
    source_zone: str = ""
    target_zone: str = ""
    known: int = 0  # bits with a result that counts
    bad: int = 0  # of these, the ones whose last result failed
    places: Places = NOWHERE  # by bit, of the paths of the known results and of unsteady ones; -1: there is none
    failed: Mapping[int, Failure] = field(default_factory=_nothing)  # by failing bit
    connected: int = 0  # of the failing bits, those for which TCP connected and nothing answered
    tries: Mapping[int, int] = field(default_factory=_nothing)  # of a Service path, by bit, over the last rounds
    misses: Mapping[int, int] = field(default_factory=_nothing)  # of these, the ones that failed
    sent: int = 0  # packets of the trains, and the PINGs before them where trains lose packets
    lost: int = 0
    partly: int = 0  # look-ups that left with others of the same socket, of which some were answered
    halves: HalfAnswers | None = None  # the same over more rounds, where the prober counts them
    again: AskedAgain | None = None  # the same of look-ups that followed half answers, many at once
    requests_lost: int = 0  # as far as the reflector numbered them
    replies_lost: int = 0
    mtu: int = 0
    passes: int = 0
    offender: str = ""
    flows: FailingFlows | None = None  # flows that always fail, where a check has found some
    traced: Traced | None = None  # the last trace after one of the failures
    kept: KeptFlow | None = None  # the kept flow to a Service, where it fails
    past: int = 0  # results of the history, and of these:
    flaps: int = 0  # short streaks of failures that are over
    trains: int = 0  # results of the history that a train may have followed
    lossy: int = 0  # trains of the history that lost packets
    unsteady: int = 0  # bits that fail again and again: they say nothing about now
    heard: bool | None = None  # whether the far end heard the last failed UDP probe; None: not known

    @property
    def local(self) -> bool:
        """Whether both ends are on one node."""
        return self.source == self.target

    def clear(self) -> None:
        """Forget all results."""
        self.known = self.bad = self.connected = self.sent = self.lost = self.requests_lost = self.replies_lost = 0
        self.mtu = self.passes = self.past = self.flaps = self.unsteady = 0
        self.trains = self.lossy = self.partly = 0
        self.flows = self.kept = self.halves = self.again = None
        self.places, self.offender, self.heard, self.traced = NOWHERE, "", None, None
        self.failed = self.tries = self.misses = _NOTHING

    @property
    def prober(self) -> Prober:
        """Return the prober whose path it is."""
        return self.source, HOST if self.plane.startswith(HOST) else POD

    def at(self, bit: int) -> float:
        """Return the instant at which the last probe of `bit` began."""
        path = self.now.paths[self.places[bit]]
        return min(path.large_at, path.at) if bit == LARGE and path.large_at else path.at

    def age(self, bit: int) -> float:
        """Return the seconds since the last probe of `bit` began."""
        return self.now.instant - self.at(bit)

    def failing_for(self, bit: int) -> float:
        """Return the seconds since the first failure in a row of `bit` began."""
        return self.now.instant - self.failed[bit].since

    def fails_from_start(self, bit: int) -> bool:
        """Return whether no probe of the failing `bit` has worked since the prober started, as far as it says."""
        path = self.now.paths[self.places[bit]]
        return 0 < path.past <= path.streak

    @property
    def lost_for(self) -> float | None:
        """Return the seconds since the last probe began that lost packets; None where that is not known."""
        path = self.now.paths[self.places[UDP]] if self.places[UDP] >= 0 else None
        if path is None or not path.lost_at:
            return None
        return self.now.instant - (path.at if path.last not in ("success", MTU) else path.lost_at)

    def rounds_since(self, bit: int, seconds: float) -> int:
        """Return how many of the counted rounds of `bit` began less than `seconds` ago.

        A path that lost packets says when, with its second trains. Of others, one began in each interval.
        """
        begun = seconds - self.age(bit) if self.places[bit] >= 0 else -1.0
        if begun <= 0 or self.now.interval <= 0:
            return 0
        path = self.now.paths[self.places[bit]]
        if path.counted:
            return sum(self.now.instant - at < seconds for at, _sent in path.counted)
        return min(1 + int(begun / self.now.interval), path.attempts)

    def packets_since(self, seconds: float) -> float:
        """Return how many packets the trains had that began less than `seconds` ago."""
        trains = self.rounds_since(UDP, seconds)
        if not trains:
            return 0.0
        path = self.now.paths[self.places[UDP]]
        if path.counted:
            return sum(sent for at, sent in path.counted if self.now.instant - at < seconds)
        return trains * path.sent / max(path.attempts, 1)

    def failing(self, bits: int) -> Iterator[int]:
        """Return the bits of `bits` whose probes fail."""
        return each_bit(self.bad & bits)


def each_bit(bits: int) -> Iterator[int]:
    """Yield each bit of `bits`, the lowest first."""
    while bits:
        bit = bits & -bits
        yield bit
        bits ^= bit


def share_lost(cells: Iterable[Cell]) -> float:
    """Return the share of the packets on `cells` that were lost, 0 where none was sent."""
    sent = lost = 0
    for cell in cells:
        sent += cell.sent
        lost += cell.lost
    return lost / sent if sent else 0.0


class Other(NamedTuple):
    """A path of another role: to a further target."""

    source: str
    path: PathState

    @property
    def judged(self) -> bool:
        """Return whether the last result says something about the target."""
        return self.path.last not in ("", LOCAL_ERROR)

    @property
    def fails(self) -> bool:
        """Return whether it failed several times in a row: a single failure can be chance."""
        return self.judged and self.path.last != "success" and self.path.streak >= IN_A_ROW


@dataclass(slots=True)
class Move:
    """A move of an echo service's pods to other nodes."""

    before: frozenset[str]
    after: frozenset[str]
    seen: dict[Prober, float]  # the time of each prober's clock when the move was seen
    failed: list[Cell] = field(default_factory=list)  # paths whose last probe failed before the move

    def missed(self, bit: int) -> int:
        """Return how many paths have had no result since the move."""
        return sum(not cell.known & bit for cell in self.failed)


class Own(Protocol):
    """What one prober knows."""

    cells: list[Cell]  # its paths between nodes


@dataclass(slots=True)
class Mesh:
    """All evidence of one look."""

    own: Mapping[Prober, Own] = field(default_factory=dict)  # paths between nodes, by the prober that probes them
    to: Mapping[str, Mapping[Prober, list[Cell]]] = field(default_factory=dict)  # the same by target and prober
    count: int = 0  # of these
    failing: list[Cell] = field(default_factory=list)  # of these, the ones with a failing bit
    losing: list[Cell] = field(default_factory=list)  # of these, the ones between two nodes that lost packets
    partial: list[Cell] = field(default_factory=list)  # of these, the ones on which some flows always fail
    known: int = 0  # how many of these have a result
    unsteady: list[Cell] = field(default_factory=list)  # paths between nodes and to Services with an unsteady bit
    past: int = 0  # the histories of the steady ones
    flaps: int = 0
    trains: int = 0  # the histories of those between two nodes
    lossy: int = 0
    sent: int = 0  # packets of these between two nodes
    lost: int = 0
    directed: int = 0  # pairs of a source and a target
    planes: Counter[str] = field(default_factory=Counter)  # how many of these each plane has
    services: list[Cell] = field(default_factory=list)  # to the echo services; `target` is their host
    troubled: list[Cell] = field(default_factory=list)  # of these, the ones with a failing bit or a failing kept flow
    resolvers: list[Cell] = field(default_factory=list)  # to the cluster's DNS: by its Service, and to each of its pods
    dns_pods: dict[str, str] = field(default_factory=dict)  # by target of these: the pod's namespace and name
    others: list[Other] = field(default_factory=list)
    zones: dict[str, str] = field(default_factory=dict)  # of nodes
    answering: set[str] = field(default_factory=set)  # nodes with a prober whose state is here
    silent: Mapping[Prober, float] = field(default_factory=dict)  # for seconds: others probe it, its state is not here
    down: Mapping[str, int] = field(default_factory=dict)  # by node that `diagnose` gets as down: its silent probers
    hung: set[Prober] = field(default_factory=set)  # whose state is here and is old
    mute: dict[Prober, tuple[int, int]] = field(
        default_factory=dict
    )  # that connect, and answer nothing: of how many paths
    left: dict[str, list[bool]] = field(default_factory=dict)  # by node that is not ready: whether it failed before
    echoes: dict[int, set[str]] = field(default_factory=dict)  # by bit: nodes of the echo's pods, if known
    moves: Mapping[int, Move] = field(default_factory=dict)  # by bit: the last move of an echo's pods, for some rounds
    evicted: frozenset[str] = frozenset()  # probes whose echo lost pods on a node that pods leave, a while ago
    without_api: set[str] = field(default_factory=set)  # nodes on which the API server does not answer
    nodes: set[str] = field(default_factory=set)  # every node that the evidence mentions

    @property
    def cells(self) -> Iterator[Cell]:
        """Every path between nodes."""
        return chain.from_iterable(own.cells for own in self.own.values())

    def leaving(self, node: str) -> Iterator[Cell]:
        """Yield the paths from `node`."""
        both = self.own.get((node, POD)), self.own.get((node, HOST))
        return chain.from_iterable(own.cells for own in both if own is not None)

    def entering(self, node: str) -> Iterator[Cell]:
        """Yield the paths to `node`, its own among them."""
        return chain.from_iterable(self.to.get(node, {}).values())
