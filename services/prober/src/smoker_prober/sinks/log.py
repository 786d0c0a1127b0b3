"""Writes results as log lines on stdout.

[2025-11-13 10:30:00] [NODE:node-1] [TCP] SUCCESS latency=15ms
[2025-11-13 10:30:00] [NODE:node-1] [TCP] SUCCESS latency=0.31ms peer=node-2 plane=pod family=ipv4 zone=b
[2025-11-13 10:30:00] [NODE:node-1] [UDP] SUCCESS latency=0.28ms loss=0.0% jitter=0.012ms
[2025-11-13 10:30:00] [NODE:node-1] [UDP] SUCCESS latency=0.28ms unreadable=10
[2025-11-13 10:30:00] [NODE:node-1] [UDP] SUCCESS latency=0.28ms loss=20.0% flows_failing=4/16 peer=node-2 plane=pod
[2025-11-13 10:30:00] [NODE:node-1] [CONNECT] SUCCESS latency=0.42ms target=api plane=other
[2025-11-13 10:30:30] [NODE:node-2] [HTTP] FAILED error=bad_reply status=503
[2025-11-13 10:30:30] [NODE:node-2] [UDP] FAILED error=mtu mtu=1450 passes=1400 peer=node-1 plane=pod family=ipv4
[2025-11-13 10:30:30] [NODE:node-2] [UDP] FAILED error=timeout direction=out peer=node-1 plane=pod family=ipv4
[2025-11-13 10:30:33] [NODE:node-2] [UDP] FAILED error=timeout peer=node-1 plane=pod family=ipv4 confirm=true

`flows_failing` counts the source ports, of those tried, from which every packet is lost while others lose none.
`kept_failed` counts the rounds in a row in which the flow kept at source port `kept_port` fails while fresh ones work.
`unreadable` counts packets of the train whose answers are no STAMP packets; they are not lost.
"""

from __future__ import annotations

import time

from loguru import logger

from smoker_common.log import RESULT
from smoker_diagnosis.state import PEER, SERVICE
from smoker_prober.result import Outcome, Result, milliseconds, percent
from smoker_prober.target import Path


class Log:
    """Writes a line for each result."""

    def __init__(self, latency: str = "network") -> None:
        """`latency` as for `line`; it may be set anew at any time."""
        self.latency = latency

    def expect(self, probe: str, path: Path) -> None:
        """Do nothing: a path without a result has no line."""

    def keep(self, result: Result) -> None:
        """Write the line of `result`."""
        write(result, self.latency)

    def forget(self, probe: str, path: Path) -> None:
        """Do nothing: lines stay."""


def line(result: Result, now: float, latency: str = "network") -> str:
    """Return the line of `result` at `now` (seconds since the epoch), in the time zone of the process.

    `latency`: "network" shows the RTT where there is one, "duration" the time that a program would have waited.
    """
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    if result.outcome.ok:
        more = f"{_train(result)}{_flows(result)}{_kept(result)}{_found(result)}"
        what = f"SUCCESS latency={milliseconds(result.latency(latency))}{more}"
    else:
        what = f"FAILED error={result.outcome}{_more(result)}"
    confirm = " confirm=true" if result.confirms else ""
    return f"[{stamp}] [NODE:{result.source}] [{result.probe.upper()}] {what}{_path(result.target.path)}{confirm}"


def _found(result: Result) -> str:
    """Return what the line of a success shows of what only its probe finds."""
    shown = result.details.of_success if result.details is not None else {}
    return "".join(f" {name}={value}" for name, value in shown.items())


def _more(result: Result) -> str:
    """Return what the line of a failure shows after its outcome."""
    shown: dict[str, object] = result.details.of_failure if result.details is not None else {}
    if result.outcome is Outcome.MTU and result.path_mtu is not None:
        shown |= {"mtu": result.path_mtu.allowed, "passes": result.path_mtu.passes}
    if result.direction:
        shown |= {"direction": result.direction}
    return "".join(f" {name}={value}" for name, value in shown.items())


def _path(path: Path) -> str:
    """Return the path as the line shows it. A pod's path to the echo services shows nothing."""
    word = {PEER: "peer", SERVICE: ""}.get(path.role, "target")
    named = {word: path.target if word else "", "plane": path.shown_plane, "family": path.family, "zone": path.zone}
    return "".join(f" {name}={value}" for name, value in named.items() if value)


def _train(result: Result) -> str:
    """Return what the packets after a UDP probe add to its line."""
    train = result.train
    if train is None:
        return ""
    jitter = f" jitter={milliseconds(train.jitter)}" if train.jitter is not None else ""
    loss = f" loss={percent(train.loss_ratio)}" if train.loss_ratio is not None else ""
    unreadable = f" unreadable={train.unreadable}" if train.unreadable else ""
    return loss + jitter + unreadable


def _flows(result: Result) -> str:
    """Return what flows that always fail add to the line of a success."""
    flows = result.flows
    return f" flows_failing={flows.failing}/{flows.tried}" if flows is not None and flows.failing else ""


def _kept(result: Result) -> str:
    """Return what a kept flow that fails adds to the line of a success."""
    kept = result.kept
    return f" kept_failed={kept.rounds} kept_port={kept.port}" if kept is not None and kept.rounds else ""


def write(result: Result, latency: str = "network") -> None:
    """Log `result`: a success at level SUCCESS, a failure at ERROR."""
    level = "SUCCESS" if result.outcome.ok else "ERROR"
    text = line(result, time.time(), latency)

    def fields() -> dict[str, object]:
        """Return the fields of a JSON line; a text line has none."""
        flat = result.fields
        shown = "rtt_ms" if latency == "network" and result.rtt is not None else "duration_ms"
        return {"latency_ms": flat[shown]} | flat

    logger.log(level, "{}", text, **{RESULT: fields})
