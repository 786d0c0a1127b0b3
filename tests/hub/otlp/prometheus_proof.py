"""Prometheus' own OTLP receiver takes the hub's metrics, under the names of docs/collecting.md.

`make test-prometheus` builds Prometheus 3 (needs Go, 10 to 20 minutes the first time) and runs this;
$PROMETHEUS3 is its path.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest

from tests.conftest import eventually
from tests.hub.notify.receivers import become, looking
from tests.hub.otlp.test_collector import exporting, took_all
from tests.hub.stand_ins import ManualClock
from tests.prometheus import ask, serving

FAILING = "smoker_node_paths_failing > 0"
NAMES = {
    "smoker_node_paths",
    "smoker_node_paths_failing",
    "smoker_node_failure_ratio",
    "smoker_node_packet_loss_ratio",
    "smoker_node_rtt_seconds",
    "smoker_findings_open",
    "smoker_hub_probers",
}


class TodaysClock(ManualClock):
    """A clock that a test moves, on today's dates: Prometheus takes one value of a series for each millisecond."""

    def wall_time(self) -> float:
        return time.time()


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_prometheus_takes_the_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str) -> None:
    """Each metric has its documented name and labels, the failing node its paths, and no request is refused."""
    monkeypatch.setenv("HOSTNAME", "smoker-hub-0")  # as in a pod
    config = {"otlp": {"promote_resource_attributes": ["k8s.cluster.name"]}}
    flags = ["--web.enable-otlp-receiver"]
    with (
        serving(tmp_path, config, "", program=os.environ["PROMETHEUS3"], flags=flags) as url,
        looking(clock=TodaysClock()) as (hub, found),
    ):
        base = "OTEL_EXPORTER_OTLP_"
        metrics = {f"{base}METRICS_ENDPOINT": f"{url}/api/v1/otlp/v1/metrics", f"{base}COMPRESSION": compression}
        export = exporting(hub, metrics)
        become(found, "node-2")
        state = found[0].state
        paths = [msgspec.structs.replace(path, rtt_p50=0.001, rtt_p99=0.002) for path in state.paths]
        found[0].state = msgspec.structs.replace(state, paths=paths)
        hub.look()
        hub.look()

        def nodes_of_failing() -> set[str]:
            series = ask(url, "query", query=FAILING)["result"]
            return {one["metric"]["smoker_node"] for one in series}

        eventually("Prometheus has the failing node", lambda: "node-2" in nodes_of_failing())
        names = set(ask(url, "label/__name__/values"))
        assert names >= NAMES
        (labels,) = (one["metric"] for one in ask(url, "query", query="smoker_hub_probers")["result"][:1])
        assert (labels["job"], labels["instance"]) == ("smoker-hub", "smoker-hub-0")
        assert labels["k8s_cluster_name"] == "blue"
        took_all(export)
