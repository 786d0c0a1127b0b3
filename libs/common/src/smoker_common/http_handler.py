"""One connection of the HTTP server: its requests one after the other, and the answers to them.

This module adds to pywsgi's handler:

- The parser of `http_request`, the body of `http_body`, and a deadline for the headers: one byte a second is too slow.
- Headers and a short body leave in one segment.
- After a refusal inside a body, it reads on for up to `LINGER` seconds. A reset would destroy the answer on its
  path (RFC 9112 section 9.6).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent
from gevent.pywsgi import WSGIHandler, format_date_time  # type: ignore[attr-defined]
from gevent.socket import socket as gevent_socket
from loguru import logger

from smoker_common.http_body import BLOCK, Input
from smoker_common.http_environ import environ, expects_continue
from smoker_common.http_request import Refused, Request, RequestParser

if TYPE_CHECKING:
    from smoker_common.http import HttpServer

SLICE = 0.01  # seconds that a connection with data may run before the others get a turn
LINGER = 5.0  # seconds for which a refused body is read

_Pywsgi: Any = WSGIHandler  # its stubs say str for bytes, and lack methods that are overridden here


class Handler(_Pywsgi):  # type: ignore[misc]
    """One connection and its current request. `Connections` tracks it."""

    server: HttpServer
    client_address: tuple[Any, ...]
    provided_date: bytes | str | None
    # gevent raises EBADF in a greenlet whose socket another greenlet shuts down, as `cut` does.
    ignored_socket_errors = (errno.EPIPE, errno.ECONNRESET, errno.EBADF)

    def __init__(self, sock: gevent_socket, address: tuple[Any, ...], server: HttpServer) -> None:
        super().__init__(sock, address, server, rfile=sock)  # pywsgi's buffered reader is not needed
        self._parser = RequestParser(server.takes)
        self.leave: Callable[[], None] | None = None  # says to the client that the server stops
        self._request: Request | None = None
        self.deadline = time.monotonic() + server.timeout
        self.error = ""  # why this request failed; empty if it did not
        self.idle = True  # between two requests

    # What `Connections` calls.
    def overdue(self) -> None:
        self.error = f"the client was silent or too slow for {self.server.timeout:g} s"
        self.cut()

    def cut(self) -> None:
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    # What observers read.
    @property
    def received(self) -> int:
        """Return how many bytes of the request's body have arrived."""
        return self._request.received if self._request else 0

    @property
    def refused(self) -> bool:
        """Return whether the parser refused the request."""
        return self._parser.refused is not None

    @property
    def summary(self) -> dict[str, Any]:
        """Return method and path (empty without a request), status, bytes of body received, bytes sent."""
        request = self._request
        return {
            "method": request.method if request else "",
            "path": request.target if request else "",
            "status": abs(self.code or 0),
            "received": self.received,
            "sent": self.response_length,
        }

    def handle(self) -> None:
        connections = self.server.connections
        connections.add(self)
        try:
            super().handle()
        except Exception:
            logger.exception("a connection's handler failed")
        finally:
            connections.discard(self)

    def handle_one_request(self) -> bool | None:
        """Serve the next request. Return True if another may follow, else None (pywsgi's convention)."""
        self._request = request = None
        self.code = self.response_length = 0
        self._yield_to_others()
        self.deadline = time.monotonic() + self.server.timeout
        parser = self._parser
        while not parser.requests:
            if parser.refused is not None:
                self._refuse(parser.refused)
                return None
            self.idle = not parser.inside
            data = self._receive()
            if not data:
                if parser.inside:
                    self._over(self.error or "the client closed the connection inside the headers")
                return None
            parser.feed(data)
        self.idle, self.error = False, ""
        self._request = request = parser.requests.popleft()
        if request.upgrade is not None:
            self.server.upgraded(self, request)
            self.log_request()
            return None
        self.command, self.path, self.request_version = request.method, request.target, "HTTP/" + request.version
        self.close_connection = self.server.closed or (request.complete and not request.keep_alive)
        self.environ = self.get_environ()
        self.application = self.server.application
        self.handle_one_response()
        if self.close_connection or self.server.closed or not request.keep_alive:
            if not request.complete:
                self._linger()
            return None
        return True

    def refuse_body(self, refused: Refused) -> None:
        """Fail a request whose body is refused. The client gets an answer if none has begun."""
        self.error = str(refused)
        if not self.headers_sent:
            self._send_refusal(refused)

    def get_environ(self) -> dict[str, Any]:
        request = self._request
        assert request is not None
        env = environ(request, self.server.environ)
        self.wsgi_input = env["wsgi.input"] = Input(self, self._parser, request, expects_continue(request, env))
        return env

    def finalize_headers(self) -> None:
        if self.provided_date is None:
            self.provided_date = _date(int(time.time()))
            self.response_headers.append((b"Date", self.provided_date))
        super().finalize_headers()
        request = self._request
        if self.server.closed or (request is not None and not (request.complete and request.keep_alive)):
            self.close_connection = True
        if self.close_connection and self.request_version != "HTTP/1.0":
            self.response_headers.append((b"Connection", b"close"))

    def _sendall(self, data: bytes | bytearray) -> None:
        self.deadline = time.monotonic() + self.server.timeout
        try:
            super()._sendall(data)
        except OSError as error:
            self.error = self.error or f"the answer could not be sent: {error.strerror or error}"
            raise

    def _write_with_headers(self, data: bytes) -> None:
        if not self.provided_content_length or len(data) > BLOCK:  # without a length the answer comes in chunks
            super()._write_with_headers(data)
            return
        self.headers_sent = True
        self.finalize_headers()
        lines = [b"HTTP/1.1 " + self.status, *(b"%s: %s" % header for header in self.response_headers), b"", data]
        self._sendall(b"\r\n".join(lines))

    def log_request(self) -> None:
        if self.server.observer is not None:
            self.server.observer(self)

    def _log_error(self, kind: type[BaseException], value: BaseException, _traceback: object) -> None:
        if not issubclass(kind, gevent.GreenletExit):
            self.error = f"{kind.__name__}: {value}"
            logger.opt(exception=value).error("a request failed")

    # What another protocol on this connection uses.
    def receive(self) -> bytes:
        """Return the bytes that have arrived, or b"" at the end."""
        return self._receive()

    def send(self, data: bytes) -> None:
        """Send all of `data`. Raises `OSError`."""
        self.response_length += len(data)
        self._sendall(data)

    def linger(self) -> None:
        """Read on for a while, so that a reset does not destroy what was sent last (RFC 9112 section 9.6)."""
        self._linger()

    def refuse_upgrade(self, status: str, why: str) -> None:
        """Answer a request whose upgrade was taken with an error."""
        self._send_refusal(Refused(status, why))
        self._linger()

    def _yield_to_others(self) -> None:
        """Give all connections a turn if the last one was over SLICE seconds ago. Pipelined requests never block."""
        if time.monotonic() - self.server.turn > SLICE:
            gevent.sleep(0)
            self.server.turn = time.monotonic()

    def _receive(self) -> bytes:
        """Return the bytes that have arrived, or b"" at the end.

        gevent does not switch while data waits, so this first gives other connections a turn.
        """
        self._yield_to_others()
        try:
            data: bytes = self.socket.recv(BLOCK)
        except OSError as error:
            self.error = self.error or f"{error.strerror or error}"
            return b""
        return data

    def _refuse(self, refused: Refused) -> None:
        self._send_refusal(refused)
        self._over(str(refused))
        self._linger()

    def _send_refusal(self, refused: Refused) -> None:
        allow = f"Allow: {self.server.allow}\r\n" if refused.status.startswith("405") else ""
        self.code, self.response_length = int(refused.status[:3]), 0
        answer = f"HTTP/1.1 {refused.status}\r\n{allow}Connection: close\r\nContent-Length: 0\r\n\r\n"
        with contextlib.suppress(OSError):
            self._sendall(answer.encode("latin-1"))

    def _over(self, why: str) -> None:
        """Record and log that the current request failed before it was complete."""
        self.error = why
        self.log_request()

    def _linger(self) -> None:
        self.deadline = time.monotonic() + min(LINGER, self.server.timeout)
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        while self._receive():
            pass


@functools.lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return bytes(format_date_time(second))
