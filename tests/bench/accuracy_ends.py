"""Part three: both ends lack CPU. STAMP takes the reflector's time out of the RTT; a UDP probe cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from . import table
from .accuracy_errors import Errors, Spread, compare, compare_trains
from .accuracy_frames import exchanges, reflections
from .accuracy_lab import DIRECT, SLOW
from .accuracy_run import ECHO, WORKER, Load, Runner, Seen
from .accuracy_situations import CLOSER, counted, micro, times
from .build import BenchError

HEADER = (
    *("quota of both", "RTT by", "n", "path p50 µs", "p99", "reported p50 µs", "p99", "over no quota p50", "p99"),
    *("error p50 µs", "p99", "max", "throttled", "echo throttled"),
)
QUOTA = "50m"
TRAINS = Load("train", 20, 5, packets=20, spread=0.5)
DATAGRAMS = Load("udp", 50, 20)
OTHERS = Load("tcp", 50, 400, pause=0.02)  # keeps the echo busy for longer than the rest takes
OVER = 300  # µs, of the RTT over the same without a quota
STAMP, KERNEL, CLOCKED = "STAMP", "UDP probe", "its clock"


class MethodErrors(NamedTuple):
    """The errors of one method. The truth is the time of the path: the RTT at the prober minus that at the echo."""

    path: Spread
    reported: Spread
    error: Spread
    seen: Seen


def measure(runner: Runner, say: Callable[[str], None]) -> tuple[str, list[str]]:
    """Return the table, and a message for each case that failed."""
    rows: list[list[str]] = []
    notes: list[str] = []
    found: dict[str, dict[str, MethodErrors]] = {}
    title = f"Both ends starved, {SLOW.title} path; with a quota the echo serves others beside"
    for quota in ("", QUOTA):
        case = quota or "none"
        say(f"both ends: {case}")
        try:
            loads = [replace(load, quota=quota) for load in (TRAINS, DATAGRAMS)]
            trains, datagrams = runner.run_starved(SLOW, loads, quota, (DIRECT, OTHERS))
            found[case] = _ways(trains, datagrams, case, notes)
        except BenchError as why:
            return table.render(title, HEADER, rows), [f"both ends, quota {case}: {why}"]
        rows += [_row(case, name, by, found["none"][name]) for name, by in found[case].items()]
    return "\n".join([table.render(title, HEADER, rows), *notes, *_goals(found["none"], found[QUOTA])]), []


def _ways(trains: Seen, datagrams: Seen, case: str, notes: list[str]) -> dict[str, MethodErrors]:
    sent, probed = trains.probed[WORKER], datagrams.probed[WORKER]
    packets = compare_trains(sent, reflections(trains.near, SLOW.probed), reflections(trains.far, SLOW.probed))
    probes = compare(probed, exchanges(datagrams.near, SLOW.probed), exchanges(datagrams.far, SLOW.probed))
    for name, errors in ((STAMP, packets), (KERNEL, probes)):
        if not errors.reported:
            raise BenchError(f"nothing was answered: {name}, {counted(errors.failures)}")
        if errors.failures or errors.unknown:
            notes.append(f"{case}, {name}: {counted(errors.failures) or 'none'} failed, {errors.unknown} not captured.")
    answered = [one for one in probed if one.rtts]
    return {
        STAMP: _by(packets, [rtt for train in sent for rtt in train.rtts], packets.reported, trains),
        KERNEL: _by(probes, [one.rtts[0] for one in answered], probes.reported, datagrams),
        CLOCKED: _by(probes, [one.clock for one in answered], probes.clock, datagrams),
    }


def _by(errors: Errors, reported: list[float], error: list[float], seen: Seen) -> MethodErrors:
    return MethodErrors(Spread.of(errors.truth), Spread.of(reported), Spread.of(error), seen)


def _row(case: str, name: str, by: MethodErrors, plain: MethodErrors) -> list[str]:
    over = by.reported.p50 - plain.reported.p50, by.reported.p99 - plain.reported.p99
    return [
        case,
        name,
        str(by.error.count),
        *(micro(value) for value in (by.path.p50, by.path.p99, by.reported.p50, by.reported.p99)),
        *((micro(value) for value in over) if by is not plain else ("", "")),
        *(micro(value) for value in (by.error.p50, by.error.p99, by.error.most)),
        *(str(by.seen.throttled.get(program, "")) for program in (WORKER, ECHO)),
    ]


def _goals(plain: dict[str, MethodErrors], starved: dict[str, MethodErrors]) -> list[str]:
    """Judge the goals. The relay is not equally fast in both runs, so its time by the capture is subtracted."""
    before, after = plain[STAMP], starved[STAMP]
    over = 1e6 * (after.reported.p99 - before.reported.p99)
    path = 1e6 * (after.path.p99 - before.path.p99)
    closer = times(starved[CLOCKED].error.p99, after.error.p99)
    error = 1e6 * after.error.p99
    above = f"goal: STAMP's p99 is {over:,.0f} µs over that without a quota, {path:,.0f} µs of it the path's own"
    return [
        f"{above}: {over - path:,.0f} µs, {table.at_most(over - path, OVER, ' µs')}",
        f"goal: STAMP's error at p99 is {error:,.0f} µs, {table.at_most(error, OVER, ' µs')}",
        f"goal: that of the clock is {closer:,.0f} times as much, {table.at_least(closer, CLOSER, 'x')}",
    ]
