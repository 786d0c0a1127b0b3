"""The HTTP probe: GET /, expect 200."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket

from urllib3.connection import HTTPConnection

from smoker_prober.failure import BadReply
from smoker_prober.probes.base import Attempt

MAX_BODY = 64 * 1024  # bytes; more than that is no answer of an echo
HEADERS = {"User-Agent": "smoker-prober", "Accept": "*/*", "Connection": "close"}


class _Lines(io.BufferedReader):
    """Remembers the last line it gave."""

    last = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        self.last = super().readline(size)
        return self.last


class _Answer(http.client.HTTPResponse):
    """http.client takes the end of the stream inside the headers for the end of the headers; this one does not."""

    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp = self._lines = _Lines(self.fp.detach())

    def begin(self) -> None:
        super().begin()
        if not self._lines.last:
            raise BadReply("the connection was closed inside the headers")


def probe(attempt: Attempt) -> None:
    address, target = attempt.resolve(), attempt.target
    connection = HTTPConnection(address.literal, target.port, timeout=None)
    connection.response_class = _Answer
    try:
        with attempt.phase("connect"):
            connection.connect()
        with attempt.phase("send"):
            connection.request("GET", "/", headers=HEADERS | {"Host": str(target)}, preload_content=False)
        with attempt.phase("wait"):
            answer = connection.getresponse()
        attempt.status = answer.status
        with attempt.phase("transfer"), contextlib.closing(answer):
            attempt.received = len(answer.read(MAX_BODY + 1, decode_content=False))
            if attempt.received <= MAX_BODY and answer.length_remaining:
                raise BadReply(f"the body broke off {answer.length_remaining} bytes before its end")
    finally:
        connection.close()
    if attempt.status != 200:
        raise BadReply(f"status {attempt.status} for GET /")
    if attempt.received > MAX_BODY:
        raise BadReply(f"a body of over {MAX_BODY} bytes for GET /")
