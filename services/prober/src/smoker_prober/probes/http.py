"""The HTTP probe: GET / of an echo, expecting 200; GET of a URL, expecting a page or a redirect, 2xx or 3xx."""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from urllib3.connection import HTTPConnection

from smoker_common.host import authority, wire
from smoker_outcome.failure import BadReply
from smoker_prober.network.deadline import Deadline
from smoker_prober.probes.base import Attempt
from smoker_prober.probes.connection import connect, count_retransmits
from smoker_prober.probes.trust import context
from smoker_prober.result import Details as AnyDetails
from smoker_prober.target import Target

MAX_BODY = 64 * 1024  # bytes; a longer answer is not an echo's, and no more is read of a page
MAX_HEAD = 256 * 1024  # bytes before the body, interim answers included
MAX_LINE = 64 * 1024  # bytes
MAX_HEADERS = 256
FRAMING = (
    b"content-length",
    b"transfer-encoding",
    b"connection",
)  # by which a body's end is known (RFC 9112 section 6)
HEADERS = {"User-Agent": "smoker-prober", "Accept": "*/*", "Connection": "close"}


@dataclass(frozen=True)
class Options:
    """What a URL says beside host and port: the path with its query, as it is sent, and whether it is https."""

    path: str = "/"
    tls: bool = False

    @property
    def default_port(self) -> int:
        """Return the port of the URL's scheme."""
        return 443 if self.tls else 80


@dataclass(frozen=True)
class Details(AnyDetails):
    """What only an HTTP probe finds."""

    status: int

    @property
    def of_failure(self) -> dict[str, Any]:
        """Return the status."""
        return self.fields


def host_header(target: Target) -> str:
    """Return what a server is asked for (RFC 9110 section 7.2): of a URL without its scheme's port (section 4.2)."""
    asked, url = authority(wire(target.host), target.port), _url(target)
    return asked if url is None else asked.removesuffix(f":{url.default_port}")


def server_name(target: Target) -> str:
    """Return what a server's certificate must be for: a name without the dot of the root (RFC 6066 section 3)."""
    return wire(target.host).removesuffix(".")


def _url(target: Target) -> Options | None:
    """Return the options of a target that was named by URL; None for an echo."""
    options: Options | None = target.options
    return options


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


class _Answer(http.client.HTTPResponse):
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
        attempt.stray = f"nothing came after status {code}"


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


def _shake_hands(tls: ssl.SSLSocket, deadline: Deadline) -> None:
    """Do the TLS handshake over a nonblocking socket."""
    while True:
        try:
            return tls.do_handshake()
        except ssl.SSLWantReadError:
            deadline.readable(tls)
        except ssl.SSLWantWriteError:
            deadline.writable(tls)


@contextlib.contextmanager
def _connected(attempt: Attempt) -> Iterator[socket.socket]:
    """Connect a nonblocking socket, with TLS and a checked certificate if the URL is https."""
    url = _url(attempt.target)
    with connect(attempt) as sock:
        if url is None or not url.tls:
            yield sock
            return
        with contextlib.ExitStack() as stack:
            with attempt.phase("tls"):
                name = server_name(attempt.target)  # Python sends no SNI for an address
                tls = context().wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
                stack.enter_context(contextlib.closing(tls))
                _shake_hands(tls, attempt.deadline)
            yield tls


def probe(attempt: Attempt) -> None:
    target, deadline = attempt.target, attempt.deadline
    url = _url(target)
    path = "/" if url is None else url.path
    with _connected(attempt) as sock:
        connection = HTTPConnection(attempt.address, target.port, timeout=0)
        connection.response_class = functools.partial(_Answer, attempt)  # type: ignore[assignment]
        connection.sock = sock  # connected and timed already; it stays nonblocking
        with attempt.phase("send"):
            connection.request("GET", path, headers=HEADERS | {"Host": host_header(target)}, preload_content=False)
        with attempt.phase("wait"):
            deadline.readable(sock)
            with deadline.reading():
                answer = connection.getresponse()
        attempt.details = Details(answer.status)
        with attempt.phase("transfer"), deadline.reading(), contextlib.closing(answer):
            attempt.received = len(answer.read(MAX_BODY + 1, decode_content=False))
            count_retransmits(attempt, sock)  # while it is open
            if attempt.received <= MAX_BODY and answer.length_remaining:
                raise BadReply(f"the body broke off {answer.length_remaining} bytes before its end")
    if not (answer.status == 200 if url is None else 200 <= answer.status < 400):
        raise BadReply(f"status {answer.status} for GET {path}")
    if url is None and attempt.received > MAX_BODY:
        raise BadReply(f"a body of over {MAX_BODY} bytes for GET {path}")
