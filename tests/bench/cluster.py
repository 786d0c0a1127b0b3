"""On the current cluster: how long an installation and the first whole mesh take, and what a prober takes at rest.

python -m tests.bench.cluster [--interval 5]    (E2E_LOAD loads the images, as for `make e2e`)
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from statistics import median

from tests.bench import table
from tests.chart import helm_binary
from tests.e2e import cluster
from tests.e2e.release import Release, loaded_images

SETTLED, REST = 30, 60  # seconds before the prober counts as at rest, and over which it is looked at
READY_GOAL, CPU_GOAL, MEMORY_GOAL, SERIES_GOAL = 15.0, 3.0, 36.0, 300  # seconds, millicores, MiB, series
HEADER = ("what", "", "install s", "first mesh s", "paths", "CPU m", "working set MiB", "series")
TCP_AND_UDP: dict[str, object] = {"prober.probes": ["tcp", "udp"], "prober.udpPackets": 0}
CASES: dict[str, dict[str, object]] = {
    "alone": {"mesh.enabled": False},
    # What other probers of the kind do: one family, TCP and UDP. The goals for CPU and memory are theirs.
    "mesh, TCP, UDP, IPv4": {**TCP_AND_UDP, "service.ipFamilyPolicy": "SingleStack", "service.ipFamilies": ["IPv4"]},
    "mesh, TCP, UDP": TCP_AND_UDP,
    "mesh, no trains": {"prober.udpPackets": 0},
    "mesh": {},
}


@dataclass(frozen=True)
class Look:
    """A prober's own numbers at one moment."""

    cpu: float  # seconds so far
    working_set: float  # MiB, as the kubelet reports it
    series: int
    paths: int


def look(release: Release, pod: str, node: str) -> Look:
    """Ask the prober, by a program of its own in the same container, and the kubelet of its node."""
    working_set = _working_set(release, pod, node)
    found = release.metrics(pod)
    return Look(
        found["process_cpu_seconds_total"],
        working_set,
        len(found),
        int(found["smoker_prober_paths"]),
    )


def _working_set(release: Release, pod: str, node: str) -> float:
    """Return the pod's working set in MiB: what Kubernetes holds against the memory limit."""
    summary = json.loads(release.namespace.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    name = {"name": pod, "namespace": release.namespace.name}
    found = next(each for each in summary["pods"] if name.items() <= each["podRef"].items())
    return float(found["memory"]["workingSetBytes"]) / 2**20


def measure(chosen: dict[str, object], helm: str) -> list[str]:
    """Install, wait for the mesh, let it rest. Returns the cells of a row."""
    with cluster.fresh_namespace() as namespace:
        release = Release("smoker", namespace, helm, chosen)
        begun = time.monotonic()
        release.install()
        installed = time.monotonic()
        if chosen.get("mesh.enabled", True):  # it ends as soon as every path has an answer
            once = ("smoker-prober", "once", "--mesh", "smoker-prober:9464")
            release.namespace.kubectl("exec", "daemonset/smoker-prober", "--", *once, seconds=120)
        whole = time.monotonic()
        pods = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in release.pods("prober")}
        time.sleep(SETTLED)
        first = {pod: (time.monotonic(), look(release, pod, node)) for pod, node in pods.items()}
        time.sleep(REST)
        last = {pod: (time.monotonic(), look(release, pod, node)) for pod, node in pods.items()}
    millicores = [1000 * (last[p][1].cpu - first[p][1].cpu) / (last[p][0] - first[p][0]) for p in pods]
    found = [seen for _, seen in last.values()]
    return [
        f"{installed - begun:.1f}",
        f"{whole - installed:.1f}" if whole - installed > 0.1 else "",
        f"{median(seen.paths for seen in found):.0f}",
        f"{median(millicores):.1f}",
        f"{median(seen.working_set for seen in found):.1f}",
        f"{max(seen.series for seen in found)}",
    ]


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--interval", default="5", help="seconds from one round to the next (5)")
    interval = float(parser.parse_args().interval)
    helm = helm_binary.helm(helm_binary.MAJORS[0])
    images, rows = loaded_images(), []
    for what, changed in CASES.items():
        chosen: dict[str, object] = {"prober.intervalSeconds": interval, "mesh.peers": 0, **changed, **images}
        rows.append([what, "", *measure(chosen, helm)])
    nodes = cluster.nodes()
    cluster.await_end()
    print(f"machine load {os.getloadavg()[0]:.1f}; {len(nodes)} nodes, all on this machine if it is a local cluster")
    print(table.render(f"A prober in a cluster, a round every {interval:g} s; medians of its probers", HEADER, rows))
    installed, first, _, cpu, memory, series = rows[-1][2:]
    spare = rows[1][5]  # what the goal is of
    print(f"\ninstall {table.at_most(float(installed), READY_GOAL, ' s')}; first whole mesh", end=" ")
    print(f"{table.at_most(float(first), READY_GOAL, ' s')}; series {table.at_most(float(series), SERIES_GOAL)}")
    print(
        f"CPU for TCP and UDP in one family {table.at_most(float(spare), CPU_GOAL, ' millicores')}, for all {cpu}",
        end="; ",
    )
    print(f"working set {table.at_most(float(memory), MEMORY_GOAL, ' MiB')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
