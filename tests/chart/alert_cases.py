"""The cases of rules/*.yaml, and what promtool needs to run them.

A file sets chart values and lists cases. A case has the series of rules/healthy.yaml, but for those that it gives
itself, and says which alerts fire at which times: those it lists, with these labels, and no others.

    values: {prober: {intervalSeconds: 10}}   # of the chart
    interval: 10s                             # between samples, and between looks at the rules; 30s if not said
    cases:
      - name: what happens
        nodes: [a]                            # that have a prober; a, b and c if not said
        series:                               # null takes a series away
          smoker_probe_total{$prober,$a,$tcp,outcome="timeout"}: 0x10 0+1x$long
        at:
          4m:                                 # nothing fires
          20m:
            - alert: SmokerProbeFailing
              labels: node="a",$tcp,severity="warning"
              summary: …                      # the alert's annotations; description may be left out
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .render import Object, Rendered

RULES = Path(__file__).resolve().parent / "rules"
RELEASE, NAMESPACE = "lungs", "net"
OF_HUB = ("SmokerFault", "SmokerHubBlind")
OF_PATHS = (
    "SmokerProbeFailing",
    "SmokerTargetFailing",
    "SmokerTargetGone",
    "SmokerPacketLoss",
    "SmokerLatencyHigh",
)
OF_PROBERS = (
    "SmokerProberMissing",
    "SmokerProberStarved",
    "SmokerPlanRefused",
    "SmokerDiscoveryStale",
    "SmokerTooFewPeers",
    "SmokerEchoRestarting",
    "SmokerCertificateExpires",
)
ALERTS = (*OF_HUB, *OF_PATHS, *OF_PROBERS)
NODES = ("a", "b", "c")
PROBES, FAMILIES = ("tcp", "udp"), ("v4", "v6")
OF_RELEASE = f'namespace="{NAMESPACE}",app_kubernetes_io_instance="{RELEASE}"'
MACROS = {
    "release": OF_RELEASE,
    "prober": f'{OF_RELEASE},app_kubernetes_io_component="prober"',
    "hub": f'{OF_RELEASE},app_kubernetes_io_component="hub",node="b",pod="hub-1"',
    "hub2": f'{OF_RELEASE},app_kubernetes_io_component="hub",node="c",pod="hub-2"',
    "cut_off": 'finding="1f2a",scope="b",layer="network",kind="fault",severity="critical"',
    "host": f'{OF_RELEASE},app_kubernetes_io_component="host"',
    **{f"{echo}_echo": f'{OF_RELEASE},app_kubernetes_io_component="{echo}-echo"' for echo in ("tcp", "udp", "http")},
    **{node: f'node="{node}",pod="prober-{node}"' for node in "abcdefghijkl"},
    "tcp": f'probe="tcp",target="{RELEASE}-server:8080"',
    "udp": f'probe="udp",target="{RELEASE}-server:8081"',
    "http": f'probe="http",target="{RELEASE}-server:8082"',
    # To the prober on node b, by probe and family; from node to node; and from a node to the Service.
    **{
        f"{probe}_{of}": f'probe="{probe}",target="b",plane="pod",family="ip{of}"'
        for probe in PROBES
        for of in FAMILIES
    },
    "tcp_host": 'probe="tcp",target="b",plane="host",family="ipv4"',
    "tcp_host_service": f'probe="tcp",target="{RELEASE}-server:8080",plane="host-service"',
}
UNITS = {"s": 1, "m": 60, "h": 3600}
LABEL = re.compile(r'(\w+)="([^"]*)"')


def rules(release: Rendered) -> list[Object]:
    """Return the rules of a release, alerting and recording."""
    (rule,) = release.of_kind("PrometheusRule")
    return [rule for group in rule["spec"]["groups"] for rule in group["rules"]]


def alerts(release: Rendered) -> list[Object]:
    """Return the alerting rules of a release."""
    return [rule for rule in rules(release) if "alert" in rule]


def expanded(text: str) -> str:
    """Return a text with its macros replaced. Raises KeyError for an unknown macro."""
    return re.sub(r"\$(\w+)", lambda found: MACROS[found[1]], text)


def labels(text: str) -> dict[str, str]:
    return dict(LABEL.findall(expanded(text)))


def seconds(duration: str) -> int:
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smh])", duration))


def series(said: dict[str, Any], nodes: tuple[str, ...] = NODES) -> Iterator[tuple[str, Any]]:
    """Write series in one form, so that equal series are equal texts; `$node` stands for each node."""
    for selector, values in said.items():
        for node in nodes if "$node" in selector else [""]:
            name, _, matchers = selector.replace("$node", f"${node}").partition("{")
            of = ",".join(f'{key}="{value}"' for key, value in sorted(labels(matchers).items()))
            yield f"{name}{{{of}}}", values


@dataclass(frozen=True)
class Case:
    """A course of events, and the alerts that must fire."""

    name: str
    said: dict[str, Any]
    interval: str

    @property
    def expected(self) -> list[dict[str, Any]]:
        return [alert for fired in self.said["at"].values() for alert in fired or []]

    def test(self, annotation: str) -> dict[str, Any]:
        """Return the case as promtool reads it. Of the annotations it compares only this one."""
        length = max(map(seconds, self.said["at"])) // seconds(self.interval) + 1
        nodes = tuple(self.said.get("nodes", NODES))
        healthy = yaml.safe_load((RULES / "healthy.yaml").read_text())["series"]
        found = {**dict(series(healthy, nodes)), **dict(series(self.said.get("series", {}), nodes))}
        return {
            "name": self.name,
            "interval": self.interval,
            "input_series": [
                {"series": name, "values": str(values).replace("$long", str(length))}
                for name, values in found.items()
                if values is not None
            ],
            "alert_rule_test": [
                {"eval_time": time, "alertname": alert, "exp_alerts": _expected(alert, fired or [], annotation)}
                for time, fired in self.said["at"].items()
                for alert in ALERTS
            ],
        }


def _expected(alert: str, fired: list[dict[str, Any]], annotation: str) -> list[dict[str, Any]]:
    return [
        {"exp_labels": labels(f"$release,{one['labels']}"), "exp_annotations": {annotation: one[annotation]}}
        for one in fired
        if one["alert"] == alert
    ]


def files() -> list[Path]:
    return sorted(RULES.glob("*.yaml"))


def read(path: Path) -> tuple[dict[str, Any], list[Case]]:
    """Return the chart values and the cases of a file."""
    said = yaml.safe_load(path.read_text())
    return said.get("values", {}), [Case(case["name"], case, said.get("interval", "30s")) for case in said["cases"]]


def rule_file(release: Rendered, annotation: str | None = None) -> str:
    """Return the rules as Prometheus reads them, with all annotations or with one of them."""
    (rule,) = release.of_kind("PrometheusRule")
    spec = yaml.safe_load(yaml.safe_dump(rule["spec"]))
    for group in spec["groups"]:
        for one in group["rules"]:
            if annotation and "alert" in one:
                one["annotations"] = {annotation: one["annotations"][annotation]}
    return yaml.safe_dump(spec, allow_unicode=True, width=1000)
