"""A real collector takes what the hub sends: OpenTelemetry's, with its otlpreceiver and its debugexporter.

`make test-collector` builds it (dev/collector, needs Go) and runs this test; $OTELCOL is its path.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from smoker_hub.hub import Hub
from smoker_hub.otlp.options import read
from tests.conftest import eventually, free_port
from tests.hub.notify.receivers import become, looking
from tests.promtool import running

from .exports import Export

pytestmark = pytest.mark.collector


@contextlib.contextmanager
def collector(folder: Path) -> Iterator[tuple[int, Path]]:
    """Yield the port of a collector, and the file that it writes what it gets to."""
    program = os.environ.get("OTELCOL")
    if not program:
        pytest.skip("OTELCOL is not set: make test-collector")
    port, log = free_port(), folder / "log"
    pipeline = {"receivers": ["otlp"], "exporters": ["debug"]}
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"debug": {"verbosity": "detailed"}},
        "service": {"pipelines": {"logs": pipeline, "metrics": pipeline}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))

    def answers() -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0

    with running([program, "--config", folder / "config.yaml"], log, answers):
        yield port, log


def exporting(hub: Hub, variables: Mapping[str, str]) -> Export:
    """Start the export of what `hub` finds, with the metrics every 50 ms."""
    otlp, mistakes = read({**variables, "OTEL_METRIC_EXPORT_INTERVAL": "50"})
    assert mistakes == []
    export = Export(hub, otlp)
    export.start()
    return export


def took_all(export: Export) -> None:
    """Stop the export, and check that something was sent and that nothing was refused or lost."""
    assert export.drain(10.0) == 0
    for sender in export.senders:
        assert sender.counts["sent"] > 0
        assert not {"rejected", "failed", "dropped"} & {key for key, count in sender.counts.items() if count}


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_collector_takes_logs_and_metrics(tmp_path: Path, compression: str) -> None:
    """It shows the finding, a failed result and the roll-ups; nothing is rejected."""
    with collector(tmp_path) as (port, log), looking() as (hub, found):
        base = "OTEL_EXPORTER_OTLP_"
        variables = {f"{base}ENDPOINT": f"http://127.0.0.1:{port}", f"{base}COMPRESSION": compression}
        export = exporting(hub, variables)
        become(found, "node-2")
        hub.look()
        hub.look()
        wanted = ("FAULT node-2: ", "smoker.result.failed", "smoker.node.paths.failing", "Str(node-2)", "Str(timeout)")
        eventually("all of it is there", lambda: all(word in log.read_text() for word in wanted))
        took_all(export)
