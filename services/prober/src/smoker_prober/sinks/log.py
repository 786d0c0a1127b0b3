"""Results as log lines on stdout.

[2025-11-13 10:30:00] [NODE:node-1] [TCP] SUCCESS latency=15ms
[2025-11-13 10:30:30] [NODE:node-2] [HTTP] FAILED error=bad_reply status=503
"""

from __future__ import annotations

import time

from loguru import logger

from smoker_common.log import RESULT
from smoker_prober.result import Result, milliseconds


def line(result: Result, now: float) -> str:
    """The line of `result` at `now` (seconds since the epoch), in the time zone of the process."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    if result.outcome.ok:
        what = f"SUCCESS latency={milliseconds(result.duration)}"
    else:
        what = f"FAILED error={result.outcome}" + (f" status={result.status}" if result.status is not None else "")
    return f"[{stamp}] [NODE:{result.source}] [{result.probe.upper()}] {what}"


def write(result: Result) -> None:
    """Log `result`: a success at level SUCCESS, a failure at ERROR."""
    level = "SUCCESS" if result.outcome.ok else "ERROR"
    text = line(result, time.time())
    logger.bind(**{RESULT: result.fields}).log(level, "{}", text)
