"""The connect probe: the TCP handshake and nothing more, for targets that are no echo."""

from __future__ import annotations

from smoker_prober.probes import connection
from smoker_prober.probes.base import Attempt


def probe(attempt: Attempt) -> None:
    with connection.connect(attempt):
        pass
