"""The HTTP probe: GET /, expect 200."""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import socket
from typing import Any

from urllib3.connection import HTTPConnection

from smoker_prober.deadline import Deadline
from smoker_prober.failure import BadReply
from smoker_prober.probes.base import Attempt
from smoker_prober.probes.connection import connect

MAX_BODY = 64 * 1024  # bytes; more than that is no answer of an echo
HEADERS = {"User-Agent": "smoker-prober", "Accept": "*/*", "Connection": "close"}


class _Checked(io.RawIOBase):
    """A stream that looks at the deadline before each read: a peer that never stops sending is never waited for."""

    def __init__(self, raw: io.RawIOBase, deadline: Deadline) -> None:
        self._raw, self._deadline = raw, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._deadline.check()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Lines(io.BufferedReader):
    """Remembers the last line it gave."""

    last = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        self.last = super().readline(size)
        return self.last


class _Answer(http.client.HTTPResponse):
    """http.client takes the end of the stream inside the headers for the end of the headers; this one does not."""

    def __init__(self, deadline: Deadline, sock: socket.socket, **options: Any) -> None:
        super().__init__(sock, **options)
        self.fp = self._lines = _Lines(_Checked(self.fp.detach(), deadline))

    def begin(self) -> None:
        super().begin()
        if not self._lines.last:
            raise BadReply("the connection was closed inside the headers")


def probe(attempt: Attempt) -> None:
    target = attempt.target
    with connect(attempt) as sock:
        connection = HTTPConnection(attempt.address, target.port, timeout=None)
        connection.response_class = functools.partial(_Answer, attempt.deadline)  # type: ignore[assignment]
        connection.sock = sock  # connected already, and timed
        with attempt.phase("send"):
            connection.request("GET", "/", headers=HEADERS | {"Host": str(target)}, preload_content=False)
        with attempt.phase("wait"):
            attempt.deadline.readable(sock)
            sock.setblocking(True)  # gevent's: it waits in the event loop, until the guard ends it
            with attempt.deadline.guard():
                answer = connection.getresponse()
        attempt.status = answer.status
        with attempt.phase("transfer"), attempt.deadline.guard(), contextlib.closing(answer):
            attempt.received = len(answer.read(MAX_BODY + 1, decode_content=False))
            if attempt.received <= MAX_BODY and answer.length_remaining:
                raise BadReply(f"the body broke off {answer.length_remaining} bytes before its end")
    if attempt.status != 200:
        raise BadReply(f"status {attempt.status} for GET /")
    if attempt.received > MAX_BODY:
        raise BadReply(f"a body of over {MAX_BODY} bytes for GET /")
