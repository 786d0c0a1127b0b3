"""The UDP probe: send PING, wait for the same bytes."""

from __future__ import annotations

from dataclasses import dataclass

from smoker_prober.kernel import ttl
from smoker_prober.probes.base import Attempt, Probe
from smoker_prober.probes.datagram import Exchange, connected
from smoker_prober.result import Details as AnyDetails

PAYLOAD = b"PING"


@dataclass(frozen=True)
class Details(AnyDetails):
    """What only a UDP probe finds."""

    ttl: int | None = None  # with which the answer arrived; of IPv6 the hop limit


def run(attempt: Attempt) -> None:
    """Send PING and wait for the same bytes."""
    address = attempt.resolve()
    with attempt.phase("send"):
        sock = connected(address, *Exchange.ENABLE, ttl.enable, never=attempt.never)
    with sock:
        exchange = Exchange(attempt, address, sock)
        with attempt.phase("send"):
            exchange.send(PAYLOAD)
        with attempt.phase("wait"), attempt.deadline.reading():
            while (arrival := exchange.receive()).data != PAYLOAD:
                attempt.received += len(arrival.data)
                attempt.stray = f"got {arrival.data[:32]!r} for {PAYLOAD!r}"
        attempt.received += len(arrival.data)
        attempt.details = Details(ttl.received(arrival.ancillary))
        attempt.rtt = exchange.rtt(0, arrival)


probe = Probe(run, "udp", "send PING to an echo and wait for the same bytes")
