"""OTLP over HTTP (OpenTelemetry's protocol): findings and failed results as logs, roll-ups of nodes as metrics.

Notifier (findings), Exporter (failed results) ─▶ Logs, a bounded queue ─▶ POST of protobuf to any collector
Exporter (roll-ups) ─▶ POST

The messages are those of opentelemetry-proto, which are imported only where an endpoint is set. OpenTelemetry's SDK is
not used: it has threads of its own, which do not go with gevent.
"""
