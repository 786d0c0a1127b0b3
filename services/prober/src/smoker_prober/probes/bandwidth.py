"""The bandwidth probe: a bounded transfer to another prober, in one direction and then in the other.

It loads the network, so no round repeats it: docs/design/0021-bandwidth.md says when it runs.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from smoker_common.kinds import duration, whole
from smoker_outcome.failure import BadReply
from smoker_prober.bandwidth import wire
from smoker_prober.probes.base import Attempt, Probe
from smoker_prober.probes.connection import connect
from smoker_prober.probes.options import option
from smoker_prober.result import Details as AnyDetails

PORT = 8063
OUT, IN = "out", "in"  # from here to the peer, and back
_REFUSALS = {
    wire.BUSY: "the peer is busy with another transfer",
    wire.STRANGER: "the peer serves other probers only, and does not know this address as one",
}


@dataclass(frozen=True)
class Options:
    """The limits of the transfer in each direction."""

    bytes: int = option(
        wire.MOST_BYTES, whole(64 * 1024, wire.MOST_BYTES), "most bytes of the transfer in each direction"
    )
    duration: float = option(wire.MOST_SECONDS, duration(0.05, wire.MOST_SECONDS), "longest time of each direction")


class Rates(NamedTuple):
    """One direction: bytes per second by the sender's kernel and by the receiver's clock, and retransmits."""

    tcp_info: float | None
    clock: float | None
    bytes: int
    retransmits: int

    @property
    def best(self) -> float | None:
        """Return the kernel's rate where there is one, else the clock's."""
        return self.clock if self.tcp_info is None else self.tcp_info


@dataclass(frozen=True)
class Details(AnyDetails):
    """What a transfer found in each direction; None where it did not come so far."""

    out: Rates | None = None
    back: Rates | None = None

    @property
    def directions(self) -> Iterator[tuple[str, Rates]]:
        """Yield each direction that was measured."""
        if self.out is not None:
            yield OUT, self.out
        if self.back is not None:
            yield IN, self.back

    @property
    def fields(self) -> dict[str, Any]:
        """Return it flat, for JSON: megabits per second."""
        flat: dict[str, Any] = {}
        for direction, rates in self.directions:
            if rates.tcp_info is not None:
                flat[f"{direction}_mbit_s"] = megabits(rates.tcp_info)
            if rates.clock is not None:
                flat[f"{direction}_clock_mbit_s"] = megabits(rates.clock)
            flat |= {f"{direction}_bytes": rates.bytes, f"{direction}_retransmits": rates.retransmits}
        return flat

    @property
    def of_success(self) -> dict[str, Any]:
        """Return what the line shows: the best known rate of each direction."""
        shown: dict[str, Any] = {}
        for direction, rates in self.directions:
            if rates.best is not None:
                shown[direction] = f"{megabits(rates.best):g}Mbit/s"
            if rates.retransmits:
                shown[f"{direction}_retransmits"] = rates.retransmits
        return shown

    of_failure = of_success


def megabits(rate: float) -> float:
    """Return bytes per second in megabits per second, with three digits at least."""
    value = rate * 8 / 1e6
    return round(value, 1 if value >= 10 else 3)


def run(attempt: Attempt) -> None:
    """Transfer to the peer, then from it, each over a connection of its own."""
    options = attempt.target.options or Options()
    out = _up(attempt, options)
    attempt.details = Details(out)
    attempt.details = Details(out, _down(attempt, options))


def _up(attempt: Attempt, options: Options) -> Rates:
    from smoker_prober.bandwidth import transfer  # noqa: PLC0415  only transfers need it

    with connect(attempt) as sock:
        _ask(attempt, sock, wire.UP, options)
        with attempt.phase("transfer"):
            sent = transfer.send(sock, options.bytes, options.duration, attempt.deadline)
            sock.shutdown(socket.SHUT_WR)
            size, seconds = _read(wire.done_of, transfer.read_block(sock, attempt.deadline))
    if not size:
        raise BadReply("no byte of the transfer has arrived")
    return Rates(sent.rate, size / seconds if seconds else None, size, sent.retransmits)


def _down(attempt: Attempt, options: Options) -> Rates:
    from smoker_prober.bandwidth import transfer  # noqa: PLC0415  only transfers need it

    with connect(attempt) as sock:
        _ask(attempt, sock, wire.DOWN, options)
        with attempt.phase("transfer"):
            most = options.bytes + wire.BLOCK
            got = transfer.receive(sock, most, attempt.deadline.left, attempt.deadline)
            rate, retransmits = _read(wire.sent_of, got.last)
    size = got.size - wire.BLOCK
    attempt.received = size
    if not size:
        raise BadReply("no byte of the transfer has arrived")
    return Rates(rate, got.rate, size, retransmits)


def _ask(attempt: Attempt, sock: socket.socket, direction: str, options: Options) -> None:
    """Ask for a transfer, and raise `BadReply` where the peer does not want it."""
    from smoker_prober.bandwidth import transfer  # noqa: PLC0415  only transfers need it

    wanted = wire.Request(direction, options.bytes, options.duration)
    with attempt.phase("send"):
        transfer.write_block(sock, wire.request(wanted), attempt.deadline)
    with attempt.phase("wait"):
        word = _read(wire.word_of, transfer.read_block(sock, attempt.deadline))
    if word != wire.OK:
        raise BadReply(_REFUSALS[word])


def _read(reader: Any, data: bytes) -> Any:
    try:
        return reader(data)
    except wire.WireError as wrong:
        raise BadReply(f"not an answer of a prober: {wrong}") from None


probe = Probe(
    run,
    "tcp",
    "transfer at most 64 MiB and for at most a second to a prober that serves this, and back",
    options=Options,
    default_port=PORT,
)
