"""Metrics: one registry per service, served by prometheus_client. docs/metrics.md lists every series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

import gevent
from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics, make_wsgi_app
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from smoker_common.http import Application
from smoker_common.output import dropped

BATCH = 100  # samples written (1 to 2 ms) before other greenlets get a turn

#: The values of labels, by name, and the value of the series.
Value = tuple[dict[str, str], float]


def registry(program: str) -> CollectorRegistry:
    """Return a registry with the build and process metrics of `program`. Raises `PackageNotFoundError`."""
    # Otherwise each counter and histogram has a second series, with the time it was created.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    made.register(_Build(program))
    made.register(_Dropped())
    return made


def application(served: CollectorRegistry) -> Application:
    """Return the application that answers `GET /metrics` in the format that the scraper accepts."""
    # gzip at prometheus_client's level takes longer than all other work of a scrape, and blocks the event loop.
    app: Application = make_wsgi_app(served, disable_compression=True)
    return app


def counter(name: str, what: str, values: Iterable[Value]) -> Metric:
    """Return a family of counters. `name` ends in `_total`."""
    return _family(name, what, "counter", values)


def gauge(name: str, what: str, values: Iterable[Value]) -> Metric:
    """Return a family of gauges."""
    return _family(name, what, "gauge", values)


def _family(name: str, what: str, kind: str, values: Iterable[Value]) -> Metric:
    metric = Metric(name.removesuffix("_total"), what, kind)
    samples: Any = _Samples(name, values)
    metric.samples = samples
    return metric


class _Samples:
    """The samples of a family, made one by one while they are written, with turns for other greenlets in between.

    prometheus_client writes a scrape without a pause, which would block the event loop for thousands of series. It
    iterates over the samples of a family once, so they can be made on the fly.
    """

    def __init__(self, name: str, values: Iterable[Value]) -> None:
        self._name, self._values = name, values

    def __iter__(self) -> Iterator[Sample]:
        for number, (labels, value) in enumerate(self._values, 1):
            yield Sample(self._name, labels, value)
            if not number % BATCH:
                gevent.sleep(0)


class _Build(Collector):
    """Reports the program and its version."""

    def __init__(self, program: str) -> None:
        self._labels = {"program": program, "version": version(program)}

    def collect(self) -> Iterable[Metric]:
        yield gauge("smoker_build_info", "Name and version of the program; always 1", [(self._labels, 1)])


class _Dropped(Collector):
    """Counts the log and result lines that were dropped."""

    def collect(self) -> Iterable[Metric]:
        what = "Lines that were dropped because the stream had no reader or could not be written"
        lines = [({"stream": stream}, float(count)) for stream, count in dropped().items()]
        yield counter("smoker_log_dropped_lines_total", what, lines)
