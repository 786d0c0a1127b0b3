"""Results kept in windows, a path each, and what they say now: the snapshot that is served and reported.

    GET /api/v1/snapshot on the admin port

Version 1: `{"version", "node", "zone", "network", "time", "mesh", "paths": [{"probe", "target", "plane", "family",
"zone", "last", "results", "failed", "failed_in_a_row", "loss_ratio", "recent_loss_ratio", "rtt_ms", "jitter_ms",
"duration_ms", "longest_outage_seconds", "last_success", "failures"}]}`. `rtt_ms`, `duration_ms`: `{"p50", "p95",
"p99", "max"}`; dates are seconds since the epoch by the wall clock of the moment at which the snapshot is made, however
that clock was stepped before; what has no sample is null; `last` is empty before the first result;
`recent_loss_ratio` is of the last five trains. `mesh`: null without one, else `{"known", "probers", "probed", "paths",
"stale_since", "api", "api_status", "api_cause"}`: other nodes that have a prober, other probers (a node can have two),
the nodes that this one probes, by how many paths, since when the API server has given no news of peers (null while it
does), and how it answers: `api` is a word of smoker_kube.standing, `api_status` the HTTP status of a refusal (else
null), `api_cause` the cause in words. Fields may be added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent

from smoker_common.clock import Clock
from smoker_diagnosis.window import Limits, Sample, Spread, Summary, Window
from smoker_prober.result import Outcome, Result
from smoker_prober.snapshot import VERSION
from smoker_prober.target import Path

BATCH = 10  # paths after which others get a turn: some milliseconds


class Memory:
    """The windows of a prober, and where it stands."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.node = self.zone = self.network = ""
        self.mesh: Callable[[], dict[str, Any]] | None = None  # what is known of it now
        self._clock = clock or Clock()
        self._windows: dict[tuple[str, Path], Window] = {}
        self._limits = Limits()

    def where(self) -> dict[str, str]:
        """Where the prober stands, but for its node: what there is of `network` and `zone`."""
        return {name: value for name in ("network", "zone") if (value := getattr(self, name))}

    def expect(self, probe: str, path: Path) -> None:
        """There will be results of this path: it is in the snapshot from now on."""
        self._window(probe, path)

    def _window(self, probe: str, path: Path) -> Window:
        window = self._windows.get((probe, path))
        if window is None:
            window = self._windows[probe, path] = Window(self._limits)
            self._limits.share(len(self._windows))
        return window

    def keep(self, result: Result) -> None:
        """Remember `result` in the window of its path."""
        self.node = result.source
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
        """There will be no more results of this path."""
        if self._windows.pop((probe, path), None) is not None:
            self._limits.share(max(len(self._windows), 1))

    def snapshot(self) -> dict[str, Any]:
        """Return what the windows say now."""
        now = self._clock.now()
        paths = []
        for number, ((probe, path), window) in enumerate(list(self._windows.items()), 1):
            paths.append({"probe": probe, **path._asdict()} | _path(window.summary(now), self._clock))
            if not number % BATCH:
                gevent.sleep(0)
        return {
            "version": VERSION,
            "node": self.node,
            "zone": self.zone,
            "network": self.network,
            "time": round(self._clock.date(now), 3),
            "mesh": self.mesh() if self.mesh is not None else None,
            "paths": paths,
        }


def _path(summary: Summary, clock: Clock) -> dict[str, Any]:
    last = summary.last_success
    return {
        "last": summary.last,
        "results": summary.results,
        "failed": summary.failed,
        "failed_in_a_row": summary.failed_in_a_row,
        "loss_ratio": _rounded(summary.loss_ratio, 4),
        "recent_loss_ratio": _rounded(summary.recent_loss, 4),
        "rtt_ms": _spread(summary.rtt),
        "jitter_ms": _rounded(summary.jitter, 3, 1000),
        "duration_ms": _spread(summary.duration),
        "longest_outage_seconds": round(summary.longest_outage, 3),
        "last_success": None if last is None else round(clock.date(last), 3),
        "failures": [
            {"time": round(clock.date(sample.time), 3), "outcome": sample.outcome, "error": sample.error}
            for sample in summary.failures
        ],
    }


def _spread(spread: Spread | None) -> dict[str, float] | None:
    if spread is None:
        return None
    return {name: round(getattr(spread, name) * 1000, 3) for name in ("p50", "p95", "p99", "max")}


def _rounded(value: float | None, digits: int, times: float = 1) -> float | None:
    return None if value is None else round(value * times, digits)
