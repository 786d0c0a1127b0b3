"""Records and roll-ups as OTLP's messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_service
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_service
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.logs.v1 import logs_pb2 as logs
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.resource.v1 import resource_pb2 as resource

from smoker_hub.otlp.variables import Signal

SCOPE = "smoker"
Value = str | int | float | bool | Sequence[str]


class Record(NamedTuple):
    """One log record. Dates are seconds since the epoch; `severity` is OTLP's number."""

    at: float
    observed: float
    severity: int
    event: str
    body: str
    attributes: Mapping[str, Value]


class Gauge(NamedTuple):
    """One metric with its points: attributes and a value each."""

    name: str
    unit: str
    help: str
    points: Sequence[tuple[Mapping[str, Value], float]]


class Partial(NamedTuple):
    """The part of a request that a collector rejected, and why."""

    rejected: int
    why: str


_SEVERITIES = {9: "INFO", 13: "WARN", 17: "ERROR"}


def encode_logs(about: Mapping[str, Value], records: Iterable[Record]) -> bytes:
    """Return a request with `records`; `about`: the attributes of the resource."""
    found = [
        logs.LogRecord(
            time_unix_nano=_nanoseconds(record.at),
            observed_time_unix_nano=_nanoseconds(record.observed),
            severity_number=record.severity,  # type: ignore[arg-type]  # an int is what its enum is
            severity_text=_SEVERITIES[record.severity],
            event_name=record.event,
            body=_value(record.body),
            attributes=_attributes(record.attributes),
        )
        for record in records
    ]
    of_scope = logs.ScopeLogs(scope=common.InstrumentationScope(name=SCOPE), log_records=found)
    of_resource = logs.ResourceLogs(resource=_resource(about), scope_logs=[of_scope])
    return bytes(logs_service.ExportLogsServiceRequest(resource_logs=[of_resource]).SerializeToString())


def encode_metrics(about: Mapping[str, Value], gauges: Iterable[Gauge], at: float) -> bytes:
    """Return a request with `gauges` as they are at a date."""
    found = [
        metrics.Metric(
            name=gauge.name,
            unit=gauge.unit,
            description=gauge.help,
            gauge=metrics.Gauge(
                data_points=[
                    metrics.NumberDataPoint(
                        time_unix_nano=_nanoseconds(at), as_double=value, attributes=_attributes(attributes)
                    )
                    for attributes, value in gauge.points
                ]
            ),
        )
        for gauge in gauges
    ]
    of_scope = metrics.ScopeMetrics(scope=common.InstrumentationScope(name=SCOPE), metrics=found)
    of_resource = metrics.ResourceMetrics(resource=_resource(about), scope_metrics=[of_scope])
    return bytes(metrics_service.ExportMetricsServiceRequest(resource_metrics=[of_resource]).SerializeToString())


def decode(signal: Signal, body: bytes) -> Partial:
    """Return the rejected part that an answer names. Raises ValueError if it is no answer."""
    try:
        if signal == "logs":
            of_logs = logs_service.ExportLogsServiceResponse.FromString(body).partial_success
            return Partial(of_logs.rejected_log_records, of_logs.error_message)
        of_metrics = metrics_service.ExportMetricsServiceResponse.FromString(body).partial_success
        return Partial(of_metrics.rejected_data_points, of_metrics.error_message)
    except Exception as error:  # protobuf's DecodeError is of another class in each of its implementations
        raise ValueError("the answer is not an OTLP message") from error


def _resource(about: Mapping[str, Value]) -> resource.Resource:
    return resource.Resource(attributes=_attributes(about))


def _attributes(values: Mapping[str, Value]) -> list[common.KeyValue]:
    return [common.KeyValue(key=key, value=_value(value)) for key, value in values.items() if value != ""]


def _value(value: Value) -> common.AnyValue:
    match value:
        case bool():
            return common.AnyValue(bool_value=value)
        case str():
            return common.AnyValue(string_value=value)
        case int():
            return common.AnyValue(int_value=value)
        case float():
            return common.AnyValue(double_value=value)
    return common.AnyValue(array_value=common.ArrayValue(values=[_value(each) for each in value]))


def _nanoseconds(date: float) -> int:
    return max(round(date * 1e6), 0) * 1000  # a float has no more than microseconds
