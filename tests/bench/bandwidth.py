"""Compare the bandwidth probe with iperf3, and the RTT of UDP probes with and without a transfer beside them.

`make bench-bandwidth` (as root, with Debian's iperf3): two network namespaces, and between them a router, which
limits the rate in both directions.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from typing import Any

from . import table
from .accuracy_lab import ROOT
from .bandwidth_end import BANDWIDTH

RATES = (20, 100, 500, 1000)  # Mbit/s
QUEUE = 50  # ms that the link holds: as a switch does
NEAR = 0.1  # of iperf3
HERE, THERE = "10.63.0.1", "10.63.1.1"
HERE_ROUTER, THERE_ROUTER = "10.63.0.2", "10.63.1.2"
#: Three namespaces: the shell's own, a router's and the other end's; a sleeping process holds each of the latter two.
#: The queue is at the router. One on the sender's own node would be bounded by the kernel (TCP small queues), and a UDP
#: probe would wait in it before the kernel's stamp.
SCRIPT = """
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
unshare --net sleep 600 & router=$!
unshare --net sleep 600 & other=$!
for each in $router $other; do
    until [ "$(readlink /proc/$each/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
done
routes() { nsenter --net=/proc/$router/ns/net "$@"; }
inside() { nsenter --net=/proc/$other/ns/net "$@"; }
ip link set lo up
ip link add here type veth peer name near netns $router
ip address add $HERE peer $HERE_ROUTER dev here
ip link set here up
ip route add default via $HERE_ROUTER
inside ip link set lo up
inside ip link add there type veth peer name far netns $router
inside ip address add $THERE peer $THERE_ROUTER dev there
inside ip link set there up
inside ip route add default via $THERE_ROUTER
routes ip address add $HERE_ROUTER peer $HERE dev near
routes ip address add $THERE_ROUTER peer $THERE dev far
routes ip link set near up
routes ip link set far up
routes sysctl -qw net.ipv4.ip_forward=1
burst=$(( RATE * 250 > 32000 ? RATE * 250 : 32000 ))
routes tc qdisc add dev near root tbf rate ${RATE}mbit burst $burst latency ${QUEUE}ms
routes tc qdisc add dev far root tbf rate ${RATE}mbit burst $burst latency ${QUEUE}ms
net=/proc/$other/ns/net  # no function below: in the background it would be a shell, whose end leaves its child alive
nsenter --net=$net "$PYTHON" -m tests.bench.bandwidth_end serve $THERE >/dev/null &
nsenter --net=$net iperf3 -s -B $THERE >/dev/null &
until (exec 3<>/dev/tcp/$THERE/$PORT) 2>/dev/null; do sleep 0.1; done
"$PYTHON" -m tests.bench.bandwidth_end measure $THERE $TRANSFERS
"""


def measure(rate: int, transfers: int) -> dict[str, Any]:
    """Return what `bandwidth_end` says of a link of `rate` Mbit/s."""
    variables: dict[str, int | str] = {"RATE": rate, "QUEUE": QUEUE, "TRANSFERS": transfers, "PORT": BANDWIDTH}
    variables |= {"HERE": HERE, "HERE_ROUTER": HERE_ROUTER, "THERE": THERE, "THERE_ROUTER": THERE_ROUTER}
    environ = {name: str(value) for name, value in variables.items()}
    environ |= {**os.environ, "PYTHON": sys.executable}
    command = ["unshare", "--net", "bash", "-euc", SCRIPT]
    ran = subprocess.run(command, env=environ, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=180, check=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def quantile(values: list[float], share: float) -> float:
    """Return the value at `share` of the sorted values in milliseconds, by nearest rank."""
    return sorted(values)[max(round(share * len(values)) - 1, 0)] * 1000 if values else float("nan")


def report(rate: int, found: dict[str, Any]) -> tuple[list[list[str]], list[list[str]], bool]:
    """Return the rows of both tables for one rate, and whether every direction is near iperf3."""
    rates, near = [], True
    for direction, theirs in found["iperf3"].items():
        ours = [each[f"{direction}_mbit_s"] for each in found["results"] if f"{direction}_mbit_s" in each]
        clock = [each[f"{direction}_clock_mbit_s"] for each in found["results"] if f"{direction}_clock_mbit_s" in each]
        sent = [each[f"{direction}_retransmits"] for each in found["results"] if f"{direction}_retransmits" in each]
        middle = statistics.median(ours) if ours else float("nan")
        off = middle / theirs - 1
        near &= abs(off) <= NEAR
        rates.append(
            [
                *(f"{rate}", direction, f"{theirs:.1f}", f"{middle:.1f}", f"{off:+.1%}"),
                *(f"{statistics.median(clock):.1f}", f"{len(ours)}", f"{sum(sent)}"),
            ]
        )
    quiet = found["rtts"]["quiet"]
    beside = []
    for state, values in found["rtts"].items():
        p50, p99 = quantile(values, 0.5), quantile(values, 0.99)
        ratio = f"{p50 / quantile(quiet, 0.5):.1f}", f"{p99 / quantile(quiet, 0.99):.1f}"
        lost = found["lost"][state]
        beside.append([f"{rate}", state, f"{len(values)}", f"{lost}", f"{p50:.3f}", f"{p99:.3f}", *ratio])
    return rates, beside, near


def main() -> int:
    """Measure and print both tables. Return 1 where a direction is further than 10 % from iperf3."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, metavar="MBIT")
    parser.add_argument("--transfers", type=int, default=5)
    chosen = parser.parse_args()
    for program in ("iperf3", "tc", "unshare"):
        if shutil.which(program) is None:
            print(f"{program} is needed (Debian: iperf3, iproute2, util-linux)", file=sys.stderr)
            return 2
    rates, beside, near = [], [], True
    for rate in chosen.rates:
        print(f"a link of {rate} Mbit/s", file=sys.stderr, flush=True)
        more, others, fits = report(rate, measure(rate, chosen.transfers))
        rates += more
        beside += others
        near &= fits
    header = ("link Mbit/s", "direction", "iperf3", "probe", "off by", "by the clock", "n", "retransmits")
    print(table.render("Bandwidth: the median of the probe beside iperf3, Mbit/s", header, rates))
    header = ("link Mbit/s", "beside", "n", "lost", "p50 ms", "p99", "times quiet p50", "p99")
    print(table.render("RTT of UDP probes", header, beside))
    return 0 if near else 1


if __name__ == "__main__":
    sys.exit(main())
