"""On the current cluster: measure how soon an installation and its mesh are complete, and what the pods cost at rest.

python -m tests.bench.cluster [--interval 5] [--case "mesh, all probes"]

E2E_LOAD loads the images, as for `make e2e`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from statistics import median

from smoker_prober.config.api_server import CA
from tests.bench import table
from tests.chart import helm_binary
from tests.e2e import cluster
from tests.e2e.health import health_server
from tests.e2e.release import Release, loaded_images

SETTLED, REST = 30, 60  # seconds before the prober counts as at rest, and over which it is looked at
HUB_CPU_GOAL, HUB_MEMORY_GOAL = 10.0, 60.0  # millicores, MiB of working set, on four nodes
READY_GOAL, CPU_GOAL, MEMORY_GOAL, SERIES_GOAL = 15.0, 3.0, 36.0, 300  # seconds, millicores, MiB, series
HEADER = (
    "what",
    "",
    "install s",
    "first mesh s",
    "paths",
    "CPU m",
    "working set MiB",
    "series",
    "hub CPU m",
    "hub MiB",
)
TCP_AND_UDP: dict[str, object] = {"prober.probes": ["tcp", "udp"], "prober.udpPackets": 0}
CASES: dict[str, dict[str, object]] = {
    "alone": {"mesh.enabled": False},
    # What other probers of the kind do: one family, TCP and UDP. The goals for CPU and memory are theirs.
    "mesh, TCP, UDP, IPv4": {**TCP_AND_UDP, "service.ipFamilyPolicy": "SingleStack", "service.ipFamilies": ["IPv4"]},
    "mesh, TCP, UDP": TCP_AND_UDP,
    "mesh, no trains": {"prober.udpPackets": 0},
    "mesh": {},
}
#: Targets of every other kind: those that the cluster answers by itself, and a gRPC server on a node.
ALL_PROBES = "mesh, all probes"
TARGETS = {
    "page": {"url": "http://smoker-server:8082/"},
    "chat": {"url": "ws://smoker-server:8082/ws"},
    "api": {"probe": "tls", "host": "kubernetes.default.svc", "tls": {"ca": CA}},
    "names": {"url": "dns:///kubernetes.default.svc.cluster.local?type=A&transport=tcp"},
    "open": {"probe": "connect", "host": "kubernetes.default.svc", "port": 443},
}


@dataclass(frozen=True)
class Look:
    """A prober's own figures at one moment."""

    cpu: float  # seconds so far
    working_set: float  # MiB, as the kubelet reports it
    series: int
    paths: int  # 0 of the hub


def look(release: Release, pod: str, node: str) -> Look:
    """Read the figures of the prober or the hub.

    A program in the same container and the kubelet of its node give them.
    """
    working_set = _working_set(release, pod, node)
    found = release.metrics(pod)
    return Look(
        found["process_cpu_seconds_total"],
        working_set,
        len(found),
        int(found.get("smoker_prober_paths", 0)),
    )


def _working_set(release: Release, pod: str, node: str) -> float:
    """Return the pod's working set in MiB: the figure that Kubernetes compares with the memory limit."""
    summary = json.loads(release.namespace.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    name = {"name": pod, "namespace": release.namespace.name}
    found = next(each for each in summary["pods"] if name.items() <= each["podRef"].items())
    return float(found["memory"]["workingSetBytes"]) / 2**20


def measure(chosen: dict[str, object], helm: str) -> list[str]:
    """Install, wait for the mesh, and let it rest. Return the cells of a row."""
    with cluster.fresh_namespace() as namespace:
        release = Release("smoker", namespace, helm, chosen)
        begun = time.monotonic()
        release.install()
        installed = time.monotonic()
        if chosen.get("mesh.enabled", True):  # it ends as soon as every path has an answer
            once = ("smoker-prober", "once", "--mesh", "smoker-prober:9464")
            ask = partial(release.namespace.kubectl, "exec", "daemonset/smoker-prober", "--", *once, seconds=120)
            # A prober that starts before an echo does has failures, which a long interval keeps for a while.
            cluster.eventually("every path works", 120, ask)
        whole = time.monotonic()
        pods, hubs = (
            {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in release.pods(name)}
            for name in ("prober", "hub")
        )
        time.sleep(SETTLED)
        both = pods | hubs
        first = {pod: (time.monotonic(), look(release, pod, node)) for pod, node in both.items()}
        time.sleep(REST)
        last = {pod: (time.monotonic(), look(release, pod, node)) for pod, node in both.items()}
    cpu = {pod: 1000 * (last[pod][1].cpu - first[pod][1].cpu) / (last[pod][0] - first[pod][0]) for pod in both}
    found = [last[pod][1] for pod in pods]
    return [
        f"{installed - begun:.1f}",
        f"{whole - installed:.1f}" if whole - installed > 0.1 else "",
        f"{median(seen.paths for seen in found):.0f}",
        f"{median(cpu[pod] for pod in pods):.1f}",
        f"{median(seen.working_set for seen in found):.1f}",
        f"{max(seen.series for seen in found)}",
        f"{max(cpu[pod] for pod in hubs):.1f}" if hubs else "",
        f"{max(last[pod][1].working_set for pod in hubs):.1f}" if hubs else "",
    ]


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--interval", default="5", help="seconds from one round to the next (5)")
    parser.add_argument("--peers", type=int, default=0, help="that each prober probes (0: all)")
    parser.add_argument("--case", action="append", choices=[*CASES, ALL_PROBES], help="this alone; can be repeated")
    options = parser.parse_args()
    interval = float(options.interval)
    helm = helm_binary.helm(helm_binary.MAJORS[0])
    images, rows = loaded_images(), []
    nodes = cluster.nodes()
    base: dict[str, object] = {"prober.intervalSeconds": interval, "mesh.peers": options.peers, **images}
    for what, changed in CASES.items():
        if what in (options.case or CASES):
            rows.append([what, "", *measure(base | changed, helm)])
    if ALL_PROBES in (options.case or ()):  # needs E2E_FAULTS, to run a server on a node
        with health_server(min(nodes)) as health:
            targets = TARGETS | {"orders": {"url": health.url}}
            rows.append([ALL_PROBES, "", *measure(base | {"prober.targets": targets, "bandwidth.enabled": True}, helm)])
    cluster.await_end()
    print(f"machine load {os.getloadavg()[0]:.1f}; {len(nodes)} nodes, all on this machine if it is a local cluster")
    print(table.render(f"A prober in a cluster, a round every {interval:g} s; medians of its probers", HEADER, rows))
    conclude({row[0]: row[2:] for row in rows})
    return 0


def conclude(rows: dict[str, list[str]]) -> None:
    """Print how the figures compare with the goals, for the measured cases."""
    if "mesh, TCP, UDP, IPv4" in rows:  # what the goal is of
        spare = float(rows["mesh, TCP, UDP, IPv4"][3])
        print(f"\nCPU for TCP and UDP in one family {table.at_most(spare, CPU_GOAL, ' millicores')}")
    if "mesh" not in rows:
        return
    installed, first, _, cpu, memory, series, hub_cpu, hub_memory = rows["mesh"]
    print(f"\ninstall {table.at_most(float(installed), READY_GOAL, ' s')}; first whole mesh", end=" ")
    print(f"{table.at_most(float(first), READY_GOAL, ' s')}; series {table.at_most(float(series), SERIES_GOAL)}")
    print(f"CPU for all {cpu} millicores; working set {table.at_most(float(memory), MEMORY_GOAL, ' MiB')}")
    print(f"hub: CPU {table.at_most(float(hub_cpu), HUB_CPU_GOAL, ' millicores')}", end="; ")
    print(f"working set {table.at_most(float(hub_memory), HUB_MEMORY_GOAL, ' MiB')}")


if __name__ == "__main__":
    sys.exit(main())
