"""The body of a request as the application reads it, with a deadline for each block and a limit on its framing.

`TIMEOUT` seconds of the server for `BLOCK` bytes: one byte a second is too slow.
"""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING

from smoker_common.http_request import Refused, Request, RequestParser

if TYPE_CHECKING:
    from smoker_common.http_handler import Handler

BLOCK = 16 * 1024  # bytes
FRAMING = 8  # bytes of chunk framing allowed per byte of body, after the first block


class Broken(ConnectionResetError):
    """The client closed, was too slow or sent an invalid body. pywsgi ends the connection without a log line."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.ECONNRESET, why)


class Input:
    """`wsgi.input`: the body as it arrives, decoded if it came in chunks."""

    def __init__(self, handler: Handler, parser: RequestParser, request: Request, expects: bool) -> None:
        self._handler, self._parser, self._request, self._expects = handler, parser, request, expects
        self._block = 0  # bytes still to come before the deadline moves
        self._wire = 0  # bytes on the wire, with chunk framing

    def read(self, size: int = BLOCK) -> bytes:
        """Return at most `size` bytes as soon as some have arrived, or b"" at the end. Raises `Broken`."""
        body = self._request.body
        while not body and not self._request.complete:
            if self._expects:
                self._expects = False
                self._handler.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._receive()
        if not body:
            return b""
        data = body.popleft()
        if len(data) > size:
            body.appendleft(data[size:])
            data = data[:size]
        return data

    def _receive(self) -> None:
        """Parse the next bytes from the connection. Raises `Broken`."""
        handler, parser, request = self._handler, self._parser, self._request
        if self._block <= 0:
            self._block = BLOCK
            handler.deadline = time.monotonic() + handler.server.timeout
        data = handler.receive()
        self._block -= len(data)
        self._wire += len(data)
        parser.feed(data)
        if self._wire > BLOCK + (FRAMING + 1) * request.received and not request.complete:
            parser.refused = Refused("400 Bad Request", "the chunks are nearly all framing")
        if parser.refused is not None and not request.complete:
            handler.refuse_body(parser.refused)
            raise Broken(handler.error)
        if not data:
            handler.error = handler.error or "the client closed the connection inside the body"
            raise Broken(handler.error)

    def _discard(self) -> None:
        """Close the connection if the body was not read to its end. pywsgi calls this after the answer."""
        if not self._request.complete:
            self._handler.close_connection = True
