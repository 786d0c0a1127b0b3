"""The prober: hosts on a schedule, and each result to whoever wants to know.

fixed hosts, peers ─▶ schedule ─▶ round ─▶ Result ─▶ log line, metrics, windows, state
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

from loguru import logger
from prometheus_client import CollectorRegistry

from smoker_prober import round as rounds
from smoker_prober.peers.direction import Arrivals, Direction
from smoker_prober.probes import PROBES
from smoker_prober.probes.base import run
from smoker_prober.probes.followups.confirm import Confirmations
from smoker_prober.process import Settings
from smoker_prober.result import Result
from smoker_prober.schedule import Schedule
from smoker_prober.sinks import log
from smoker_prober.sinks.metrics import Metrics
from smoker_prober.store.state import StateSink
from smoker_prober.store.windows import Memory
from smoker_prober.target import Path, Target

Where = Mapping[str, Target]  # a target for each probe, and one for the train
Hosts = Mapping[str, Where]  # by name

NEW = 2  # rounds in which a peer's failures say that it has just come, and not that the way to it is broken


class Prober:
    """Probes `fixed` hosts and what peers there are; results are logged, counted in `registry`, kept in `memory`.

    `arrivals` are of those peers. `never` has the source ports from which echoes answer no datagram: what is
    added to it later holds, too.
    """

    def __init__(
        self,
        settings: Settings,
        fixed: Hosts,
        memory: Memory,
        registry: CollectorRegistry,
        *,
        arrivals: Arrivals,
        state: StateSink,
        never: Collection[int] = (),
    ) -> None:
        self._settings, self._memory, self._arrivals, self._state = settings, memory, arrivals, state
        self._never = never
        self._metrics = Metrics(registry, interval=settings.test_interval, probes=settings.probes, where=memory.where)
        self._confirmations = Confirmations(settings.test_interval)
        self._hosts: dict[str, Where] = {}
        self._rounds: dict[str, Callable[[], None]] = {}
        self._fixed = dict(fixed)
        self._schedule = Schedule(
            {},
            interval=settings.test_interval,
            longest=rounds.latest(settings),
            node=settings.node_name,
            began=self._metrics.began,
        )
        self.meet({})
        # From here on the scheduler's life is the prober's.
        self.start, self.drain = self._schedule.start, self._schedule.drain
        self.unready, self.stuck = self._schedule.unready, self._schedule.stuck

    def meet(self, peers: Hosts) -> None:
        """Probe these peers from now on, and the fixed hosts. Who is not among them any more is forgotten."""
        hosts = {**self._fixed, **peers}
        before = _paths(self._hosts)
        for name, where in hosts.items():
            if self._hosts.get(name) != where:
                self._rounds[name] = self._round(name, where, new=name in peers)
        for name in self._rounds.keys() - hosts.keys():
            del self._rounds[name]
        self._hosts = hosts
        now = _paths(hosts)
        for key in before.keys() - now.keys():
            self._metrics.forget(*key)
            self._memory.forget(*key)
            self._state.forget(*key)
        for key in now:  # one that is there already stays as it is
            self._memory.expect(*key)
            self._state.expect(*key)
        for key in _paths(self._fixed):
            self._metrics.expect(*key)
        self._schedule.set(self._rounds)

    def _round(self, name: str, where: Where, *, new: bool) -> Callable[[], None]:
        quiet, large = NEW if new else 0, rounds.Large(self._settings)
        direction = Direction(self._arrivals)

        def one_round() -> None:
            nonlocal quiet
            for result in map(direction.of, rounds.results(self._settings, where, large, self._never)):
                if not self._schedule.has(name, one_round):
                    return  # it has left meanwhile: what failed since is no fault
                if result.outcome.ok or not quiet:
                    log.write(result, self._settings.latency)
                    self._metrics.keep(result)
                    self._memory.keep(result)
                    self._state.keep(result)
                    if self._state.fresh_failure(result):
                        self._confirmations.later(partial(self._confirm, name, one_round, result))
                else:
                    logger.debug("a new peer does not answer yet", peer=name, probe=result.probe, error=result.error)
                if self._schedule.closed:
                    return
            quiet = max(quiet - 1, 0)
            self._metrics.ended()

        return one_round

    def _confirm(self, name: str, one_round: Callable[[], None], failed: Result) -> None:
        """Repeat the probe that `failed`, unless its target has left meanwhile."""
        if self._schedule.closed or not self._schedule.has(name, one_round):
            return
        settings = self._settings
        probe, never = PROBES[failed.probe], {*self._never, failed.target.port}
        found = run(failed.probe, probe, failed.target, settings.node_name, settings.test_timeout, never=never)
        if self._schedule.has(name, one_round):
            result = replace(found, confirms=True)
            log.write(result, settings.latency)
            self._state.keep(result)

    def retire(self) -> None:
        """Begin no probe any more."""
        self._confirmations.close()
        self._schedule.close()

    close = retire


def _paths(hosts: Hosts) -> dict[tuple[str, Path], None]:
    """The paths of `hosts`, each with its probe, in their order."""
    targets = (item for where in hosts.values() for item in where.items())
    return {(probe, target.path): None for probe, target in targets if probe in PROBES}
