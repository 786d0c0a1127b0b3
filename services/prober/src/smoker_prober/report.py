"""One round for a person (a table) or for a program (JSON)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from smoker_common.log import escaped
from smoker_prober.result import Result, milliseconds, percent

COLUMNS = ("PROBE", "TARGET", "OUTCOME", "LATENCY", "DETAIL")


def table(results: Sequence[Result], node: str) -> str:
    """A row a result, then one sentence."""
    rows = [COLUMNS, *(_row(result) for result in results)]
    return "\n".join([*_aligned(rows), "", verdict(results, node)])


def _row(result: Result) -> tuple[str, ...]:
    address = result.address
    detail = escaped(result.error) or (f"answered by {address}" if address != result.target.host else "")
    if result.error and address and address != result.target.host:
        detail += f" ({address})"
    return result.probe, str(result.target), str(result.outcome), milliseconds(result.duration), detail


def verdict(results: Sequence[Result], node: str) -> str:
    """How many answered, and which did not."""
    failed = [result for result in results if not result.outcome.ok]
    if not failed:
        return f"All {len(results)} probes from {node} were answered."
    which = ", ".join(f"{result.probe} ({result.outcome})" for result in failed)
    return f"{len(failed)} of {len(results)} probes from {node} failed: {which}."


def as_json(results: Sequence[Result], node: str) -> str:
    """`{"node", "ok", "results": [flat results]}`."""
    ok = all(result.outcome.ok for result in results)
    return json.dumps({"node": node, "ok": ok, "results": [result.fields for result in results]}, indent=2)


def windows(snapshot: Mapping[str, Any]) -> str:
    """What a snapshot says, a row a path; times in milliseconds."""
    head = ("PROBE", "TARGET", "LAST", "RESULTS", "FAILED", "LOSS", "RTT p50", "p95", "p99", "max", "JITTER", "OUTAGE")
    rows = [head, *(_window_row(path) for path in snapshot["paths"])]
    told = f"From {snapshot['node']}, over the last hour at most; times in milliseconds."
    return "\n".join([*_aligned(rows), "", told if snapshot["paths"] else "No round has ended yet."])


def _window_row(path: Mapping[str, Any]) -> tuple[str, ...]:
    rtt = path["rtt_ms"] or {}
    loss = "-" if path["loss_ratio"] is None else percent(path["loss_ratio"])
    times = [rtt.get(name) for name in ("p50", "p95", "p99", "max")] + [path["jitter_ms"]]
    shown = ["-" if value is None else f"{value:g}" for value in times]
    outage = f"{path['longest_outage_seconds']:g}s"
    last, target = escaped(path["last"]), escaped(path["target"])
    return path["probe"], target, last, str(path["results"]), str(path["failed"]), loss, *shown, outage


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def summary(results: Sequence[Result]) -> str:
    """How many of a series were answered, and how fast."""
    times = sorted(result.duration for result in results if result.outcome.ok)
    text = f"{len(results)} probe{'s' if len(results) != 1 else ''}, {len(times)} answered"
    if times:
        low, middle, high = (milliseconds(value) for value in (times[0], median(times), times[-1]))
        text += f"; latency min {low}, median {middle}, max {high}"
    return text
