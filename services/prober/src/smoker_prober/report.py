"""Tables and JSON for people and scripts: of one round, and of a prober's snapshot."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from smoker_common.log import escaped
from smoker_diagnosis.state import PEER, SERVICE
from smoker_kube.standing import sentence
from smoker_prober.result import Result, milliseconds, percent
from smoker_prober.snapshot import MeshView, PathWindow, Percentiles, Snapshot

COLUMNS = ("PROBE", "TARGET", "OUTCOME", "LATENCY", "DETAIL")


def table(results: Sequence[Result], node: str, latency: str = "network") -> str:
    """Return a table with a row for each result, then one sentence. `latency` as for a line."""
    rows = [COLUMNS, *(_row(result, latency) for result in results)]
    return "\n".join([*aligned(rows), "", verdict(results, node)])


def _row(result: Result, latency: str) -> tuple[str, ...]:
    address = result.address
    detail = escaped(result.error) or (f"answered by {address}" if address != result.target.host else "")
    if result.error and address and address != result.target.host:
        detail += f" ({address})"
    return result.probe, str(result.target), str(result.outcome), milliseconds(result.latency(latency)), detail


def verdict(results: Sequence[Result], node: str) -> str:
    """Return how many probes were answered, and which were not, in one sentence."""
    failed = [result for result in results if not result.outcome.ok]
    if not failed:
        if len(results) == 1:
            return f"The only probe from {node} was answered."
        return f"All {len(results)} probes from {node} were answered."
    which = ", ".join(f"{result.probe}{_named(result)} ({result.outcome})" for result in failed)
    return f"{len(failed)} of {len(results)} probes from {node} failed: {which}."


def _named(result: Result) -> str:
    """Return the target's name where a probe can have several targets."""
    return "" if result.target.path.role in (PEER, SERVICE) else f" {result.target}"


def as_object(results: Sequence[Result], node: str) -> dict[str, Any]:
    """Return `{"node", "ok", "results": [flat results]}`."""
    ok = all(result.outcome.ok for result in results)
    return {"node": node, "ok": ok, "results": [result.fields for result in results]}


def windows(snapshot: Snapshot) -> str:
    """Return a snapshot as a table with a row for each path; times are in milliseconds."""
    times = ("RTT p50", "p95", "p99", "max", "JITTER", "OUTAGE")
    head = ("PROBE", "TARGET", "PLANE", "LAST", "RESULTS", "FAILED", "LOSS", *times)
    rows = [head, *(_window_row(path) for path in sorted(snapshot.paths, key=_order))]
    about = f"From {snapshot.node}: the last hour, or the last result where that is older; times in milliseconds."
    if not any(path.last for path in snapshot.paths):
        about = "No round has ended yet."
    mesh = _mesh(snapshot, snapshot.mesh) if snapshot.mesh is not None else []
    return "\n".join([*aligned(rows), "", escaped(about), *map(escaped, mesh)])


def _mesh(snapshot: Snapshot, mesh: MeshView) -> list[str]:
    """Return what the prober knows of the mesh, in a sentence or two."""
    zone = f" in {snapshot.zone}" if snapshot.zone else ""
    known = f"{snapshot.node}{zone} knows {mesh.known} other nodes and probes {mesh.probed} of them."
    if mesh.stale_since is None:
        return [known]
    since = time.strftime("%H:%M:%S", time.localtime(mesh.stale_since))
    cause = f" ({mesh.api_cause})" if mesh.api_cause else ""
    return [known, f"No news of peers since {since}: {sentence(mesh.api, mesh.api_status)}{cause}."]


def _order(path: PathWindow) -> tuple[str, ...]:
    """Return the sort key: what the settings name first, as it is; then the peers, all paths to one together."""
    return ("peer", path.target, path.plane, path.family) if path.role == PEER else ("",)


def _window_row(path: PathWindow) -> tuple[str, ...]:
    loss = "-" if path.loss_ratio is None else percent(path.loss_ratio)
    times = [*_values(path.rtt_ms), path.jitter_ms]
    shown = ["-" if value is None else f"{value:g}" for value in times]
    outage = f"{path.longest_outage_seconds:g}s"
    plane = " ".join(each for each in (path.plane, path.family) if each) or "-"
    row = (path.probe, path.target, plane, path.last or "-", str(path.results), str(path.failed), loss, *shown, outage)
    return tuple(map(escaped, row))


def _values(spread: Percentiles | None) -> tuple[float | None, ...]:
    return (None,) * 4 if spread is None else (spread.p50, spread.p95, spread.p99, spread.max)


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the rows as lines, each column as wide as its widest cell."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def summary(results: Sequence[Result], latency: str = "network") -> str:
    """Return how many of a series of probes were answered, and how fast. `latency` as for a line."""
    times = sorted(result.latency(latency) for result in results if result.outcome.ok)
    text = f"{len(results)} probe{'s' if len(results) != 1 else ''}, {len(times)} answered"
    if times:
        low, middle, high = (milliseconds(value) for value in (times[0], median(times), times[-1]))
        text += f"; latency min {low}, median {middle}, max {high}"
    return text
