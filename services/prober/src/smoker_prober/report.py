"""One round for a person (a table) or for a program (JSON)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from smoker_common.log import escaped
from smoker_kube.standing import Answering, sentence
from smoker_prober.result import Result, milliseconds, percent
from smoker_prober.target import OTHER

COLUMNS = ("PROBE", "TARGET", "OUTCOME", "LATENCY", "DETAIL")


def table(results: Sequence[Result], node: str, latency: str = "network") -> str:
    """A row a result, then one sentence. `latency` as for a line."""
    rows = [COLUMNS, *(_row(result, latency) for result in results)]
    return "\n".join([*aligned(rows), "", verdict(results, node)])


def _row(result: Result, latency: str) -> tuple[str, ...]:
    address = result.address
    detail = escaped(result.error) or (f"answered by {address}" if address != result.target.host else "")
    if result.error and address and address != result.target.host:
        detail += f" ({address})"
    return result.probe, str(result.target), str(result.outcome), milliseconds(result.latency(latency)), detail


def verdict(results: Sequence[Result], node: str) -> str:
    """How many answered, and which did not."""
    failed = [result for result in results if not result.outcome.ok]
    if not failed:
        if len(results) == 1:
            return f"The only probe from {node} was answered."
        return f"All {len(results)} probes from {node} were answered."
    which = ", ".join(f"{result.probe}{_named(result)} ({result.outcome})" for result in failed)
    return f"{len(failed)} of {len(results)} probes from {node} failed: {which}."


def _named(result: Result) -> str:
    """The target's name, where there is more than one of a probe."""
    return f" {result.target}" if result.target.path.plane.endswith(OTHER) else ""


def as_object(results: Sequence[Result], node: str) -> dict[str, Any]:
    """Return `{"node", "ok", "results": [flat results]}`."""
    ok = all(result.outcome.ok for result in results)
    return {"node": node, "ok": ok, "results": [result.fields for result in results]}


def windows(snapshot: Mapping[str, Any]) -> str:
    """What a snapshot says, a row a path; times in milliseconds."""
    times = ("RTT p50", "p95", "p99", "max", "JITTER", "OUTAGE")
    head = ("PROBE", "TARGET", "PLANE", "LAST", "RESULTS", "FAILED", "LOSS", *times)
    rows = [head, *(_window_row(path) for path in sorted(snapshot["paths"], key=_place))]
    told = f"From {snapshot['node']}: the last hour, or the last result where that is older; times in milliseconds."
    if not any(path["last"] for path in snapshot["paths"]):
        told = "No round has ended yet."
    return "\n".join([*aligned(rows), "", told, *_mesh(snapshot)])


def _mesh(snapshot: Mapping[str, Any]) -> list[str]:
    """What is known of the mesh, in a sentence or two."""
    mesh = snapshot.get("mesh")
    if mesh is None:
        return []
    zone = f" in {snapshot['zone']}" if snapshot.get("zone") else ""
    told = f"{snapshot['node']}{zone} knows {mesh['known']} other nodes and probes {mesh['probed']} of them."
    if mesh["stale_since"] is None:
        return [told]
    since = time.strftime("%H:%M:%S", time.localtime(mesh["stale_since"]))
    why = sentence(mesh.get("api", Answering.UNANSWERED), mesh.get("api_status"))
    cause = f" ({escaped(mesh['api_cause'])})" if mesh.get("api_cause") else ""
    return [told, f"No news of peers since {since}: {why}{cause}."]


def _place(path: Mapping[str, Any]) -> tuple[str, ...]:
    """What the settings name first, as it is; then the peers, each with all its ways together."""
    return ("peer", path["target"], path["plane"], path["family"]) if path.get("family") else ("",)


def _window_row(path: Mapping[str, Any]) -> tuple[str, ...]:
    rtt = path["rtt_ms"] or {}
    loss = "-" if path["loss_ratio"] is None else percent(path["loss_ratio"])
    times = [rtt.get(name) for name in ("p50", "p95", "p99", "max")] + [path["jitter_ms"]]
    shown = ["-" if value is None else f"{value:g}" for value in times]
    outage = f"{path['longest_outage_seconds']:g}s"
    last, target = escaped(path["last"]) or "-", escaped(path["target"])
    plane = " ".join(path[name] for name in ("plane", "family") if path.get(name)) or "-"
    return path["probe"], target, plane, last, str(path["results"]), str(path["failed"]), loss, *shown, outage


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The rows as lines, each column as wide as its widest cell."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def summary(results: Sequence[Result], latency: str = "network") -> str:
    """How many of a series were answered, and how fast. `latency` as for a line."""
    times = sorted(result.latency(latency) for result in results if result.outcome.ok)
    text = f"{len(results)} probe{'s' if len(results) != 1 else ''}, {len(times)} answered"
    if times:
        low, middle, high = (milliseconds(value) for value in (times[0], median(times), times[-1]))
        text += f"; latency min {low}, median {middle}, max {high}"
    return text
