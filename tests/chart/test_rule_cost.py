"""What the rules cost Prometheus: the samples that each expression holds at once, scaled to 5,000 nodes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.prometheus import ask, serving
from tests.promtool import promtool

from .alert_cases import NAMESPACE, RELEASE, expanded, rules
from .render import Helm, merged, nested

EVERY = merged(
    nested("metrics.prometheusRule", {"enabled": True, "pathAlerts": True}), {"hostNetwork": {"enabled": False}}
)
NODES, PEERS, FAMILIES = 4, 10, ("ipv4", "ipv6")
LARGE = 5_000  # nodes
ALLOWED = 50_000_000  # samples that a query may hold, by Prometheus' default (--query.max-samples)
MINUTE, DAY = 60, 86_400
FATES = ("answered", "delayed", "request_lost", "reply_lost", "lost")


def paths() -> Iterator[tuple[str, str]]:
    """Yield the labels of each path of every prober, and its probe."""
    for node in range(NODES):
        of = expanded(f'$release,app_kubernetes_io_component="prober",node="n{node}",pod="p{node}"')
        for probe in ("tcp", "udp", "http"):
            yield f'{of},probe="{probe}",target="{RELEASE}-server:{probe}"', probe
            for peer in range(PEERS):
                for family in FAMILIES:
                    yield f'{of},probe="{probe}",target="n1{peer}",plane="pod",family="{family}"', probe


def samples(now: int) -> Iterator[tuple[str, str, list[tuple[int, float]]]]:
    """Yield name, labels and samples of each series: of a day if a rule reads a day, else of twenty minutes."""
    recent = [(at, float(at - now + DAY)) for at in range(now - 20 * MINUTE, now + 1, 30)]
    day = [(at, 0.001) for at in range(now - DAY - 20 * MINUTE, now - 20 * MINUTE, 5 * MINUTE)]
    day += [(at, 0.001) for at, _ in recent]
    for labels, probe in paths():
        for outcome in ("success", "timeout"):
            yield "smoker_probe_total", f'{labels},outcome="{outcome}"', recent
        yield "smoker_probe_last_rtt_seconds", labels, day
        yield "smoker:path_rtt_seconds:median", labels, day[::12]
        for fate in FATES if probe == "udp" else ():
            yield "smoker_probe_packets_total", f'{labels},fate="{fate}"', recent
    for node in range(NODES):
        of = expanded(f'$release,app_kubernetes_io_component="prober",node="n{node}",pod="p{node}"')
        for bucket in ("0.001", "0.01", "0.05", "0.1", "0.5", "1.0", "2.0", "5.0", "+Inf"):
            yield "smoker_prober_lateness_seconds_bucket", f'{of},le="{bucket}"', recent
        for name in ("up", "smoker_prober_discovery_stale_seconds", "smoker_prober_throttled_seconds_total"):
            yield name, of, recent
        yield "smoker_prober_peers", f'{of},state="known"', recent


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Return the address of a Prometheus that holds the samples until now."""
    lines = []
    for name, labels, found in samples(int(time.time())):
        lines += [f"{name}{{{labels}}} {value} {at}" for at, value in found]
    (tmp_path / "all.txt").write_text("\n".join([*lines, "# EOF\n"]))
    made = promtool("tsdb", "create-blocks-from", "openmetrics", "all.txt", "data", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    with serving(tmp_path, {"scrape_configs": []}, yaml.safe_dump({"groups": []})) as address:
        yield address


def peak(url: str, expression: str) -> int:
    """Return the most samples that Prometheus holds at once while it evaluates an expression, for 5,000 nodes."""
    stats = ask(url, "query", query=expression, stats="all")["stats"]
    return int(stats["samples"]["peakSamples"]) * LARGE // NODES


def test_no_rule_asks_for_too_much(any_helm: Helm, url: str) -> None:
    """With 5,000 nodes no rule holds a third of the samples that Prometheus allows; a day of each path would."""
    release = any_helm.render(EVERY, release=RELEASE, namespace=NAMESPACE)
    costs = {rule.get("alert") or rule["record"]: peak(url, rule["expr"]) for rule in rules(release)}
    assert max(costs.values()) < ALLOWED / 3, costs
    assert costs["smoker:node_packets:increase"] > LARGE, "the samples are there"
    day = (
        "quantile_over_time(0.5, (max by (node, probe, target, plane, family) (smoker_probe_last_rtt_seconds))[1d:5m])"
    )
    assert peak(url, day) > ALLOWED
