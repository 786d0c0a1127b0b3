"""Counts results as metrics. docs/metrics.md lists them, and how many series there can be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from operator import attrgetter

from prometheus_client import CollectorRegistry, Histogram, Summary
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from smoker_common.clock import Clock
from smoker_common.metrics import Value, counter, gauge
from smoker_diagnosis.state import PEER
from smoker_prober.kernel import cgroup
from smoker_prober.probes import ECHOED
from smoker_prober.result import Outcome, Result
from smoker_prober.sinks.counts import FATES, OUTCOMES, Counts
from smoker_prober.snapshot import MeshView
from smoker_prober.target import Path

#: Seconds: 50 µs to 2 s.
BUCKETS = (5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0)
LATENESS = (1e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0, 2.0, 5.0)  # seconds
WHOLE = 12  # paths that have all their counters from the start, also those at 0; peers never do
LISTED = 3072  # paths that have series of their own: 1,024 hosts with three probes


class _Children(dict[tuple[str, ...], Histogram | Summary]):
    """The children of a histogram or a summary by label values: finding one there takes longer than an observation.

    Those of `known` exist from the start, others from their first observation on.
    """

    def __init__(self, whole: Histogram | Summary, known: Iterable[str] = ()) -> None:
        super().__init__()
        self._whole = whole
        for value in known:
            self[value,]

    def __missing__(self, values: tuple[str, ...]) -> Histogram | Summary:
        child = self[values] = self._whole.labels(*values)
        return child


class Metrics(Collector):
    """Counts the results of a prober. It registers itself in `registry`."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        interval: float,
        probes: Collection[str] = ECHOED,
        where: Callable[[], dict[str, str]] = dict,
        mesh: Callable[[], MeshView | None] = lambda: None,
        throttled: Callable[[], float | None] = cgroup.throttled,
        clock: Clock | None = None,
    ) -> None:
        """`probes` have their histograms from the start. `interval` is in seconds and may be set anew.

        `where` returns the labels that say where the prober stands, as far as that is known. `mesh` returns what the
        prober knows of its peers; None without a mesh.
        """
        self.interval, self._where, self._throttled = interval, where, throttled
        self._mesh = mesh
        self._clock = clock or Clock()
        self._rounds = 0
        self._paths: dict[tuple[str, Path], Counts] = {}
        self._unlisted: set[tuple[str, Path]] = set()

        def histogram(name: str, what: str, *labels: str, buckets: tuple[float, ...] = BUCKETS) -> Histogram:
            return Histogram(name, what, labels, buckets=buckets, registry=registry)

        rtt = histogram("smoker_probe_rtt_seconds", "The network's round-trip time", "probe")
        duration = histogram("smoker_probe_duration_seconds", "Duration of a probe, name resolution included", "probe")
        phase = ("smoker_probe_phase_seconds", "Duration of each phase of a probe", ("probe", "phase"))
        self._rtt, self._duration = _Children(rtt, probes), _Children(duration, probes)
        self._phase = _Children(Summary(*phase, registry=registry))
        late = ("smoker_prober_lateness_seconds", "Delay between a round's scheduled time and its start")
        self._lateness = histogram(*late, buckets=LATENESS)
        registry.register(self)

    def expect(self, probe: str, path: Path) -> None:
        """Serve the counters of this path from now on. A peer's appear with its first result."""
        if path.role != PEER:
            self._path(probe, path)

    def forget(self, probe: str, path: Path) -> None:
        """Serve the series of this path no longer."""
        self._paths.pop((probe, path), None)
        self._unlisted.discard((probe, path))

    def keep(self, result: Result) -> None:
        """Count `result`, unless it is a confirmation: those would weigh failures more than successes."""
        if result.confirms:
            return
        if result.rtt is not None:
            self._rtt[result.probe,].observe(result.rtt.seconds)
        if result.outcome.ok:
            self._duration[result.probe,].observe(result.duration)
            for phase, seconds in result.phases.items():
                self._phase[result.probe, phase].observe(seconds)
        path = self._path(result.probe, result.target.path)
        if path is not None:
            path.keep(result, self._clock.now())

    def began(self, lateness: float) -> None:
        """Count a round that began `lateness` seconds after its time."""
        self._lateness.observe(lateness)

    def ended(self) -> None:
        """Count a round that has ended."""
        self._rounds += 1

    def _path(self, probe: str, path: Path) -> Counts | None:
        """Return the counts of a path, made at its first use; None beyond `LISTED` paths."""
        key = probe, path
        counts = self._paths.get(key)
        if counts is None:
            if len(self._paths) >= LISTED:
                self._unlisted.add(key)
                return None
            self._unlisted.discard(key)
            whole = path.role != PEER and len(self._paths) < WHOLE
            counts = self._paths[key] = Counts(probe, path, whole=whole)
        return counts

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the paths, then the prober's own."""
        paths = list(self._paths.values())
        outcomes = self._by_word(paths, "outcome", OUTCOMES, attrgetter("outcomes"))
        yield counter("smoker_probe_total", "Results", outcomes)
        last = "smoker_probe_last_success_timestamp_seconds"
        yield gauge(last, "Time of the last success, in seconds since the epoch", _set(paths, self._succeeded))
        for name, what, value in GAUGES:
            yield gauge(name, what, _set(paths, value))
        trained = [path for path in paths if path.fates]
        fates = self._by_word(trained, "fate", FATES, attrgetter("fates"))
        yield counter("smoker_probe_packets_total", "Packets of trains", fates)
        for name, what, count, among in (
            ("smoker_probe_duplicates_total", "Answers that arrived more than once", "duplicates", trained),
            (
                "smoker_probe_reordered_total",
                "Answers that arrived after the answer to a later packet",
                "reordered",
                trained,
            ),
            ("smoker_probe_unreadable_total", "Packets whose answers could not be read", "unreadable", trained),
            ("smoker_probe_retransmits_total", "Segments that TCP sent again", "retransmits", paths),
        ):
            yield counter(name, what, self._counts(among, attrgetter(count)))
        yield from _measured(paths)
        yield counter("smoker_prober_rounds_total", "Rounds that have ended", [({}, self._rounds)])
        yield gauge("smoker_prober_interval_seconds", "From one round to the next", [({}, self.interval)])
        yield gauge("smoker_prober_info", "Node and zone of the prober; always 1", [(self._where(), 1)])
        known = len(self._paths) + len(self._unlisted)
        yield gauge("smoker_prober_paths", "Paths that the prober measures", [({}, known)])
        if (mesh := self._mesh()) is not None:
            peers: list[Value] = [({"state": "known"}, mesh.known), ({"state": "probed"}, mesh.probed)]
            yield gauge("smoker_prober_peers", "Other nodes that have a prober", peers)
            stale = (
                0.0 if mesh.stale_since is None else max(0.0, self._clock.date(self._clock.now()) - mesh.stale_since)
            )
            what = "Time since the API server last confirmed the list of peers"
            yield gauge("smoker_prober_discovery_stale_seconds", what, [({}, round(stale, 3))])
        if (throttled := self._throttled()) is not None:
            what = "Time for which the CPU limit held the prober back"
            yield counter("smoker_prober_throttled_seconds_total", what, [({}, throttled)])

    def _succeeded(self, path: Counts) -> float | None:
        """Return the date of the last success, by the wall clock of now."""
        return None if path.succeeded is None else round(self._clock.date(path.succeeded), 3)

    def _by_word(
        self, paths: Iterable[Counts], label: str, words: Sequence[str], counts_of: Callable[[Counts], Sequence[int]]
    ) -> Iterator[Value]:
        """Yield a count for each of `words`, the values of `label`."""
        for path in paths:
            labels = path.labels
            for word, count in zip(words, counts_of(path), strict=True):
                if count or (path.whole and (word != Outcome.MTU or path.probe == "udp")):
                    yield {**labels, label: word}, count

    def _counts(self, paths: Iterable[Counts], count_of: Callable[[Counts], int | None]) -> Iterator[Value]:
        for path in paths:
            count = count_of(path)
            if count is not None and (count or path.whole):
                yield path.labels, count


GAUGES: tuple[tuple[str, str, Callable[[Counts], float | None]], ...] = (
    ("smoker_probe_last_rtt_seconds", "The network's round-trip time in the last result", attrgetter("rtt")),
    ("smoker_probe_loss_ratio", "Packets of the last train without an answer", attrgetter("loss")),
    ("smoker_probe_jitter_seconds", "RTT jitter in the last train", attrgetter("jitter")),
    ("smoker_probe_flows_failing", "Of 16 source ports, those that always failed when last tried", attrgetter("flows")),
    ("smoker_probe_kept_flow_failed_rounds", "Rounds in a row in which the kept flow alone failed", attrgetter("kept")),
)


def _measured(paths: Iterable[Counts]) -> Iterator[Metric]:
    """Yield a gauge for each name that the probes' own measures have."""
    found: dict[tuple[str, str], list[Value]] = {}
    for path in paths:
        for name, what, value in path.measures:
            found.setdefault((name, what), []).append((path.labels, value))
    for (name, what), values in found.items():
        yield gauge(name, what, values)


def _set(paths: Iterable[Counts], value_of: Callable[[Counts], float | None]) -> Iterator[Value]:
    """Yield the value of each path that has one."""
    for path in paths:
        value = value_of(path)
        if value is not None:
            yield path.labels, value
