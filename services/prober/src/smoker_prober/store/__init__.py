"""What a prober remembers of each path, and how it says so to other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from smoker_common.clock import Clock
from smoker_diagnosis.state import Bandwidth
from smoker_diagnosis.window import Sample
from smoker_prober.network.deadline import EVENT_LOOP
from smoker_prober.probes.followups.look_ups import Check
from smoker_prober.result import Result
from smoker_prober.snapshot import MeshView, Snapshot
from smoker_prober.store.identity import Identity
from smoker_prober.store.mesh_state import MeshState
from smoker_prober.store.state import Heard, States
from smoker_prober.store.windows import Windows
from smoker_prober.target import Path, Target


class Store:
    """The sink behind the two documents of a prober: the state, for the hub, and the snapshot, for the report.

    The mesh sets `zone` once it knows the zone of this node. It also sets `mesh_state` and `mesh`, which return
    what the mesh knows now, and `heard`, which returns when it last heard its peers. `bandwidth` returns the last
    transfers to peers, where they are measured. `waited` returns the seconds for which this process waited for a CPU.
    """

    def __init__(
        self, identity: Identity, *, waited: Callable[[], float] = EVENT_LOOP.delayed, clock: Clock | None = None
    ) -> None:
        self.identity = identity
        self.zone = ""
        self.mesh_state: Callable[[], MeshState] = MeshState
        self.heard: Heard = lambda _: ()
        self.mesh: Callable[[], MeshView | None] = lambda: None
        self.dns_pods: Mapping[str, str] = {}  # by the target of a path of role "dns": namespace and name of its pod
        self.bandwidth: Callable[[], tuple[Bandwidth, ...]] = tuple
        clock = clock or Clock()
        self._windows = Windows(clock)
        self._states = States(identity, waited=waited, clock=clock.now)

    def set_pace(self, interval: float, timeout: float) -> None:
        """Serve this interval and this timeout, in seconds, from now on."""
        self.identity = replace(self.identity, interval=interval, timeout=timeout)
        self._states.set_identity(self.identity)

    def expect(self, probe: str, path: Path) -> None:
        """Include this path from now on."""
        self._windows.expect(probe, path)
        self._states.expect(probe, path)

    def keep(self, result: Result) -> None:
        """Add `result` to its path."""
        self._states.keep(result)
        if not result.confirms:  # a confirmation would weigh failures more than successes
            self._windows.keep(result)

    def forget(self, probe: str, path: Path) -> None:
        """Leave this path out from now on."""
        self._windows.forget(probe, path)
        self._states.forget(probe, path)

    def fresh_failure(self, result: Result) -> bool:
        """Return whether `result`, kept already, is the first failure of its path in a row and worth a confirmation."""
        return self._states.fresh_failure(result)

    def lasts(self, result: Result) -> bool:
        """Return whether `result`, kept already, is a failure that lasts: the path has failed before it, too."""
        return self._states.lasts(result)

    def follow(self, failed: Result, found: Result) -> None:
        """Add what followed `failed` to its path, if it still fails."""
        self._states.follow(failed, found)

    def ask_again(self, target: Target, check: Check) -> None:
        """Add a check of the look-ups by the DNS Service to its path, if that is still probed."""
        self._states.ask_again(target, check)

    def failing(self, node: str, network: str) -> bool:
        """Return whether every path to the prober on `node` and `network` fails, and there is one."""
        return self._states.failing(node, network)

    def where(self) -> dict[str, str]:
        """Return where the prober stands, beside its node: its network, and its zone once it is known."""
        return {"network": self.identity.network} | ({"zone": self.zone} if self.zone else {})

    def document(self) -> tuple[str, bytes]:
        """Return the ETag and the state as JSON."""
        return self._states.document(self.zone, self._beside(), self.heard)

    def _beside(self) -> MeshState:
        """Return what this prober knows beside its results."""
        return replace(self.mesh_state(), dns_pods=dict(self.dns_pods), bandwidth=self.bandwidth())

    def samples(self, probe: str, target: str, plane: str, family: str) -> list[tuple[float, Sample]] | None:
        """Return the results of a path of the last hour, each with its age, the oldest first. None: no such path."""
        return self._windows.samples(probe, target, plane, family)

    def snapshot(self) -> Snapshot:
        """Return the snapshot of now."""
        return self._windows.snapshot(self.identity, self.zone, self.mesh())
