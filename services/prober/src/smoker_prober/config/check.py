"""The command `check` lists the mistakes in a plan or, without any, what a prober with this plan probes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from smoker_common.host import authority
from smoker_common.kinds import duration_text
from smoker_prober.config.document import LARGEST
from smoker_prober.config.load import content_of, load
from smoker_prober.config.plan import Bandwidth, Plan

STDIN = "-"


def check(file: str, environ: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the mistakes in `file` and the variables or, without any, lines that say what will be probed."""
    name = "stdin" if file == STDIN else file
    try:
        content = sys.stdin.buffer.read(LARGEST + 1) if file == STDIN else content_of(Path(file))
    except OSError as error:
        return [f"{name}: {(error.strerror or str(error)).lower()}"], []
    loaded = load(environ, name, content)
    if loaded.problems:
        return list(loaded.problems), []
    won = [f"environment variables override the file: {', '.join(loaded.winners)}"] if loaded.winners else []
    return [], [*won, *described(loaded.plan, environ.get("BANDWIDTH_LEASE", "").strip())]


def described(plan: Plan, lease: str) -> Iterator[str]:
    """Yield lines that say what a prober with this plan probes. `lease`: of BANDWIDTH_LEASE, empty: unset."""
    interval, timeout = duration_text(plan.interval), duration_text(plan.timeout)
    yield f"every {interval}, with {timeout} for each probe:"
    ports = plan.service.ports
    probes = ", ".join(f"{probe} {getattr(ports, probe)}" for probe in plan.service.probes)
    yield f"  echo services {plan.service.host}: {probes}"
    yield f"  peers: {', '.join(plan.mesh.probes)} of {_nodes(plan.mesh.peers)}"
    udp = plan.probes.udp
    if "udp" in {*plan.service.probes, *plan.mesh.probes}:
        large = f"a large packet every {duration_text(udp.mtu_interval)}" if udp.mtu_interval else "no large packet"
        train = f"a train of {udp.packets} packets" if udp.packets else "no train"
        yield f"  after UDP: {train}, {large}"
        kept = udp.kept_flow and "udp" in plan.service.probes
        flows = ["16 source ports of a peer while packets are lost"] if udp.flows and "udp" in plan.mesh.probes else []
        flows += ["a kept flow to the echo service"] if kept else []
        if flows:
            yield f"  flows after UDP: {', '.join(flows)}"
    yield f"  after two failures in a row: {'a' if plan.trace else 'no'} trace"
    if plan.bandwidth.enabled:
        every = duration_text(plan.bandwidth.every)
        yield f"  bandwidth: one peer every {every}, at most {_limits(plan.bandwidth)} each way"
        if not lease:
            yield "    only where BANDWIDTH_LEASE names a Lease, which is unset here (in the chart: bandwidth.enabled)"
    if plan.dns.name:
        replicas = plan.dns.replicas
        pods = f" and each pod of {replicas.namespace}/{replicas.service}" if replicas.service else ""
        yield f"  DNS: {plan.dns.name}, asked of the cluster's DNS{pods}"
    if plan.api_server:
        yield "  the API server's certificate"
    for name, target in plan.targets.items():
        own = [f"every {duration_text(target.interval)}"] if target.interval is not None else []
        own += [f"timeout {duration_text(target.timeout)}"] if target.timeout is not None else []
        more = f" ({', '.join(own)})" if own else ""
        yield f"  target {name}: {target.probe} {authority(target.host, target.port)}{more}"


def _limits(bandwidth: Bandwidth) -> str:
    return f"{bandwidth.bytes / 2**20:g} MiB or {duration_text(bandwidth.duration)}"


def _nodes(count: int) -> str:
    return f"{count} nodes" if count else "all nodes"
