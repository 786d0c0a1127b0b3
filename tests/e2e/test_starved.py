"""A prober with too little CPU, on a real cluster: it reports this, and nothing else changes.

Without the mesh: at thirty times the usual rate the rounds alone need more than the limit, and so slow a peer answers
others late, too.
"""

from __future__ import annotations

import time

import pytest

from tests.e2e.cluster import eventually, fresh_namespace
from tests.e2e.faults import SPINNING, spinning
from tests.e2e.prometheus import Prometheus, watching
from tests.e2e.release import Release
from tests.e2e.test_alerts import THIRTIETH, passed, settled

pytestmark = pytest.mark.cluster

SAMPLES = 30  # rounds, and seconds: what a p99 is taken of
LATENCY = 60  # rounds after which a latency that has risen would have fired: a window of 20, 20 s of patience, and more
NOISE = 0.002  # seconds: what a machine that is shared does to the largest of so many


def test_a_starved_prober_reports_no_failure(
    images: dict[str, object], helm: str, nodes: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With 50m of CPU, most of it used by a loop, nothing fails and no alert fires but those of starved probers.

    On a slow machine the rounds alone use up this limit, so the other nodes' probers may be starved as well.
    The p99 of round trips stays within twice of what it was without a limit, or within NOISE of it.
    """
    with fresh_namespace() as namespace:
        release = Release("smoker", namespace, helm, {**THIRTIETH, "mesh.enabled": False, **images})
        release.install()
        release.becomes("success", nodes)
        with watching(release, tmp_path_factory.mktemp("prometheus")) as prometheus:
            passed(prometheus, nodes, SAMPLES)
            usual = {node: rtt_p99(prometheus, node) for node in nodes}
            release.install({"prober.resources.limits.cpu": "50m"})
            passed(prometheus, nodes, 1)
            eventually("no alert is about", 60, lambda: settled(prometheus))
            starve(prometheus, release, usual)


def starve(prometheus: Prometheus, release: Release, usual: dict[str, dict[str, float]]) -> None:
    pod = release.pods("prober")[0]
    name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
    mark, since = release.log(), time.time()
    throttled = f"SmokerProberStarved {node} throttled"
    with spinning(release.namespace, name):

        def starved() -> None:
            assert throttled in prometheus.alerts("firing")

        eventually(f"{throttled} fires", SPINNING / 2, starved)

        def long_enough() -> None:
            rounds = [result for result in release.results(mark) if (result.node, result.probe) == (node, "HTTP")]
            assert len(rounds) >= LATENCY

        eventually(f"{LATENCY} rounds have ended", SPINNING / 2, long_enough)
        found = rtt_p99(prometheus, node)
    assert [result for result in release.results(mark) if result.outcome != "success"] == []
    fired = prometheus.fired(since)
    assert throttled in fired
    assert {alert for alert in fired if not alert.startswith("SmokerProberStarved ")} == set()
    for probe, seconds in found.items():
        before = usual[node][probe]
        assert seconds <= max(2 * before, before + NOISE), f"{probe}: {before} s, then {seconds} s"
    clock = 'histogram_quantile(0.5, rate(smoker_probe_duration_seconds_bucket{node="%s",probe="tcp"}[%ds]))'
    assert prometheus.value(clock % (node, SAMPLES)) > 5 * found["tcp"], "it was not starved"


def rtt_p99(prometheus: Prometheus, node: str) -> dict[str, float]:
    """Return the network's p99 over the last rounds of a node, by probe, in seconds."""
    p99 = f'quantile_over_time(0.99, smoker_probe_last_rtt_seconds{{node="{node}"}}[{SAMPLES}s])'
    return {labels["probe"]: value for labels, value in prometheus.query(p99)}
