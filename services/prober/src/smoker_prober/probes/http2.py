"""One request over HTTP/2 (RFC 9113). The library h2 reads and writes frames; the socket, limits and time are ours."""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from smoker_outcome.failure import BadReply
from smoker_prober.probes.base import Attempt
from smoker_prober.probes.stream import PIECE, receive, send

MAX_HEAD = 256 * 1024  # bytes of frames beside the body
MAX_HEADER_LIST = 64 * 1024  # bytes
STREAM = 1  # of the one request

Fields = list[tuple[str, str]]


@dataclass
class Reply:
    """An answer, as far as it was read."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    whole: bool = False  # whether the server ended it


class Exchange:
    """A request and its answer on a connected, nonblocking socket. No more than `most` bytes of a body are read."""

    def __init__(self, attempt: Attempt, sock: socket.socket, most: int) -> None:
        self._attempt, self._sock, self._most = attempt, sock, most
        self._connection = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        no_push = {SettingCodes.ENABLE_PUSH: 0, SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADER_LIST}
        self._connection.local_settings = Settings(client=True, initial_values=no_push)
        self._reply = Reply()
        self._read = 0  # bytes from the socket

    def run(self, headers: Fields, body: bytes = b"") -> Reply:
        """Send the request and return its answer. Raises `BadReply`, `DeadlineExceeded`, `OSError`."""
        attempt, connection, reply = self._attempt, self._connection, self._reply
        with attempt.phase("send"):
            connection.initiate_connection()
            connection.send_headers(STREAM, headers, end_stream=not body)
            if body:
                connection.send_data(STREAM, body, end_stream=True)
            self._flush()
        with attempt.phase("wait"), attempt.deadline.reading():
            while not reply.status and not reply.whole:
                self._take()
        with attempt.phase("transfer"), attempt.deadline.reading():
            while not reply.whole and len(reply.body) <= self._most:
                self._take()
            with contextlib.suppress(H2Error, OSError):
                connection.close_connection()
                self._flush()
        attempt.received = len(reply.body)
        return reply

    def _take(self) -> None:
        """Read once and handle what came."""
        data = receive(self._sock, self._attempt.deadline)
        self._read += len(data)
        if self._read > self._most + PIECE + MAX_HEAD:
            raise BadReply(f"got more than {MAX_HEAD} bytes beside the body")
        if not data:
            raise BadReply(f"the connection was closed {'inside' if self._reply.status else 'before'} the answer")
        if self._read == len(data) and data.startswith(b"HTTP/"):
            raise BadReply("the answer is HTTP/1")
        try:
            for event in self._connection.receive_data(data):
                self._handle(event)
        except H2Error as error:
            raise BadReply(f"no valid HTTP/2: {str(error)[:64]}") from None
        with contextlib.suppress(H2Error):
            self._flush()

    def _handle(self, event: Event) -> None:
        reply = self._reply
        if isinstance(event, ResponseReceived):
            reply.headers = _texts(event.headers)
            reply.status = _status(reply.headers.get(":status", ""))
        elif isinstance(event, DataReceived):
            reply.body += event.data
            self._connection.acknowledge_received_data(event.flow_controlled_length, STREAM)
        elif isinstance(event, TrailersReceived):
            reply.trailers = _texts(event.headers)
        elif isinstance(event, StreamEnded):
            reply.whole = True
        elif isinstance(event, StreamReset) and not reply.whole:
            raise BadReply(f"the server reset the stream (error {int(event.error_code)})")
        elif isinstance(event, ConnectionTerminated) and event.error_code and not reply.whole:
            raise BadReply(f"the server ended the connection (error {int(event.error_code)})")

    def _flush(self) -> None:
        send(self._sock, self._connection.data_to_send(), self._attempt.deadline)


def _status(code: str) -> int:
    """Return the status (RFC 9110 section 15: three digits). Raises `BadReply`: h2 takes any text."""
    if not re.fullmatch("[1-9][0-9]{2}", code):
        raise BadReply(f"the status is not of three digits: {code[:32]!r}")
    return int(code)


def _texts(headers: list[tuple[bytes, bytes]] | None) -> dict[str, str]:
    """Return headers as text: they come from outside, in any bytes."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers or ()}
