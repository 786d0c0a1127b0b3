"""The HTTP echo: `GET /` is OK, `POST /` and `PUT /` give the body back, `/health` is for whoever checks.

A body is read to its end before it is given back: a client that sends all of it before it reads anything (most do)
would otherwise wait for us while we wait for it. What does not fit in `IN_MEMORY` bytes waits in a temporary file, so
that a request holds that much memory at most and a chunked one can still be answered 413.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

from smoker_common.http import BLOCK, TIMEOUT, HttpServer, Observer

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

MAX_BODY = 10 * 1024 * 1024  # bytes
IN_MEMORY = 64 * 1024  # bytes of a body; the rest is in a file
ALLOWED = {"/": "GET, HEAD, POST, PUT", "/health": "GET, HEAD"}

_OK = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "2")]


class HttpEcho(HttpServer):
    """Echoes on `listener`; `observer` is told of each request."""

    def __init__(
        self,
        listener: socket.socket,
        *,
        observer: Observer | None = None,
        timeout: float = TIMEOUT,
        max_body: int = MAX_BODY,
    ) -> None:
        super().__init__(listener, self.answer, observer=observer, timeout=timeout, allow=ALLOWED["/"])
        self.max_body = max_body

    def answer(self, env: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        """The WSGI application."""
        allowed, method = ALLOWED.get(env["PATH_INFO"]), env["REQUEST_METHOD"]
        if allowed is None:
            return _say(start, "404 Not Found", method, f"nothing here; there is {' and '.join(ALLOWED)}\n")
        if method not in allowed.split(", "):
            return _say(start, "405 Method Not Allowed", method, f"{allowed}\n", ("Allow", allowed))
        if method in ("POST", "PUT"):
            return self._echo(env, start)
        start("200 OK", list(_OK))
        return [] if method == "HEAD" else [b"OK"]

    def _echo(self, env: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        length = int(env.get("CONTENT_LENGTH") or 0)
        body = None if length > self.max_body else _spool(env["wsgi.input"], self.max_body)
        if body is None:
            return _say(start, "413 Content Too Large", "", f"a body is {self.max_body} bytes at most\n")
        size = body.seek(0, 2)
        body.seek(0)
        kind = env.get("CONTENT_TYPE", "application/octet-stream")
        start("200 OK", [("Content-Type", kind), ("Content-Length", str(size))])
        return _blocks(body)


def _spool(source: Any, limit: int) -> IO[bytes] | None:
    """All of `source`, or None where it is over `limit` bytes. Raises `OSError` where it breaks off."""
    body = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)
    try:
        while data := source.read(BLOCK):
            if body.tell() + len(data) > limit:
                body.close()
                return None
            body.write(data)
    except BaseException:
        body.close()
        raise
    return body


def _blocks(body: IO[bytes]) -> Iterator[bytes]:
    with body:
        while data := body.read(BLOCK):
            yield data


def _say(start: StartResponse, status: str, method: str, text: str, *headers: tuple[str, str]) -> Iterable[bytes]:
    data = text.encode()
    start(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(data))), *headers])
    return [] if method == "HEAD" else [data]
