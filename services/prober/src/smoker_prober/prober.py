"""The prober: hosts on a schedule, and each result to the sinks.

fixed hosts, peers ─▶ schedule ─▶ round ─▶ Result ─▶ log line, metrics, store
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial

from loguru import logger

from smoker_prober import round as rounds
from smoker_prober.config.service import Hosts
from smoker_prober.peers.direction import Arrivals, Direction
from smoker_prober.probes import run
from smoker_prober.probes.followups.confirm import Confirmations
from smoker_prober.process import Settings
from smoker_prober.result import Result
from smoker_prober.schedule import Schedule
from smoker_prober.sinks import Sink
from smoker_prober.sinks.log import Log
from smoker_prober.sinks.metrics import Metrics
from smoker_prober.store import Store
from smoker_prober.target import Path, Target

NEW = 2  # rounds in which a failure of a peer says that it has just come, and not that the path to it is broken


class Prober:
    """Probes `fixed` hosts and the peers that `set_peers` names. Results go to the log, to `metrics` and to `store`.

    `arrivals` are those of the peers' datagrams. `never` has the source ports from which echoes answer no datagram;
    ports that are added to it later count, too.
    """

    def __init__(
        self,
        settings: Settings,
        fixed: Hosts,
        *,
        store: Store,
        metrics: Metrics,
        arrivals: Arrivals,
        never: Collection[int] = (),
    ) -> None:
        self._settings, self._store, self._metrics, self._arrivals = settings, store, metrics, arrivals
        self._never = never
        self._sinks: tuple[Sink, ...] = (Log(settings.latency), metrics, store)
        self._confirmations = Confirmations(settings.test_interval)
        self._hosts: Hosts = {}
        self._rounds: dict[str, Callable[[], None]] = {}
        self._fixed = dict(fixed)
        self._schedule = Schedule(
            {},
            interval=settings.test_interval,
            longest=rounds.latest(settings),
            node=settings.node_name,
            began=metrics.began,
        )
        self.set_peers({})
        # From here on the scheduler's life is the prober's.
        self.start, self.drain = self._schedule.start, self._schedule.drain
        self.unready, self.stuck = self._schedule.unready, self._schedule.stuck

    def set_peers(self, peers: Hosts) -> None:
        """Probe these peers from now on, beside the fixed hosts. Forget the peers that are not among them."""
        hosts = {**self._fixed, **peers}
        for name, targets in hosts.items():
            if self._hosts.get(name) != targets:
                self._rounds[name] = self._round(name, targets, new=name in peers)
        for name in self._rounds.keys() - hosts.keys():
            del self._rounds[name]
        before, now = _paths(self._hosts), _paths(hosts)
        self._hosts = hosts
        for sink in self._sinks:
            for key in before.keys() - now.keys():
                sink.forget(*key)
            for key in now:
                sink.expect(*key)
        self._schedule.set(self._rounds)

    def _round(self, name: str, targets: tuple[Target, ...], *, new: bool) -> Callable[[], None]:
        """Return what the schedule calls for each round of these targets."""
        quiet = NEW if new else 0
        direction = Direction(self._arrivals)
        round_ = rounds.Round.of(self._settings, targets, self._never)

        def one_round() -> None:
            nonlocal quiet
            for result in map(direction.of, round_.results()):
                if not self._schedule.has(name, one_round):
                    return  # the peer left meanwhile: a failure since then is no fault
                if result.outcome.ok or not quiet:
                    self._keep(result)
                    if self._store.fresh_failure(result):
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
        settings, never = self._settings, {*self._never, failed.target.port}
        found = run(failed.target, settings.node_name, settings.test_timeout, never=never)
        if self._schedule.has(name, one_round):
            self._keep(replace(found, confirms=True))

    def _keep(self, result: Result) -> None:
        for sink in self._sinks:
            sink.keep(result)

    def retire(self) -> None:
        """Begin no more probes."""
        self._confirmations.close()
        self._schedule.close()

    close = retire


def _paths(hosts: Hosts) -> dict[tuple[str, Path], None]:
    """Return the probe and the path of each target, in their order."""
    return dict.fromkeys(_keys(hosts))


def _keys(hosts: Hosts) -> Iterator[tuple[str, Path]]:
    for targets in hosts.values():
        for target in targets:
            yield target.probe, target.path
