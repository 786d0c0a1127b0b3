"""A window for each path, and the snapshot made of them. smoker_prober/snapshot.py says what is in it."""

from __future__ import annotations

import gevent

from smoker_common.clock import Clock
from smoker_diagnosis.window import Limits, Sample, Spread, Summary, Window
from smoker_prober.result import Outcome, Result
from smoker_prober.snapshot import Failure, MeshView, PathWindow, Percentiles, Snapshot
from smoker_prober.store.identity import Identity
from smoker_prober.target import Path

BATCH = 10  # paths after which other greenlets get a turn: some milliseconds


class Windows:
    """The windows of a prober, by probe and path."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, Path], Window] = {}
        self._limits = Limits()

    def expect(self, probe: str, path: Path) -> None:
        """Include this path in the snapshot from now on."""
        self._window(probe, path)

    def _window(self, probe: str, path: Path) -> Window:
        window = self._windows.get((probe, path))
        if window is None:
            window = self._windows[probe, path] = Window(self._limits)
            self._limits.share(len(self._windows))
        return window

    def keep(self, result: Result) -> None:
        """Add `result` to the window of its path."""
        train, small_answered = result.train, result.outcome is Outcome.MTU
        self._window(result.probe, result.target.path).add(
            Sample(
                time=self._clock.now(),
                outcome=result.outcome.value,
                counts=result.outcome is not Outcome.LOCAL_ERROR,
                ok=result.outcome.ok,
                rtt=result.rtt.seconds if result.rtt is not None else None,
                duration=result.duration,
                sent=train.known if train is not None else int(small_answered),
                lost=train.lost if train is not None else 0,
                error=result.error,
            )
        )

    def forget(self, probe: str, path: Path) -> None:
        """Drop the window of this path."""
        if self._windows.pop((probe, path), None) is not None:
            self._limits.share(max(len(self._windows), 1))

    def samples(self, probe: str, target: str, plane: str, family: str) -> list[tuple[float, Sample]] | None:
        """Return the results of a path of the last hour, each with its age, the oldest first. None: no such path."""
        now = self._clock.now()
        for (of, path), window in self._windows.items():
            if of == probe and (path.target, path.plane, path.family) == (target, plane, family):
                return [(now - sample.time, sample) for sample in window.samples(now)]
        return None

    def snapshot(self, identity: Identity, zone: str, mesh: MeshView | None) -> Snapshot:
        """Return what the windows say now."""
        now = self._clock.now()
        paths = []
        for number, ((probe, path), window) in enumerate(list(self._windows.items()), 1):
            paths.append(_path(probe, path, window.summary(now), self._clock))
            if not number % BATCH:
                gevent.sleep(0)
        return Snapshot(
            node=identity.node,
            zone=zone,
            network=identity.network,
            time=round(self._clock.date(now), 3),
            mesh=mesh,
            paths=paths,
        )


def _path(probe: str, path: Path, summary: Summary, clock: Clock) -> PathWindow:
    last = summary.last_success
    return PathWindow(
        probe=probe,
        role=path.role,
        target=path.target,
        plane=path.shown_plane,
        family=path.family,
        zone=path.zone,
        last=summary.last,
        results=summary.results,
        failed=summary.failed,
        failed_in_a_row=summary.failed_in_a_row,
        loss_ratio=_rounded(summary.loss_ratio, 4),
        recent_loss_ratio=_rounded(summary.recent_loss, 4),
        rtt_ms=_percentiles(summary.rtt),
        jitter_ms=_rounded(summary.jitter, 3, 1000),
        duration_ms=_percentiles(summary.duration),
        longest_outage_seconds=round(summary.longest_outage, 3),
        last_success=None if last is None else round(clock.date(last), 3),
        failures=[
            Failure(round(clock.date(sample.time), 3), sample.outcome, sample.error) for sample in summary.failures
        ],
    )


def _percentiles(spread: Spread | None) -> Percentiles | None:
    if spread is None:
        return None
    return Percentiles(*(round(seconds * 1000, 3) for seconds in (spread.p50, spread.p95, spread.p99, spread.max)))


def _rounded(value: float | None, digits: int, times: float = 1) -> float | None:
    return None if value is None else round(value * times, digits)
