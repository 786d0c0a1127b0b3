"""The HTTP echo: `GET /` answers OK, `POST /` and `PUT /` return the body, `/health` answers health checks.

`/ws` is a WebSocket that gives every message back.

The server reads a body to its end before it answers. Most clients send the whole body before they read, so an earlier
answer could block both sides. A body over `IN_MEMORY` bytes goes to a temporary file: this bounds the memory of a
request, and a chunked request that is too long can still be answered 413.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from smoker_common.admission import Admission
from smoker_common.http import TIMEOUT, HttpServer, Observer
from smoker_common.http_body import BLOCK
from smoker_common.http_handler import Handler
from smoker_common.http_request import Request
from smoker_echo import websocket
from smoker_echo.counts import Counts

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

MAX_BODY = 10 * 1024 * 1024  # bytes
MAX_SPOOLED = 192 * 1024 * 1024  # bytes of all bodies at one time
IN_MEMORY = 64 * 1024  # bytes of a body; the rest is in a file
ALLOWED = {"/": "GET, HEAD, POST, PUT", "/health": "GET, HEAD", websocket.PATH: "GET, HEAD"}

_OK = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "2")]


class HttpEcho(HttpServer):
    """Echoes on `listener`. `observer` is called after each request."""

    def __init__(
        self,
        listener: socket.socket,
        *,
        observer: Observer | None = None,
        timeout: float = TIMEOUT,
        max_body: int = MAX_BODY,
        max_spooled: int = MAX_SPOOLED,
        admission: Admission | None = None,
    ) -> None:
        super().__init__(
            listener, self.answer, observer=self._count, timeout=timeout, allow=ALLOWED["/"], admission=admission
        )
        self._on_request = observer
        self._counts = Counts()
        self.max_body, self.max_spooled = max_body, max_spooled
        self.spooled = 0  # bytes of bodies held now

    @property
    def counts(self) -> Counts:
        """Return the counts so far."""
        return self._counts + Counts(self.accepted, len(self.connections), refused=self.refused)

    def _count(self, handler: Handler) -> None:
        counts, code = self._counts, abs(handler.code or 0)
        counts.received += handler.received
        counts.sent += handler.response_length
        if code >= 400:
            counts.refused["malformed" if handler.refused and handler.error else f"status_{code // 100}xx"] += 1
        counts.requests += code > 0 and (code >= 400 or not handler.error)
        counts.failed += bool(handler.error) and code < 400
        if self._on_request is not None:
            self._on_request(handler)

    def takes(self, request: Request) -> bool:
        """Return whether a request opens a WebSocket."""
        return websocket.takes(request)

    def upgraded(self, handler: Handler, request: Request) -> None:
        """Echo the messages of a WebSocket."""
        websocket.WebSocketEcho(handler, request, self.max_body).run()

    def answer(self, env: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        """Answer one request (the WSGI application)."""
        allowed, method = ALLOWED.get(env["PATH_INFO"]), env["REQUEST_METHOD"]
        if allowed is None:
            return _say(start, "404 Not Found", method, f"no such path; the paths are {' and '.join(ALLOWED)}\n")
        if method not in allowed.split(", "):
            return _say(start, "405 Method Not Allowed", method, f"{allowed}\n", ("Allow", allowed))
        if env["PATH_INFO"] == websocket.PATH:
            return _say(
                start, "426 Upgrade Required", method, "this path serves only WebSockets\n", ("Upgrade", "websocket")
            )
        if method in ("POST", "PUT"):
            return self._echo(env, start)
        start("200 OK", list(_OK))
        return [] if method == "HEAD" else [b"OK"]

    def _echo(self, env: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        if int(env.get("CONTENT_LENGTH") or 0) > self.max_body:
            return self._too_large(start)
        body = Body(self)
        try:
            while data := env["wsgi.input"].read(BLOCK):
                body.write(data)
        except Full:
            body.close()
            return _say(start, "503 Service Unavailable", "", "too many bodies at once\n", ("Retry-After", "1"))
        except TooLarge:
            body.close()
            return self._too_large(start)
        except BaseException:
            body.close()
            raise
        kind = env.get("CONTENT_TYPE", "application/octet-stream")
        start("200 OK", [("Content-Type", kind), ("Content-Length", str(body.size))])
        return body

    def _too_large(self, start: StartResponse) -> Iterable[bytes]:
        return _say(start, "413 Content Too Large", "", f"a body may have at most {self.max_body} bytes\n")


class Full(Exception):
    """All bodies together exceed their limit."""


class TooLarge(Exception):
    """One body exceeds its limit."""


class Body:
    """A body to be returned: written block by block, then read once. WSGI always closes it."""

    def __init__(self, echo: HttpEcho) -> None:
        self._echo = echo
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append `data`. Raises `TooLarge`, `Full`."""
        if self.size + len(data) > self._echo.max_body:
            raise TooLarge
        if self._echo.spooled + len(data) > self._echo.max_spooled:
            raise Full
        self._file.write(data)
        self.size += len(data)
        self._echo.spooled += len(data)

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        return iter(lambda: self._file.read(BLOCK), b"")

    def close(self) -> None:
        self._file.close()
        self._echo.spooled -= self.size
        self.size = 0


def _say(start: StartResponse, status: str, method: str, text: str, *headers: tuple[str, str]) -> Iterable[bytes]:
    data = text.encode()
    start(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(data))), *headers])
    return [] if method == "HEAD" else [data]
