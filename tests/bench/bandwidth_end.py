"""One end of the bench of bandwidth, in a network namespace of its own: `serve`, or `measure` beside UDP probes.

`measure` writes one JSON document: the results of the transfers, and the round-trip times of the UDP probes, during a
transfer and between two of them, as the kernel saw them. Both run in one process, as in a prober.
"""

from gevent import monkey

monkey.patch_all()

import json
import subprocess
import sys
from typing import Any

import gevent

from smoker_common.listen import tcp_listener, udp_sockets
from smoker_echo.udp import UdpEcho
from smoker_prober.bandwidth.responder import BandwidthResponder
from smoker_prober.probes import run
from smoker_prober.result import Result
from smoker_prober.target import Target, service_path

BANDWIDTH, UDP = 8063, 8081
EVERY = 0.005  # seconds between two UDP probes
REST = 1.5  # seconds before each transfer: the queue of the one before is empty then
SETTLED = 0.2  # seconds after a transfer whose probes count for neither side


def target(probe: str, host: str, port: int) -> Target:
    """Return a target on the other end."""
    return Target(probe, host, port, service_path(host, port))


def serve(host: str) -> None:
    """Serve transfers and answer UDP probes until the process is ended."""
    BandwidthResponder(tcp_listener(host, BANDWIDTH), lambda _client: True).start()
    for sock in udp_sockets(host, UDP):
        UdpEcho(sock).start()
    gevent.sleep(3600)


class Beside:
    """Probes over UDP all the time, and keeps the RTT of each probe with the state of the network."""

    def __init__(self, host: str) -> None:
        self.state = "quiet"
        self.found: dict[str, list[float]] = {"quiet": [], "transfer": [], "iperf3": []}
        self.lost: dict[str, int] = dict.fromkeys(self.found, 0)
        self._target = target("udp", host, UDP)
        gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            state = self.state
            result = run(self._target, "bench", 1.0)
            if state == self.state and state:
                if result.rtt is None:
                    self.lost[state] += 1
                else:
                    self.found[state].append(result.rtt.seconds)
            gevent.sleep(EVERY)

    def during(self, state: str, what: Any) -> Any:
        """Return what `what` returns; the probes meanwhile belong to `state`."""
        gevent.sleep(REST)
        self.state = state
        found = what()
        self.state = ""
        gevent.sleep(SETTLED)
        self.state = "quiet"
        return found


def iperf3(host: str, *flags: str) -> float:
    """Return the megabits per second that the receiver of iperf3 counts, its first second omitted."""
    command = ["iperf3", "-c", host, "-t", "2", "-O", "1", "-J", *flags]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout)
    return float(said["end"]["sum_received"]["bits_per_second"]) / 1e6


def measure(host: str, transfers: int) -> dict[str, Any]:
    """Return what `transfers` transfers and one iperf3 in each direction found."""
    beside, results = Beside(host), list[Result]()
    for _ in range(transfers):
        results.append(beside.during("transfer", lambda: run(target("bandwidth", host, BANDWIDTH), "bench", 5.0)))
    out = beside.during("iperf3", lambda: iperf3(host))
    back = beside.during("iperf3", lambda: iperf3(host, "-R"))
    return {
        "results": [result.fields for result in results],
        "iperf3": {"out": out, "in": back},
        "rtts": beside.found,
        "lost": beside.lost,
    }


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        json.dump(measure(sys.argv[2], int(sys.argv[3])), sys.stdout)
