"""The probes, by name, in the order of a round. A new protocol is a file here and a line in `PROBES`."""

from collections.abc import Collection

from smoker_prober.probes import (
    bandwidth,
    base,
    connect,
    dns,
    grpc,
    http,
    tcp,
    tls,
    trace,
    udp,
    websocket,
)
from smoker_prober.result import Result
from smoker_prober.target import Target

PROBES: dict[str, base.Probe] = {
    "tcp": tcp.probe,
    "udp": udp.probe,
    "http": http.probe,
    "connect": connect.probe,
    "dns": dns.probe,
    "tls": tls.probe,
    "trace": trace.probe,
    "grpc": grpc.probe,
    "websocket": websocket.probe,
}
#: Probes that no round repeats, because they load the network: by hand, and at times of their own.
HEAVY: dict[str, base.Probe] = {"bandwidth": bandwidth.probe}
BY_HAND = PROBES | HEAVY
ECHOED = ("tcp", "udp", "http")  # the probes that every host with echoes answers: the echo services, each peer


def prepare(target: Target) -> None:
    """Import what only probes of `target` need, before the first of them."""
    prepare = BY_HAND[target.probe].prepare
    if prepare is not None:
        prepare(target.options)


def run(target: Target, source: str, timeout: float, *, never: Collection[int] = ()) -> Result:
    """Probe `target` once. `base.run` says more."""
    return base.run(BY_HAND[target.probe], target, source, timeout, never=never)
