"""The connect probe: the TCP handshake and nothing more, for targets that are no echo."""

from __future__ import annotations

from smoker_prober.probes import connection
from smoker_prober.probes.base import Attempt, Probe


def run(attempt: Attempt) -> None:
    """Connect and close."""
    with connection.connect(attempt):
        pass


probe = Probe(run, "tcp", "the TCP handshake and nothing more", schemes=("tcp",), form="tcp://host:port")
