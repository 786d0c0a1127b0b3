"""Results as log lines on stdout.

[2025-11-13 10:30:00] [NODE:node-1] [TCP] SUCCESS latency=15ms
[2025-11-13 10:30:00] [NODE:node-1] [TCP] SUCCESS latency=0.31ms peer=node-2 plane=pod family=ipv4 zone=b
[2025-11-13 10:30:00] [NODE:node-1] [UDP] SUCCESS latency=0.28ms loss=0.0% jitter=0.012ms
[2025-11-13 10:30:00] [NODE:node-1] [UDP] SUCCESS latency=0.28ms unreadable=10
[2025-11-13 10:30:00] [NODE:node-1] [CONNECT] SUCCESS latency=0.42ms target=api plane=other
[2025-11-13 10:30:30] [NODE:node-2] [HTTP] FAILED error=bad_reply status=503
[2025-11-13 10:30:30] [NODE:node-2] [UDP] FAILED error=mtu mtu=1450 passes=1400 peer=node-1 plane=pod family=ipv4
[2025-11-13 10:30:30] [NODE:node-2] [UDP] FAILED error=timeout direction=out peer=node-1 plane=pod family=ipv4
[2025-11-13 10:30:33] [NODE:node-2] [UDP] FAILED error=timeout peer=node-1 plane=pod family=ipv4 confirm=true

`unreadable`: packets of the train whose answers could not be read, as they are not STAMP's; they are not lost.
"""

from __future__ import annotations

import time

from loguru import logger

from smoker_common.log import RESULT
from smoker_prober.result import Outcome, Result, milliseconds, percent
from smoker_prober.target import OTHER


def line(result: Result, now: float, latency: str = "network") -> str:
    """The line of `result` at `now` (seconds since the epoch), in the time zone of the process.

    `latency`: "network" shows the RTT where there is one, "duration" what a program would have felt.
    """
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    if result.outcome.ok:
        what = f"SUCCESS latency={milliseconds(result.latency(latency))}{_train(result)}"
    else:
        what = f"FAILED error={result.outcome}{_more(result)}"
    confirm = " confirm=true" if result.confirms else ""
    return f"[{stamp}] [NODE:{result.source}] [{result.probe.upper()}] {what}{_way(result)}{confirm}"


def _more(result: Result) -> str:
    """What a failure has beside its outcome."""
    told: dict[str, object] = {"status": result.status}
    if result.outcome is Outcome.MTU and result.path_mtu is not None:
        told |= {"mtu": result.path_mtu.allowed, "passes": result.path_mtu.passes}
    told |= {"direction": result.direction or None}
    return "".join(f" {name}={value}" for name, value in told.items() if value is not None)


def _way(result: Result) -> str:
    """To whom, and how: of a peer, of one of TARGETS, and of whatever is not the way from a pod to the Service."""
    path = result.target.path
    word = "peer" if path.family else "target" if path.plane.endswith(OTHER) else ""
    named = {word: path.target if word else "", "plane": path.plane, "family": path.family, "zone": path.zone}
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


def write(result: Result, latency: str = "network") -> None:
    """Log `result`: a success at level SUCCESS, a failure at ERROR."""
    level = "SUCCESS" if result.outcome.ok else "ERROR"
    text = line(result, time.time(), latency)

    def fields() -> dict[str, object]:
        """Asked for by JSON lines alone."""
        flat = result.fields
        shown = "rtt_ms" if latency == "network" and result.rtt is not None else "duration_ms"
        return {"latency_ms": flat[shown]} | flat

    logger.log(level, "{}", text, **{RESULT: fields})
