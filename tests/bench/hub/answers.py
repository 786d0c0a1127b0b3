"""The first requests of the hub's page over HTTP on loopback: the time of each answer, and the size of the matrix."""

from __future__ import annotations

import time
import urllib.request
from typing import NamedTuple

from smoker_common.listen import tcp_listener
from smoker_hub.web.api import Server
from smoker_hub.web.sources import Sources

FIRST = (
    "",
    "api/v1/summary",
    "api/v1/findings",
    "api/v1/events",
    "api/v1/matrix?by=zone",
    "api/v1/matrix",
)
MATRIX = FIRST[-1]
SECONDS = 30.0  # for one answer
TIMES = 3


class Answers(NamedTuple):
    """Seconds for the page itself and for the slowest answer that it needs; bytes of the matrix as sent."""

    page: float
    slowest: float
    matrix: int


def measure(sources: Sources) -> Answers:
    """Serve the API of `sources` and request what a browser requests. The slowest of several runs counts."""
    listener = tcp_listener("127.0.0.1", 0)
    server = Server(listener, sources)
    server.start()
    try:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        took: dict[str, float] = dict.fromkeys(FIRST, 0.0)
        size = 0
        for path in FIRST * TIMES:
            begun = time.monotonic()
            length = _ask(base + path)
            took[path] = max(took[path], time.monotonic() - begun)
            size = max(size, length) if path == MATRIX else size
        return Answers(took[""], max(took.values()), size)
    finally:
        server.close()
        server.drain(0.0)


def _ask(address: str) -> int:
    """Return the bytes of an answer, compressed if the hub compresses it."""
    request = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=SECONDS) as answer:
        return len(answer.read())
