"""The prober: hosts on a schedule, and each result to whoever wants to know.

hosts ─▶ schedule ─▶ round ─▶ Result ─▶ log line, metrics, memory
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry

from smoker_prober import round as rounds
from smoker_prober.schedule import Schedule
from smoker_prober.settings import Settings
from smoker_prober.sinks import log
from smoker_prober.sinks.memory import Memory
from smoker_prober.sinks.metrics import Metrics
from smoker_prober.target import Target

Hosts = Mapping[str, Mapping[str, Target]]  # by name, a target for each probe


def build(settings: Settings, hosts: Hosts, memory: Memory, registry: CollectorRegistry) -> Schedule:
    """A schedule of the rounds of `hosts`, whose results are logged, counted in `registry` and kept in `memory`."""
    metrics = Metrics(registry, interval=settings.test_interval)

    def round_of(where: Mapping[str, Target]) -> Callable[[], None]:
        for probe, target in where.items():
            metrics.expect(probe, target)

        def one_round() -> None:
            for result in rounds.results(settings, where):
                log.write(result, settings.latency)
                metrics.keep(result)
                memory.keep(result)
                if schedule.closed:
                    return
            metrics.ended()

        return one_round

    schedule = Schedule(
        {name: round_of(where) for name, where in hosts.items()},
        interval=settings.test_interval,
        longest=rounds.longest(settings),
        node=settings.node_name,
        began=metrics.began,
    )
    return schedule
