"""The HTTP probe: GET / of an echo, expect 200; GET of a URL, expect a page or where it has gone, 2xx or 3xx."""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from urllib3.connection import HTTPConnection

from smoker_prober.deadline import Deadline
from smoker_prober.failure import BadReply
from smoker_prober.probes.base import Attempt
from smoker_prober.probes.connection import connect, count_retransmits

MAX_BODY = 64 * 1024  # bytes; more than that is no answer of an echo, and of a page no more is read
HEADERS = {"User-Agent": "smoker-prober", "Accept": "*/*", "Connection": "close"}


class _Timed(io.RawIOBase):
    """The stream of a socket that does not block: it waits for each piece as long as the deadline says."""

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
        self.fp = self._lines = _Lines(_Timed(self.fp.detach(), sock, deadline))

    def begin(self) -> None:
        super().begin()
        if not self._lines.last:
            raise BadReply("the connection was closed inside the headers")


@functools.cache
def context() -> ssl.SSLContext:
    """For certificates that the system trusts, or the file that SSL_CERT_FILE names (openssl-env(7)).

    Made once: reading the store takes longer than a probe. Without OpenSSL's strict mode, which Python turns on since
    3.13: it refuses the CAs of many clusters, for an extension that no other client asks for (docs/design/0009).
    """
    made = ssl.create_default_context()
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    made.set_alpn_protocols(["http/1.1"])
    return made


def _shake_hands(tls: ssl.SSLSocket, deadline: Deadline) -> None:
    """TLS's handshake over a socket that does not block."""
    while True:
        try:
            return tls.do_handshake()
        except ssl.SSLWantReadError:
            deadline.readable(tls)
        except ssl.SSLWantWriteError:
            deadline.writable(tls)


@contextlib.contextmanager
def _connected(attempt: Attempt) -> Iterator[socket.socket]:
    """A connected socket that does not block, with TLS where the URL wants it, the certificate checked."""
    url = attempt.target.url
    with connect(attempt) as sock:
        if url is None or not url.tls:
            yield sock
            return
        with contextlib.ExitStack() as stack:
            with attempt.phase("tls"):
                name = attempt.target.server_name  # Python sends no SNI for an address
                tls = context().wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
                stack.enter_context(contextlib.closing(tls))
                _shake_hands(tls, attempt.deadline)
            yield tls


def probe(attempt: Attempt) -> None:
    target, deadline = attempt.target, attempt.deadline
    path = "/" if target.url is None else target.url.path
    with _connected(attempt) as sock:
        connection = HTTPConnection(attempt.address, target.port, timeout=0)
        connection.response_class = functools.partial(_Answer, deadline)  # type: ignore[assignment]
        connection.sock = sock  # connected already, and timed; it stays one that does not block
        with attempt.phase("send"):
            connection.request("GET", path, headers=HEADERS | {"Host": target.host_header}, preload_content=False)
        with attempt.phase("wait"):
            deadline.readable(sock)
            with deadline.reading():
                answer = connection.getresponse()
        attempt.status = answer.status
        with attempt.phase("transfer"), deadline.reading(), contextlib.closing(answer):
            attempt.received = len(answer.read(MAX_BODY + 1, decode_content=False))
            count_retransmits(attempt, sock)  # while it is open
            if attempt.received <= MAX_BODY and answer.length_remaining:
                raise BadReply(f"the body broke off {answer.length_remaining} bytes before its end")
    if not (attempt.status == 200 if target.url is None else 200 <= attempt.status < 400):
        raise BadReply(f"status {attempt.status} for GET {path}")
    if target.url is None and attempt.received > MAX_BODY:
        raise BadReply(f"a body of over {MAX_BODY} bytes for GET {path}")
