"""Metrics: one registry a service, served by prometheus_client. docs/metrics.md lists every series."""

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

BATCH = 100  # samples written before the rest of the process gets a turn: a millisecond or two

#: The values of labels, by name, and the value of the series.
Value = tuple[dict[str, str], float]


def registry(program: str) -> CollectorRegistry:
    """A registry that knows `program` and its process. Raises `PackageNotFoundError` where it is not installed."""
    # Otherwise each counter and histogram has a second series that says when it began.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    made.register(_Build(program))
    made.register(_Dropped())
    return made


def application(served: CollectorRegistry) -> Application:
    """What answers `GET /metrics`: text or OpenMetrics, as the scraper asks."""
    # gzip at prometheus_client's level takes longer than all the rest, and nothing else runs meanwhile.
    app: Application = make_wsgi_app(served, disable_compression=True)
    return app


def counter(name: str, what: str, values: Iterable[Value]) -> Metric:
    """A family of counters; `name` ends in `_total`."""
    return _family(name, what, "counter", values)


def gauge(name: str, what: str, values: Iterable[Value]) -> Metric:
    """A family of gauges."""
    return _family(name, what, "gauge", values)


def _family(name: str, what: str, kind: str, values: Iterable[Value]) -> Metric:
    metric = Metric(name.removesuffix("_total"), what, kind)
    samples: Any = _Samples(name, values)
    metric.samples = samples
    return metric


class _Samples:
    """The samples of a family, made one by one while they are written, with turns for others in between.

    prometheus_client writes a scrape in one go, and with thousands of series nothing else would run meanwhile; but it
    walks through the samples of a family once, so they need not be a list.
    """

    def __init__(self, name: str, values: Iterable[Value]) -> None:
        self._name, self._values = name, values

    def __iter__(self) -> Iterator[Sample]:
        for number, (labels, value) in enumerate(self._values, 1):
            yield Sample(self._name, labels, value)
            if not number % BATCH:
                gevent.sleep(0)


class _Build(Collector):
    """Which program answers."""

    def __init__(self, program: str) -> None:
        self._labels = {"program": program, "version": version(program)}

    def collect(self) -> Iterable[Metric]:
        yield gauge("smoker_build_info", "Which program answers; always 1", [(self._labels, 1)])


class _Dropped(Collector):
    """Count the lines that nobody read."""

    def collect(self) -> Iterable[Metric]:
        what = "Lines that were dropped because nobody read the stream or it could not be written"
        lines = [({"stream": stream}, float(count)) for stream, count in dropped().items()]
        yield counter("smoker_log_dropped_lines_total", what, lines)
