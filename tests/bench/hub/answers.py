"""What the hub's page asks first, over HTTP on loopback: how long each answer takes, and how large the matrix is."""

from __future__ import annotations

import time
import urllib.request
from typing import NamedTuple

from smoker_common.listen import tcp_listener
from smoker_hub.hub import Hub
from smoker_hub.web.api import Server
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream

FIRST = ("", "api/v1/summary", "api/v1/findings", "api/v1/matrix?by=zone", "api/v1/matrix")
MATRIX = FIRST[-1]
SECONDS = 30.0  # for one answer
TIMES = 3


class Answers(NamedTuple):
    """Seconds of the page itself and of the slowest answer that it asks for; bytes of the matrix, as they are sent."""

    page: float
    slowest: float
    matrix: int


def measure(hub: Hub, stream: Stream) -> Answers:
    """Serve the hub's API, and ask as a browser does. Of several times the slowest counts."""
    listener = tcp_listener("127.0.0.1", 0)
    server = Server(listener, Sources(hub=hub, stream=stream))
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
    """Return the bytes of an answer, compressed where the hub compresses it."""
    request = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=SECONDS) as answer:
        return len(answer.read())
