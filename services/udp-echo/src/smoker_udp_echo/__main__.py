"""The command `smoker-udp-echo`."""

import sys

from smoker_common.leave import leave_on_signals

leave_on_signals(serves=not sys.argv[1:])  # before the imports, which take longest

from gevent import monkey

monkey.patch_all(ssl=False, subprocess=False)

from prometheus_client import CollectorRegistry

from smoker_common.log import RequestLog
from smoker_common.output import capture_output
from smoker_common.service import Sockets, main
from smoker_common.work import WorkGroup
from smoker_echo.answer_rate import AnswerRate
from smoker_echo.datagram import ECHO_PORT
from smoker_echo.metrics import EchoMetrics
from smoker_echo.stamp import StampReflector
from smoker_echo.udp import UdpEcho
from smoker_udp_echo.settings import Settings

PROGRAM = "smoker-udp-echo"


def build(settings: Settings, sockets: Sockets, registry: CollectorRegistry) -> WorkGroup:
    """Return an echo and a STAMP reflector per socket. They log each datagram."""
    log = RequestLog("datagram", "datagrams", settings.log_rate)
    reflected = RequestLog("STAMP packet", "STAMP packets", 0)  # rate 0: a train of ten packets is one summary line
    never = {ECHO_PORT, settings.udp_port, settings.stamp_port, *settings.echo_ports}
    # One cap for the echoes and one for the reflectors: a flood of one must not use up the answers of the other.
    rates = [AnswerRate(settings.answer_rate) for _ in range(2)]
    echoes = [UdpEcho(sock, observer=log, never=never, rate=rates[0]) for sock in sockets["udp_port"]]
    reflectors = [
        StampReflector(sock, observer=reflected, never=never, rate=rates[1]) for sock in sockets["stamp_port"]
    ]
    registry.register(EchoMetrics({"udp": echoes, "stamp": reflectors}))
    return WorkGroup([*echoes, *reflectors])


def command() -> int:
    """Run the command and return its exit code."""
    capture_output(PROGRAM)
    return main(PROGRAM, "Echoes every datagram it receives on a UDP port.", Settings, build)


if __name__ == "__main__":
    sys.exit(command())
