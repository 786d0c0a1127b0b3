"""OTLP over HTTP (OpenTelemetry's protocol): findings and failed results as logs, roll-ups of nodes as metrics.

Hub ─▶ Exporter (records, roll-ups) ─▶ a bounded queue a signal ─▶ POST of protobuf to any collector

The messages are those of opentelemetry-proto, which are imported only where an endpoint is set. OpenTelemetry's SDK is
not used: it has threads of its own, which do not go with gevent.
"""
