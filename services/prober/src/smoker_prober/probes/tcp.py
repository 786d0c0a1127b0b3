"""The TCP probe: connect, send PING, read PING back."""

from __future__ import annotations

from smoker_outcome.failure import BadReply
from smoker_prober.probes.base import Attempt, Probe
from smoker_prober.probes.connection import connect

PAYLOAD = b"PING"


def run(attempt: Attempt) -> None:
    """Send PING and read it back."""
    with connect(attempt) as sock:
        with attempt.phase("send"):
            sock.sendall(PAYLOAD)  # four bytes into an empty queue: never waits
        with attempt.phase("wait"):
            answer = b""
            while PAYLOAD.startswith(answer) and answer != PAYLOAD:
                attempt.deadline.readable(sock)
                data = sock.recv(64)
                if not data:
                    raise BadReply(f"the connection was closed after {len(answer)} of {len(PAYLOAD)} bytes")
                answer += data
                attempt.received = len(answer)
        if answer != PAYLOAD:
            raise BadReply(f"got {answer[:32]!r} for {PAYLOAD!r}")


probe = Probe(run, "tcp", "connect to an echo, send PING and read it back")
