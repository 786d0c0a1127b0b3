"""The TCP probe: connect, send PING, read PING back."""

from __future__ import annotations

import socket

from smoker_prober.failure import BadReply
from smoker_prober.probes.base import Attempt

PAYLOAD = b"PING"


def probe(attempt: Attempt) -> None:
    address = attempt.resolve()
    with socket.socket(address.family, socket.SOCK_STREAM) as sock:
        with attempt.phase("connect"):
            sock.connect(address.sockaddr)
        with attempt.phase("send"):
            sock.sendall(PAYLOAD)
        with attempt.phase("wait"):
            answer = b""
            while PAYLOAD.startswith(answer) and answer != PAYLOAD:
                data = sock.recv(64)
                if not data:
                    raise BadReply(f"the connection was closed after {len(answer)} of {len(PAYLOAD)} bytes")
                answer += data
                attempt.received = len(answer)
        if answer != PAYLOAD:
            raise BadReply(f"got {answer[:32]!r} for {PAYLOAD!r}")
