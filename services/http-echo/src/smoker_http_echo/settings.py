"""The settings of http-echo."""

from __future__ import annotations

from dataclasses import dataclass

from smoker_common.kinds import port, seconds, whole
from smoker_common.settings import MAX_CONNECTIONS, MAX_CONNECTIONS_PER_CLIENT, EchoSettings, setting


@dataclass(frozen=True)
class Settings(EchoSettings):
    """The settings of http-echo beside those of every echo service."""

    http_port: int = setting("HTTP_PORT", 8082, port, "the port the echo listens on", listen="tcp")
    max_body_bytes: int = setting(
        "MAX_BODY_BYTES",
        10 * 1024 * 1024,
        whole(0, 2**40, "bytes"),
        "longest request body in bytes; a longer one gets a 413",
    )
    max_spooled_bytes: int = setting(
        "MAX_SPOOLED_BYTES",
        192 * 1024 * 1024,
        whole(0, 2**40, "bytes"),
        "most bytes of all request bodies together; a request beyond the limit gets a 503",
    )
    max_connections: int = setting("MAX_CONNECTIONS", 1_000, whole(1, 1_000_000), MAX_CONNECTIONS)
    max_connections_per_client: int = setting(
        "MAX_CONNECTIONS_PER_CLIENT", 500, whole(1, 1_000_000), MAX_CONNECTIONS_PER_CLIENT
    )
    request_timeout: float = setting(
        "REQUEST_TIMEOUT",
        30.0,
        seconds(0.1, 86400),
        "time limit for the headers of a request, and for each 16 KiB read or written",
    )
