"""The command `smoker-http-echo`."""

import sys

from smoker_common.leave import leave_on_signals

leave_on_signals(serves=not sys.argv[1:])  # before the imports, which take longest

from gevent import monkey

monkey.patch_all(ssl=False, subprocess=False)

from prometheus_client import CollectorRegistry

from smoker_common.admin import observe as observe_check
from smoker_common.admission import Admission
from smoker_common.http_handler import Handler
from smoker_common.log import RequestLog
from smoker_common.output import capture_output
from smoker_common.service import Sockets, main
from smoker_common.work import WorkGroup
from smoker_echo.http import HttpEcho
from smoker_echo.metrics import EchoMetrics
from smoker_http_echo.settings import Settings

PROGRAM = "smoker-http-echo"


def build(settings: Settings, sockets: Sockets, registry: CollectorRegistry) -> WorkGroup:
    """Return one server per listener. They log each request, and health checks at DEBUG."""
    log = RequestLog("request", "requests", settings.log_rate)

    def observe(handler: Handler) -> None:
        if handler.path == "/health" and not handler.error:
            observe_check(handler)
            return

        def fields() -> dict[str, object]:
            summary = handler.summary
            return {name: summary[name] for name in ("method", "path", "status")}

        log(handler.client_address, handler.received, handler.response_length, handler.error, fields)

    admission = Admission(settings.max_connections, settings.max_connections_per_client)
    servers = [
        HttpEcho(
            sock,
            observer=observe,
            timeout=settings.request_timeout,
            max_body=settings.max_body_bytes,
            max_spooled=settings.max_spooled_bytes // len(sockets["http_port"]),
            admission=admission,
        )
        for sock in sockets["http_port"]
    ]
    registry.register(EchoMetrics({"http": servers}))
    return WorkGroup(servers)


def command() -> int:
    """Run the command and return its exit code."""
    capture_output(PROGRAM)
    return main(PROGRAM, "Answers GET / with OK, and POST / with the body of the request.", Settings, build)


if __name__ == "__main__":
    sys.exit(command())
