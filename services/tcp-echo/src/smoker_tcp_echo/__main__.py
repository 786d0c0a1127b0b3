"""The command `smoker-tcp-echo`."""

import sys

from smoker_common.leave import leave_on_signals

leave_on_signals(serves=not sys.argv[1:])  # before the imports, which take longest

from gevent import monkey

monkey.patch_all(ssl=False, subprocess=False)

from prometheus_client import CollectorRegistry

from smoker_common.admission import Admission
from smoker_common.log import RequestLog
from smoker_common.output import capture_output
from smoker_common.service import Sockets, main
from smoker_common.work import WorkGroup
from smoker_echo.metrics import EchoMetrics
from smoker_echo.tcp import TcpEcho
from smoker_tcp_echo.settings import Settings

PROGRAM = "smoker-tcp-echo"


def build(settings: Settings, sockets: Sockets, registry: CollectorRegistry) -> WorkGroup:
    """Return one server per listener. They log each connection when it ends."""
    log = RequestLog("connection closed", "connections", settings.log_rate)
    admission = Admission(settings.max_connections, settings.max_connections_per_client)
    servers = [
        TcpEcho(sock, observer=log, idle_timeout=settings.idle_timeout, admission=admission)
        for sock in sockets["tcp_port"]
    ]
    registry.register(EchoMetrics({"tcp": servers}))
    return WorkGroup(servers)


def command() -> int:
    """Run the command and return its exit code."""
    capture_output(PROGRAM)
    return main(PROGRAM, "Echoes every byte it receives on a TCP port.", Settings, build)


if __name__ == "__main__":
    sys.exit(command())
