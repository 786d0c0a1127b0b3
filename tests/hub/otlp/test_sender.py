"""Sending to a collector: which failures are repeated, which are final, and partial rejections."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_service

from smoker_hub.otlp.encode import Record, encode_logs
from smoker_hub.otlp.options import Options
from smoker_hub.otlp.sender import ATTEMPTS, Sender
from tests.hub.notify.receivers import Receiver, receiver

from .messages import attributes, records

RECORD = Record(1_700_000_000.25, 1_700_000_001.0, 13, "smoker.result.failed", "body", {"a": "b", "n": 3, "e": ""})
BODY = encode_logs({"service.name": "smoker-hub"}, [RECORD])


def send(there: Receiver, pauses: list[float] | None = None, **options: object) -> Sender:
    """Send a batch of ten to `there` without pauses."""
    waited = [] if pauses is None else pauses
    sender = Sender("logs", Options(there.url, **options), waited.append)  # type: ignore[arg-type]
    sender.send(BODY, 10)
    return sender


@pytest.mark.parametrize("packed", [True, False])
def test_a_record_arrives_whole(packed: bool) -> None:
    """A record arrives as protobuf, compressed or not, with the configured headers and without empty attributes."""
    with receiver(200) as there:
        sender = send(there, gzip=packed, headers={"x-tenant": "net"})
    assert sender.counts == {"sent": 10, "rejected": 0}
    (request,) = there.got
    assert (request.headers["content-type"], request.headers["x-tenant"]) == ("application/x-protobuf", "net")
    assert (request.headers.get("content-encoding") == "gzip") is packed
    (record,) = records(request)
    assert attributes(record) == {"a": "b", "n": 3}
    assert (record.time_unix_nano, record.severity_text) == (1_700_000_000_250_000_000, "WARN")
    assert (record.event_name, record.body.string_value) == ("smoker.result.failed", "body")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_temporary_errors_are_retried(status: int, records: list[str]) -> None:
    """A batch is sent again after the pause that the collector asks for.

    The log says once that it fails, and once that it works.
    """
    pauses: list[float] = []
    with receiver(status, status, 200, fields="Retry-After: 9\r\n") as there:
        sender = send(there, pauses)
    assert (sender.counts["sent"], pauses) == (10, [9.0, 9.0])
    assert len([line for line in records if f"status {status}" in line]) == 1
    assert len([line for line in records if "accepts records again" in line]) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 302])
def test_final_errors_are_not_retried(status: int) -> None:
    """With any other status the batch has failed, as OTLP demands."""
    with receiver(status) as there:
        sender = send(there)
    assert (len(there.got), sender.counts["failed"]) == (1, 10)


def test_retries_are_bounded() -> None:
    """The pauses double until the batch has failed."""
    pauses: list[float] = []
    with receiver(503) as there:
        sender = send(there, pauses)
    assert (len(there.got), sender.counts["failed"]) == (ATTEMPTS, 10)
    assert all(0.5 * 2**turn <= pause <= 2**turn for turn, pause in enumerate(pauses))


def test_a_refused_connection_is_retried() -> None:
    """A closed port, as while a collector restarts, is tried again."""
    with receiver(200) as there:
        pass
    pauses: list[float] = []
    assert send(there, pauses).counts["failed"] == 10
    assert len(pauses) == ATTEMPTS - 1


def test_a_part_that_is_rejected_is_counted_and_logged(records: list[str]) -> None:
    """The collector's reason is logged, cut and escaped; the part is not sent again."""
    said = logs_service.ExportLogsPartialSuccess(rejected_log_records=4, error_message="too old\x1b[31m" + "x" * 5000)
    answer = logs_service.ExportLogsServiceResponse(partial_success=said).SerializeToString()
    with receiver(200, said=answer) as there:
        sender = send(there)
    assert (len(there.got), sender.counts["sent"], sender.counts["rejected"]) == (1, 6, 4)
    (line,) = (line for line in records if "rejected some records" in line)
    assert "too old\\\\x1b[31m" in line
    assert len(line) < 500


def test_a_malformed_answer_is_reported(records: list[str]) -> None:
    """An unreadable answer with a good status is logged, and the batch counts as accepted."""
    with receiver(200, said=b"<html>hello") as there:
        sender = send(there)
    assert sender.counts["sent"] == 10
    assert any("the answer is not an OTLP message" in line for line in records)
