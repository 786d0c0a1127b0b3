"""A trace of the path to a target that keeps failing: the result of a probe `trace`, beside that of the failed one."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from smoker_outcome.outcome import Outcome
from smoker_prober.probes import base, trace
from smoker_prober.result import Result
from smoker_prober.target import Target

LONGEST = 5.0  # seconds, for all hops together
LOST = (Outcome.TIMEOUT, Outcome.UNREACHABLE)  # outcomes of a failure that a trace can explain


class Options(NamedTuple):
    """A trace to `port` of the address that the failed probe asked."""

    port: int


def run(options: Options, failed: Result, *, never: Collection[int]) -> Result | None:
    """Return the trace after `failed`; None where it would say nothing."""
    if failed.outcome not in LOST or failed.connected or not failed.address:
        return None
    return of(options, failed, never=never)


def of(options: Options, result: Result, *, never: Collection[int]) -> Result:
    """Return the trace of the path of `result`, to the address that its probe asked."""
    target = Target("trace", result.address, options.port, result.target.path)
    return base.run(trace.probe, target, result.source, LONGEST, never={*never, options.port})
