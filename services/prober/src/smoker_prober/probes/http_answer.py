"""An HTTP answer, read from a nonblocking socket within limits of size and time."""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import ssl
from typing import Any

from smoker_outcome.failure import BadReply
from smoker_prober.network.deadline import Deadline
from smoker_prober.probes.base import Attempt

MAX_HEAD = 256 * 1024  # bytes before the body, interim answers included
MAX_LINE = 64 * 1024  # bytes
MAX_HEADERS = 256
FRAMING = (
    b"content-length",
    b"transfer-encoding",
    b"connection",
)  # by which a body's end is known (RFC 9112 section 6)


class _Timed(io.RawIOBase):
    """The stream of a nonblocking socket: it waits for each piece as long as the deadline allows."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._deadline.check()
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                count = self._raw.readinto(buffer)
                if count is not None:
                    return count
            self._deadline.readable(self._sock)

    def close(self) -> None:
        self._raw.close()
        super().close()


class Answer(http.client.HTTPResponse):
    """The final answer. This class reads its head, within our limits; http.client reads the rest.

    http.client knows no interim answer but 100, gives up at 100 headers, and takes the end of the stream inside the
    headers for the end of the headers.
    """

    fp: Any

    def __init__(self, attempt: Attempt, sock: socket.socket, **options: Any) -> None:
        super().__init__(sock, **options)
        self._attempt = attempt
        self.fp = self._stream = io.BufferedReader(_Timed(self.fp.detach(), sock, attempt.deadline))

    def begin(self) -> None:
        self.fp = io.BytesIO(_head(_Lines(self._stream), self._attempt))
        try:
            super().begin()
        finally:
            self.fp = self._stream


class _Lines:
    """The lines of a stream before a body, `MAX_HEAD` bytes at most."""

    def __init__(self, stream: io.BufferedReader[Any]) -> None:
        self._stream, self._left = stream, MAX_HEAD

    def next(self, what: str) -> bytes:
        """Return the next line, empty at the end. Raises `BadReply` if it is too long."""
        line = self._stream.readline(MAX_LINE + 1)
        if len(line) > MAX_LINE:
            raise BadReply(f"got more than {MAX_LINE} bytes when reading {what}")
        self._left -= len(line)
        if self._left < 0:
            raise BadReply(f"got more than {MAX_HEAD} bytes before the body")
        return line


def _head(lines: _Lines, attempt: Attempt) -> bytes:
    """Return the status line of the final answer and the headers that frame its body.

    Interim answers before it are skipped (RFC 9110 section 15.2). 101 is final: the probe did not ask for an upgrade.
    Raises `BadReply`.
    """
    while True:
        status = lines.next("status line")
        if not status:
            if attempt.stray:
                raise BadReply(attempt.stray)
            return b""  # http.client reports it
        attempt.stray, code = "", _code(status)
        framing = _framing(lines)
        if not 100 <= code < 200 or code == 101:
            return b"".join([status, *framing, b"\r\n"])
        attempt.stray = f"nothing arrived after status {code}"


def _code(status: bytes) -> int:
    version, code, *_ = [*status.split(None, 2), b"", b""]
    if version.startswith(b"HTTP/1.") and re.fullmatch(b"[1-9][0-9]{2}", code):
        return int(code)
    raise BadReply(f"no status line of HTTP/1: {status[:32].decode('latin-1')!r}")


def _framing(lines: _Lines) -> list[bytes]:
    """Read all headers, `MAX_HEADERS` at most. Return the lines of those that say where the body ends."""
    framing: list[bytes] = []
    count, frames = 0, False
    while True:
        line = lines.next("header line")
        if not line.endswith(b"\n"):
            raise BadReply("the connection was closed inside the headers")
        if line in (b"\r\n", b"\n"):
            return framing
        if line[:1] not in (b" ", b"\t"):  # otherwise the line continues the header before it
            count += 1
            frames = line.partition(b":")[0].lower() in FRAMING
        if count > MAX_HEADERS:
            raise BadReply(f"got more than {MAX_HEADERS} headers")
        if frames:
            framing.append(line)
