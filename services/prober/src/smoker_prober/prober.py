"""The prober: hosts on a schedule, and each result to the sinks.

fixed hosts, peers ─▶ schedule ─▶ round ─▶ Result ─▶ log line, metrics, store
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial

from loguru import logger

from smoker_diagnosis.state import RESOLVER
from smoker_prober import round as rounds
from smoker_prober.config.plan import Plan
from smoker_prober.config.service import Hosts
from smoker_prober.peers.direction import Arrivals, Direction
from smoker_prober.probes import run
from smoker_prober.probes.followups import ON_FAILURE
from smoker_prober.probes.followups.apart import Apart
from smoker_prober.probes.followups.confirm import LATER, SPREAD, Confirmations
from smoker_prober.probes.followups.good_trace import GoodTraces
from smoker_prober.probes.followups.look_ups import LookUps
from smoker_prober.result import Result
from smoker_prober.schedule import Schedule
from smoker_prober.settings import Settings
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
        plan = settings.plan
        self._log = Log(plan.latency)
        self._sinks: tuple[Sink, ...] = (self._log, metrics, store)
        self._confirmations, self._doubts = Confirmations(plan.interval), Confirmations(plan.interval)
        self._apart, self._good = Apart(), GoodTraces()
        self._look_ups = LookUps(self._look_up, self._dns_servers, store.ask_again)
        self._hosts: Hosts = {}
        self._rounds: dict[str, Callable[[], None]] = {}
        self._fixed, self._peers = dict(fixed), dict[str, tuple[Target, ...]]()
        self._schedule = Schedule(
            {},
            interval=plan.interval,
            longest=rounds.latest(plan),
            node=settings.process.node_name,
            began=metrics.began,
        )
        self.set_peers({})
        # From here on the scheduler's life is the prober's.
        self.start, self.drain = self._schedule.start, self._schedule.drain
        self.unready, self.stuck = self._schedule.unready, self._schedule.stuck

    def set_peers(self, peers: Hosts) -> None:
        """Probe these peers from now on, beside the fixed hosts. Forget the peers that are not among them."""
        self._peers = dict(peers)
        self._set({**self._fixed, **peers})

    def set_plan(self, plan: Plan, fixed: Hosts) -> None:
        """Probe `fixed` hosts and the peers by this plan from now on. Paths that stay keep what is known of them."""
        before, self._settings = self._settings.plan, self._settings._replace(plan=plan)
        self._fixed, self._log.latency, self._metrics.interval = dict(fixed), plan.latency, plan.interval
        self._confirmations.interval = self._doubts.interval = plan.interval
        self._store.set_pace(plan.interval, plan.timeout)
        self._schedule.set_pace(plan.interval, rounds.latest(plan))
        self._set(
            {**self._fixed, **self._peers}, anew=(before.interval, before.timeout) != (plan.interval, plan.timeout)
        )

    def _set(self, hosts: Hosts, *, anew: bool = False) -> None:
        """Probe these hosts from now on. Make new rounds for hosts that changed, or for all of them (`anew`)."""
        for name, targets in hosts.items():
            known = self._hosts.get(name, ())
            if anew or known != targets:
                self._rounds[name] = self._round(
                    name, targets, new=name in self._peers and not _same_place(known, targets)
                )
        for name in self._rounds.keys() - hosts.keys():
            del self._rounds[name]
        before, now = _paths(self._hosts), _paths(hosts)
        self._hosts = hosts
        for sink in self._sinks:
            for key in before.keys() - now.keys():
                sink.forget(*key)
            for key in now:
                sink.expect(*key)
        for path in {path for _probe, path in before} - {path for _probe, path in now}:
            self._good.forget(path)
        self._schedule.set(self._rounds, _intervals(hosts), _spreads(hosts))

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
                    self._look_ups.after(result)
                    if result.outcome.ok:
                        self._good.worked(result, self._never)
                    repeat = partial(round_.again, result.target, catch_up=self._ends_before_the_next_round())
                    again = partial(self._confirm, name, one_round, repeat)
                    if self._store.fresh_failure(result):
                        self._confirmations.later(again)
                    elif round_.doubts(result.target) and self._ends_before_the_next_round():
                        self._doubts.later(again, after=LATER)
                    self._after_failure(name, one_round, result)
                else:
                    logger.debug("a new peer does not answer yet", peer=name, probe=result.probe, error=result.error)
                if self._schedule.closed:
                    return
            quiet = max(quiet - 1, 0)
            self._metrics.ended()

        return one_round

    def _ends_before_the_next_round(self) -> bool:
        """Return whether what is asked again later has its answer before the next round begins."""
        plan = self._settings.plan
        return plan.interval > LATER + SPREAD + plan.timeout

    def _confirm(self, name: str, one_round: Callable[[], None], again: Callable[[], Iterator[Result]]) -> None:
        """Probe `again`, unless the target has left meanwhile.

        If the next round of the target is far off, repeat it until it succeeds.
        """
        if self._schedule.closed or not self._schedule.has(name, one_round):
            return
        for found in again():
            if not self._schedule.has(name, one_round):
                return
            self._keep(replace(found, confirms=True))
            self._look_ups.after(found)
            self._after_failure(name, one_round, found)
            if not found.outcome.ok and (found.target.interval or 0.0) > self._settings.plan.interval:
                repeat = partial(self._confirm, name, one_round, again)
                self._confirmations.later(repeat, after=self._confirmations.interval)

    def _after_failure(self, name: str, one_round: Callable[[], None], result: Result) -> None:
        """Begin what follows a failure, kept already, that lasts and says that packets are lost."""
        if not result.outcome.ok:
            self._good.failed(result.target.path)
        for options in result.target.on_failure if self._store.lasts(result) else ():
            followup = partial(ON_FAILURE[type(options)], options, result, never=self._never)
            self._apart.later(
                (type(options), result.target.path), partial(self._follow, name, one_round, result, followup)
            )

    def _follow(
        self, name: str, one_round: Callable[[], None], failed: Result, followup: Callable[[], Result | None]
    ) -> None:
        """Keep what `followup` finds after `failed`, unless the target has left meanwhile."""
        found = followup() if self._schedule.has(name, one_round) else None
        if found is None or not self._schedule.has(name, one_round):
            return
        found = self._good.beside(found)
        self._log.keep(found)
        self._store.follow(failed, found)

    def _look_up(self, target: Target) -> Result:
        """Ask a DNS server once more, beside the rounds."""
        plan, node = self._settings.plan, self._settings.process.node_name
        return run(target, node, (target.timeout or plan.timeout) / 2, never=self._never)

    def _dns_servers(self) -> list[Target]:
        """Return the targets of the cluster's DNS."""
        return [each for targets in self._hosts.values() for each in targets if each.path.role == RESOLVER]

    def _keep(self, result: Result) -> None:
        for sink in self._sinks:
            sink.keep(result)

    def retire(self) -> None:
        """Begin no more probes."""
        self._confirmations.close()
        self._doubts.close()
        self._apart.close()
        self._good.close()
        self._look_ups.close()
        self._schedule.close()

    close = retire


def _same_place(before: tuple[Target, ...], now: tuple[Target, ...]) -> bool:
    """Return whether the targets that are in both are where they were, and there is one: then a failure is a fault."""
    old, new = ({(each.probe, each.host, each.port) for each in targets} for targets in (before, now))
    return bool(old & new) and (old <= new or new <= old)


def _intervals(hosts: Hosts) -> dict[str, float]:
    """Return the intervals of the hosts that do not have the plan's."""
    return {name: each.interval for name, targets in hosts.items() for each in targets if each.interval is not None}


def _spreads(hosts: Hosts) -> dict[str, float]:
    """Return the spread of the hosts whose rounds are in no group."""
    return {name: each.spread for name, targets in hosts.items() for each in targets if each.spread is not None}


def _paths(hosts: Hosts) -> dict[tuple[str, Path], None]:
    """Return the probe and the path of each target, in their order."""
    return dict.fromkeys(_keys(hosts))


def _keys(hosts: Hosts) -> Iterator[tuple[str, Path]]:
    for targets in hosts.values():
        for target in targets:
            yield target.probe, target.path
