"""What the tests of OTLP share: requests as a collector reads them."""

from __future__ import annotations

import gzip
from typing import Any

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_service
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_service

from tests.hub.notify.receivers import Request


def body(request: Request) -> bytes:
    """Return the body of a request, unpacked."""
    packed = request.headers.get("content-encoding") == "gzip"
    return gzip.decompress(request.body) if packed else request.body


def value(of: Any) -> Any:
    """Return an AnyValue as a Python value."""
    kind = of.WhichOneof("value")
    return [value(each) for each in of.array_value.values] if kind == "array_value" else getattr(of, kind)


def attributes(of: Any) -> dict[str, Any]:
    return {each.key: value(each.value) for each in of.attributes}


def resource(request: Request) -> dict[str, Any]:
    """Return the attributes of the resource of a request with logs."""
    (of_resource,) = logs_service.ExportLogsServiceRequest.FromString(body(request)).resource_logs
    return attributes(of_resource.resource)


def records(request: Request) -> list[Any]:
    """Return the log records of a request."""
    (of_resource,) = logs_service.ExportLogsServiceRequest.FromString(body(request)).resource_logs
    assert attributes(of_resource.resource)["service.name"] == "smoker-hub"
    return list(of_resource.scope_logs[0].log_records)


def points(request: Request) -> dict[str, list[tuple[dict[str, Any], float]]]:
    """Return the points of a request, by the name of their metric."""
    (of_resource,) = metrics_service.ExportMetricsServiceRequest.FromString(body(request)).resource_metrics
    return {
        metric.name: [(attributes(point), point.as_double) for point in metric.gauge.data_points]
        for metric in of_resource.scope_metrics[0].metrics
    }
