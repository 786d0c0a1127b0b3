"""The probes, by name, in the order of a round. A new protocol is a file here and a line in `PROBES`."""

from collections.abc import Collection

from smoker_prober.probes import base, connect, dns, http, tcp, udp
from smoker_prober.result import Result
from smoker_prober.target import Target

PROBES: dict[str, base.Probe] = {
    "tcp": tcp.probe,
    "udp": udp.probe,
    "http": http.probe,
    "connect": connect.probe,
    "dns": dns.probe,
}
ECHOED = ("tcp", "udp", "http")  # the probes that every host with echoes answers: the echo services, each peer


def run(target: Target, source: str, timeout: float, *, never: Collection[int] = ()) -> Result:
    """Probe `target` once. `base.run` says more."""
    return base.run(PROBES[target.probe], target, source, timeout, never=never)
