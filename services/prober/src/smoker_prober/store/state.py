"""The state of this prober for the hub, as `smoker_diagnosis.state` defines it.

It is updated as results come. A request for it encodes the state once after a change. What the mesh knows is compared
at each request. When peers were heard changes all the time, and only matters where paths fail: so the instants of those
peers alone count as a change, and the others are as old as the document.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection

import msgspec

from smoker_diagnosis.state import PEER, PathState, State, Traced, encode
from smoker_diagnosis.state import Heard as HeardAt
from smoker_prober.probes.followups.look_ups import Check
from smoker_prober.probes.trace import Details as Trace
from smoker_prober.result import Outcome, Result
from smoker_prober.store.checks import Checks
from smoker_prober.store.identity import Identity
from smoker_prober.store.mesh_state import MeshState
from smoker_prober.store.record import Record
from smoker_prober.target import Path, Target

STATE = "/api/v1/state"
STARVED = 0.25  # share of time that this process waited for a CPU
LOOK = 5.0  # seconds between two looks at that
TWICE = 2  # failures that are more than a restart
Heard = Callable[[Collection[str] | None], tuple[HeardAt, ...]]  # of the peers on these nodes; None: of all
SILENT = (Outcome.TIMEOUT, Outcome.UNREACHABLE)


class States:
    """The state of each path. `waited` returns the seconds for which this process has waited for a CPU."""

    def __init__(self, identity: Identity, *, waited: Callable[[], float], clock: Callable[[], float]) -> None:
        self._identity, self._waited, self._clock = identity, waited, clock
        self._records: dict[tuple[str, Path], Record] = {}
        self._paths: dict[tuple[str, Path], PathState] = {}
        self._looked, self._waited_then, self._starved = clock(), waited(), False
        self._changes = 0
        self._document: tuple[int, bytes] = (-1, b"")
        self._beside: tuple[str, MeshState, tuple[HeardAt, ...]] | None = None  # what the mesh knew at the last request
        self._process = os.urandom(4).hex()  # part of the ETag: two processes count their changes alike

    def set_identity(self, identity: Identity) -> None:
        """Serve this identity from now on."""
        if identity != self._identity:
            self._identity = identity
            self._changes += 1

    def expect(self, probe: str, path: Path) -> None:
        """Include this path from now on."""
        if (probe, path) not in self._paths:
            self._records[probe, path] = Record()
            self._paths[probe, path] = PathState(path.role, path.target, path.plane, path.family, probe, path.zone)
            self._changes += 1

    def forget(self, probe: str, path: Path) -> None:
        """Leave this path out from now on."""
        if self._paths.pop((probe, path), None) is not None:
            del self._records[probe, path]
            self._changes += 1

    def keep(self, result: Result) -> None:
        """Add `result` to its path."""
        key = result.probe, result.target.path
        self.expect(*key)
        record, before = self._records[key], self._paths[key]
        if result.outcome is not Outcome.LOCAL_ERROR:
            record.count(result, before.last, self._identity.interval)
        self._paths[key] = record.state(before, result)
        self._changes += 1

    def fresh_failure(self, result: Result) -> bool:
        """Return whether `result`, kept already, is the first failure of its path in a row and worth a confirmation."""
        return self._streak(result) == 1

    def lasts(self, result: Result) -> bool:
        """Return whether `result`, kept already, is a failure that lasts: the path has failed before it, too."""
        return self._streak(result) > 1

    def _streak(self, result: Result) -> int:
        """Return the failures in a row up to `result`; 0 where it says nothing of the target or lost large packets."""
        if result.outcome in (Outcome.SUCCESS, Outcome.LOCAL_ERROR, Outcome.MTU):
            return 0
        return self._records[result.probe, result.target.path].streak

    def follow(self, failed: Result, found: Result) -> None:
        """Add what followed `failed` to its path, if it still fails."""
        key = failed.probe, failed.target.path
        record = self._records.get(key)
        if record is None or not record.streak or not isinstance(found.details, Trace):
            return
        trace, last = found.details, found.details.last
        address = trace.hops[last - 1].address if last else ""
        hops, before = list(trace.addresses), list(trace.before)
        record.traced = Traced(round(found.began, 3), last, address, trace.reached, hops, before)
        self._paths[key] = msgspec.structs.replace(self._paths[key], traced=record.traced)
        self._changes += 1

    def ask_again(self, target: Target, check: Check) -> None:
        """Add a check of the look-ups by the DNS Service to its path, if that is still probed."""
        key = target.probe, target.path
        record = self._records.get(key)
        if record is None:
            return
        record.checks = record.checks or Checks()
        record.checks.add(check)
        self._paths[key] = msgspec.structs.replace(self._paths[key], halves=record.half_answers())
        self._changes += 1

    def failing(self, node: str, network: str) -> bool:
        """Return whether the prober on `node` and `network` has failed: since a first failure, no path to it worked.

        Not every path has been probed since then: a node can become not ready before a round is over.
        """
        seen = [
            state
            for state in self._paths.values()
            if state.role == PEER
            and state.target == node
            and state.last not in ("", Outcome.LOCAL_ERROR)
            and _network_at_the_end(state.plane) == network
        ]
        failed = [state for state in seen if state.last != Outcome.SUCCESS]
        # A node that dies is silent; a single refusal is a pod that restarts.
        if not any(state.last in SILENT for state in failed) and sum(state.streak for state in failed) < TWICE:
            return False
        first = min(state.since for state in failed)
        return all(state.at <= first for state in seen if state.last == Outcome.SUCCESS)

    def document(self, zone: str, mesh_state: MeshState, heard: Heard) -> tuple[str, bytes]:
        """Return the ETag and the state as JSON. `heard` returns when peers were last heard."""
        self._look()
        failing = {state.target for state in self._paths.values() if state.streak and state.role == PEER}
        beside = zone, mesh_state, heard(failing) if failing else ()
        if beside != self._beside:
            self._beside = beside
            self._changes += 1
        if self._document[0] != self._changes:
            self._document = self._changes, encode(self.state(zone, mesh_state, heard(None)))
        return f'"{self._process}-{self._changes}"', self._document[1]

    def state(self, zone: str, mesh_state: MeshState, heard: Collection[HeardAt] = ()) -> State:
        """Return the state now."""
        identity = self._identity
        return State(
            cluster=identity.cluster,
            node=identity.node,
            network=identity.network,
            zone=zone,
            time=round(time.time(), 3),
            at=round(self._clock(), 3),
            interval=identity.interval,
            timeout=identity.timeout,
            starved=self._starved,
            api=mesh_state.api,
            peers=mesh_state.peers,
            paths=list(self._paths.values()),
            heard=list(heard),
            left=list(mesh_state.left),
            echoes=mesh_state.echoes,
            moves=dict(mesh_state.moves),
            dns_pods=mesh_state.dns_pods,
            bandwidth=list(mesh_state.bandwidth),
            replaced=dict(mesh_state.replaced),
        )

    def _look(self) -> None:
        """See, now and then, whether this process lacks CPU."""
        now = self._clock()
        if now - self._looked < LOOK:
            return
        waited = self._waited()
        starved = (waited - self._waited_then) / (now - self._looked) > STARVED
        self._looked, self._waited_then = now, waited
        if starved != self._starved:
            self._starved = starved
            self._changes += 1


def _network_at_the_end(plane: str) -> str:
    return plane.rpartition("-")[2]
