"""The trace probe: UDP packets with rising TTL (hop limit), to learn which routers answer on the way to a target.

It needs no privilege: a connected socket with IP_RECVERR gets the routers' ICMP errors from its error queue (ip(7)).
After a failed probe the prober sends one by itself (followups/trace.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from smoker_prober.probes.base import Attempt, Probe
from smoker_prober.result import Details as AnyDetails
from smoker_prober.result import milliseconds

PORT = 33434  # where traceroute begins: no service listens there, and firewalls know it
MOST = 30  # hops
SILENT = "*"  # in place of the address of a hop that does not answer


class Hop(NamedTuple):
    """What answers at one distance: its address, empty if nothing does, and the round-trip time in seconds."""

    address: str = ""
    rtt: float | None = None

    def __str__(self) -> str:
        if not self.address:
            return SILENT
        return self.address if self.rtt is None else f"{self.address} {milliseconds(self.rtt)}"


@dataclass(frozen=True)
class Details(AnyDetails):
    """The hops from the nearest on. The target's is the last one, if it was reached."""

    hops: tuple[Hop, ...] = ()
    reached: bool = False
    before: tuple[str, ...] = ()  # addresses of the hops while the path worked, where they are known

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return the address of each hop up to the last that answers; `*` for one that does not."""
        return tuple(hop.address or SILENT for hop in self.hops[: self.last])

    @property
    def last(self) -> int:
        """Return the number of the last hop that answers, from 1; 0: none does.

        A router without a route answers for its own hop and for the next one.
        """
        last = max((number for number, hop in enumerate(self.hops, 1) if hop.address), default=0)
        while last > 1 and self.hops[last - 2].address == self.hops[last - 1].address:
            last -= 1
        return last

    @property
    def fields(self) -> dict[str, Any]:
        """Return the hops as text, now and before, the number of the last one that answers, and its address."""
        found: dict[str, Any] = {"hops": ", ".join(map(str, self.hops))} if self.last else {}
        found |= {"hops_before": ", ".join(self.before)} if self.before else {}
        return self.of_failure | found

    @property
    def of_success(self) -> dict[str, Any]:
        """Return the number of hops."""
        return {"hops": self.last}

    @property
    def of_failure(self) -> dict[str, Any]:
        """Return the last hop that answers."""
        last = self.last
        return {"hop": last, "last_hop": self.hops[last - 1].address} if last else {}

    @property
    def shown(self) -> list[str]:
        """Return a line for each hop."""
        return [f"{number:2}  {hop}" for number, hop in enumerate(self.hops, 1)]


def run(attempt: Attempt) -> None:
    """Find the hops. Succeed if the target answers, by a datagram or by ICMP that its port is closed."""
    from smoker_prober.probes.hops import Search  # noqa: PLC0415  only traces need it

    address = attempt.resolve()
    with attempt.phase("wait"):
        search = Search(address, attempt.deadline.seconds, never=attempt.never)
        try:
            search.run()
        finally:
            attempt.details = Details(search.hops, search.reached)
    attempt.rtt = search.rtt


probe = Probe(
    run,
    "udp",
    "UDP packets with rising TTL: each router on the path, and the last that answers",
    default_port=PORT,
)
