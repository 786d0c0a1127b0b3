"""A small mesh whose probers run their rounds second by second, for tests of what the hub opens, and when.

Unlike the mesh of tests/bench it has paths to each DNS pod, and the check of flows that follows lost packets.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import NamedTuple

from msgspec.structs import replace

from smoker_common.clock import Clock
from smoker_diagnosis.evidence import BITS
from smoker_diagnosis.failures import Failures
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.flows import judge
from smoker_diagnosis.state import PEER, RESOLVER, SERVICE, FailingFlows, Heard, PathState, Role, State
from smoker_hub.collect import Collected
from smoker_hub.diagnose import Diagnosis
from smoker_hub.hub import USUAL
from smoker_hub.incidents import Change, Incidents

INTERVAL, TIMEOUT = 30.0, 5.0
CONFIRMED = 2.5  # seconds from a failure to its confirmation
PACKETS, PORTS, PASSES = 10, 16, 6  # of a train; source ports of a check, and packets of each
CHECKS_APART = 60.0  # seconds
BEGIN = 600.0  # instant of the fault; before it every path has been probed often
LOOKS_EVERY = 5.0  # seconds between two regular looks; there is one each second


class Flow(NamedTuple):
    """Packets with one source port: from `source` to the node (or the DNS pod's node) `target`, and back."""

    source: str
    target: str
    port: float  # 0 to 1, at random


Lost = Callable[[Flow], bool]  # whether every packet of a flow is lost


@dataclass
class Fault:
    """What fails from `BEGIN` on."""

    flow: Lost = lambda _flow: False  # between nodes
    dead_dns: frozenset[str] = frozenset()  # nodes whose DNS pod does not answer
    no_dns_on: frozenset[str] = frozenset()  # nodes from which no DNS pod is reached


@dataclass
class _Track:
    """One path and probe."""

    path: PathState
    rounds: deque[tuple[bool, int, int]] = field(default_factory=lambda: deque([(True, 0, 0)] * 3, maxlen=3))
    missed: bool = False  # whether a check of its flows is due
    checked: float = 0.0


class _Clock(Clock):
    instant = 0.0

    def now(self) -> float:
        return self.instant


class Timeline:
    """`nodes` that all probe each other, the echo services, the DNS Service, and the DNS pods on the nodes `dns`.

    `background`: the share of rounds that fail by chance. `asks_pods`: whether DNS pods are asked after `BEGIN`.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        dns: Sequence[str],
        fault: Fault,
        *,
        seed: int = 1,
        background: float = 0.0,
        asks_pods: bool = True,
    ) -> None:
        self._nodes, self._dns, self._fault = nodes, dns, fault
        self._background, self._asks_pods = background, asks_pods
        self._chance, self.now = random.Random(seed), BEGIN - INTERVAL
        self._tracks: dict[str, list[_Track]] = {node: [] for node in nodes}
        self._heard: dict[tuple[str, str], float] = {}  # by listening node and source
        self._steps: list[tuple[float, int, Callable[[], None]]] = []  # a heap: when, number, what becomes known then
        self._numbers = count()
        for node in nodes:
            peers = [_Track(self._new(PEER, each, "pod", probe)) for each in nodes for probe in BITS]
            echoes = [_Track(self._new(SERVICE, "echo:8080", "service", probe)) for probe in BITS]
            pods = [_Track(self._new(RESOLVER, each, "pod", "dns")) for each in dns]
            by_service = _Track(self._new(RESOLVER, "kubernetes.default", "service", "dns"))
            self._tracks[node] = [*peers, *echoes, *pods, by_service]
            together = [peers[place : place + 3] for place in range(0, len(peers), 3)]
            for tracks in (*together, echoes, *([each] for each in pods), [by_service]):
                begin = self.now + self._chance.uniform(0.0, INTERVAL)
                self._at(begin, partial(self._round, node, tracks, begin))

    @staticmethod
    def _new(role: Role, target: str, plane: str, probe: str) -> PathState:
        family = "ipv4" if role == PEER else ""
        packets = 3 * PACKETS if probe == "udp" else 0
        return PathState(role, target, plane, family, probe, "", "success", BEGIN - INTERVAL, 3, sent=packets, past=120)

    def _at(self, when: float, step: Callable[[], None]) -> None:
        heapq.heappush(self._steps, (when, next(self._numbers), step))

    def advance(self) -> None:
        """Let one second pass."""
        self.now += 1.0
        while self._steps[0][0] <= self.now:
            heapq.heappop(self._steps)[2]()

    def states(self) -> list[State]:
        """Return the states now."""
        return [
            State(
                node=node,
                cluster="test",
                at=self.now,
                interval=INTERVAL,
                timeout=TIMEOUT,
                paths=[track.path for track in self._tracks[node]],
                heard=[Heard(source, "pod", "ipv4", at) for (here, source), at in self._heard.items() if here == node],
                dns_pods={each: f"kube-system/coredns-{each}" for each in self._dns},
            )
            for node in self._nodes
        ]

    def _round(self, node: str, tracks: Sequence[_Track], begin: float) -> None:
        self._at(begin + INTERVAL, partial(self._round, node, tracks, begin + INTERVAL))
        if begin >= BEGIN and not self._asks_pods and _is_dns_pod(tracks[0].path):
            return
        by_chance = self._chance.random() < self._background
        when = begin
        for track in tracks:
            outcome = "timeout" if by_chance else self._outcome(node, track, when)
            self._after(node, track, when, outcome, confirms=False)
            if outcome != "success":
                when += TIMEOUT
                again = when + CONFIRMED
                self._at(again, partial(self._confirm, node, track, again))

    def _confirm(self, node: str, track: _Track, when: float) -> None:
        self._after(node, track, when, self._outcome(node, track, when), confirms=True)

    def _after(self, node: str, track: _Track, began: float, outcome: str, *, confirms: bool) -> None:
        """Keep a result as soon as it is known: a success at once, a failure after the timeout."""
        ended = began if outcome == "success" else began + TIMEOUT
        self._at(ended, partial(self._keep, node, track, began, outcome, confirms=confirms))

    def _outcome(self, node: str, track: _Track, when: float) -> str:
        path = track.path
        if when < BEGIN:
            return "success"
        if path.role == PEER:
            return "timeout" if self._lost(node, path.target) else "success"
        if _is_dns_pod(path):
            return "success" if self._answers(node, path.target) else "timeout"
        if not self._answers(node, self._chance.choice(self._dns)):
            return "timeout" if path.role == RESOLVER else "resolve_error"
        if path.role == SERVICE:
            return "timeout" if self._lost(node, self._chance.choice(self._nodes[:2])) else "success"
        return "success"

    def _answers(self, node: str, pod: str) -> bool:
        return pod not in self._fault.dead_dns and node not in self._fault.no_dns_on and not self._lost(node, pod)

    def _lost(self, source: str, target: str) -> bool:
        return source != target and self._fault.flow(Flow(source, target, self._chance.random()))

    def _keep(self, node: str, track: _Track, began: float, outcome: str, *, confirms: bool) -> None:
        path, ok = track.path, outcome == "success"
        lost, flows = 0, path.flows
        udp = path.role == PEER and path.probe == "udp"
        if udp and ok and not confirms and began >= BEGIN:
            lost = PACKETS if self._lost(node, path.target) else 0
            flows = self._checked(node, track, began, missed=lost > 0)
        elif udp and not ok:
            track.missed = True
        if udp and ok:
            self._heard[path.target, node] = began
        if not confirms:
            track.rounds.append((ok, PACKETS if udp and ok else 0, lost))
        failed = sum(not each for each, _, _ in track.rounds)
        streak = 0 if ok else path.streak + 1
        track.path = PathState(
            *(path.role, path.target, path.plane, path.family, path.probe, path.zone, outcome, began, 3),
            failures={outcome if not ok else "timeout": failed} if failed else {},
            streak=streak,
            since=0.0 if ok else (path.since or began),
            sent=sum(sent for _, sent, _ in track.rounds),
            lost=sum(gone for _, _, gone in track.rounds),
            past=120,
            flows=flows,
            lost_at=began if lost else path.lost_at,
        )

    def _checked(self, node: str, track: _Track, began: float, *, missed: bool) -> FailingFlows | None:
        """Return what a check of the flows has found, if one is due; otherwise what the last one found."""
        track.missed = track.missed or missed
        if not (track.missed or track.path.flows) or began - track.checked < CHECKS_APART:
            return track.path.flows
        track.checked, track.missed = began, False
        found = judge([0 if self._lost(node, track.path.target) else PASSES for _ in range(PORTS)], PASSES)
        return FailingFlows(began, found.tried, found.failing) if found.failing else None


def _is_dns_pod(path: PathState) -> bool:
    return path.role == RESOLVER and path.plane == "pod"


class Opened(NamedTuple):
    """A finding that the hub opened."""

    after: float  # seconds since the fault began
    waited: float  # since the hub first saw it
    finding: Finding


def looks(timeline: Timeline, seconds: float, *, waits: bool = True) -> Iterator[Opened]:
    """Let the hub look each second until `seconds` after the fault began. Yield what it opens from then on.

    `waits`: whether it waits for checks that may change a name.
    """
    for each in changes(timeline, seconds, waits=waits):
        if each.kind == "open":
            now = timeline.now
            yield Opened(now - BEGIN, now - each.incident.first_seen, each.incident.finding)


def changes(timeline: Timeline, seconds: float, *, waits: bool = True) -> Iterator[Change]:
    """Do the same, and yield each change as it comes."""
    clock, incidents = _Clock(), Incidents()
    diagnosis, failures, regular = Diagnosis(clock=clock), Failures(), 0.0
    while timeline.now < BEGIN + seconds:
        timeline.advance()
        now = clock.instant = timeline.now
        states = timeline.states()
        early = now - regular < USUAL * LOOKS_EVERY
        regular = regular if early else now
        news = failures.look(states)
        found = diagnosis.look(Collected(states, asked=len(states)))
        found = found if waits else [replace(each, awaits=()) for each in found]
        for each in incidents.look(found, now, early=early, news=news, a_round=INTERVAL + TIMEOUT):
            if now >= BEGIN:
                yield each
