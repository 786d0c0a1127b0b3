"""The metrics of every registry, and a scrape that lets other requests run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest

from smoker_common import metrics
from smoker_common.metrics import Value, counter, gauge

PROGRAM = "smoker-common"


class ManySeries:
    """A collector with so many series."""

    def __init__(self, number: int) -> None:
        self.number = number

    def collect(self) -> Iterator[Metric]:
        values: Iterator[Value] = (({"number": str(number)}, number) for number in range(self.number))
        yield counter("smoker_many_total", "Many", values)


def test_a_registry_knows_its_program_and_process() -> None:
    """A registry has the program's name and version, and the standard metrics of a process."""
    text = generate_latest(metrics.registry(PROGRAM)).decode()
    assert f'smoker_build_info{{program="{PROGRAM}",version="0.1.0"}} 1.0' in text
    assert "\nprocess_resident_memory_bytes " in text
    assert "_created" not in text


def test_metric_families_are_valid_exposition_format() -> None:
    """A counter's name ends in _total also in the TYPE line; a family without samples is valid."""
    registry = metrics.registry(PROGRAM)
    registry.register(ManySeries(2))
    text = generate_latest(registry).decode()
    many = '# HELP smoker_many_total Many\n# TYPE smoker_many_total counter\nsmoker_many_total{number="0"} 0.0\n'
    assert many in text
    assert gauge("smoker_none", "None", []).type == "gauge"


def test_a_large_scrape_yields_to_other_greenlets() -> None:
    """During a scrape of thousands of series other greenlets run after every hundred."""
    registry = metrics.registry(PROGRAM)
    registry.register(ManySeries(20 * metrics.BATCH))
    turns: list[bool] = []
    done: list[Any] = []

    def other() -> None:
        while not done:
            turns.append(True)
            gevent.sleep(0)

    running = gevent.spawn(other)
    text = generate_latest(registry).decode()
    done.append(True)
    running.get()
    assert text.count("\nsmoker_many_total{") == 20 * metrics.BATCH
    assert len(turns) >= 20
