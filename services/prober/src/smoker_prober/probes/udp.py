"""The UDP probe: send PING, take the answer that is ours.

The socket is connected: the kernel then drops what others send and hands over ICMP errors (udp(7), ip(7)).
"""

from __future__ import annotations

import socket

from smoker_prober.probes.base import Attempt

PAYLOAD = b"PING"
LARGEST = 65_535  # bytes


def probe(attempt: Attempt) -> None:
    address = attempt.resolve()
    with socket.socket(address.family, socket.SOCK_DGRAM) as sock:
        with attempt.phase("send"):
            sock.connect(address.sockaddr)
            sock.send(PAYLOAD)
        with attempt.phase("wait"):
            while True:
                answer = sock.recv(LARGEST)
                attempt.received += len(answer)
                if answer == PAYLOAD:
                    return
                attempt.stray = f"got {answer[:32]!r} for {PAYLOAD!r}"
