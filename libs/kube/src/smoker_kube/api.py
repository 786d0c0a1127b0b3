"""Request the Kubernetes API from a pod, with its service account's token and the cluster's CA.

https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from loguru import logger
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from smoker_common import kinds
from smoker_common.host import authority, wire
from smoker_common.service import ConfigurationError
from smoker_outcome.failure import reason

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CONNECT, READ, SILENCE = 5.0, 10.0, 90.0  # seconds; SILENCE is for a watch, which brings a bookmark every minute
LONGEST_LINE = 16 * 1024 * 1024  # bytes
LARGEST = 16 * 1024 * 1024  # bytes of an answer
PIECE = 65_536  # bytes
OK, CREATED = 200, 201
#: With these, a node that is cut off notices it within 30 s, long before the kernel gives up (tcp(7)).
KEEPALIVE = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 25_000),  # milliseconds
]


class RequestNotSent(OSError):
    """No request was sent: the account's token or the CA cannot be used."""


class TooLarge(ValueError):
    """The answer exceeds its size limit."""


class Refused(Exception):
    """The API answered with another status than 200 or 201. `wait`: seconds after which it wants the next request."""

    def __init__(self, status: int, why: str, wait: float | None = None) -> None:
        super().__init__(f"{status} {why}".strip())
        self.status, self.wait = status, wait


class Api:
    """Sends requests to the API at `url`. It reads the token for each request, because kubelet renews the file."""

    def __init__(
        self,
        url: str,
        *,
        token: Path = ACCOUNT / "token",
        ca: Path = ACCOUNT / "ca.crt",
        read: float = READ,
        silence: float = SILENCE,
    ) -> None:
        """`read` and `silence` are the seconds without a byte after which an answer or a watch is given up.

        Over http://, which serves `kubectl proxy` and tests, neither file is needed.
        """
        self._url, self._token, self._ca, self._read, self._silence = url.rstrip("/"), token, ca, read, silence
        self._secure = url.startswith("https:")
        self._pool: urllib3.PoolManager | None = None
        self._trusted = b""  # the content of the CA file when the pool was created

    @classmethod
    def in_cluster(cls, environ: Mapping[str, str]) -> Api:
        """Return the API of this pod's cluster. Raises `ConfigurationError` outside of a cluster."""
        host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            raise ConfigurationError("there is no API server here, KUBERNETES_SERVICE_HOST is not set: PEERS is needed")
        try:
            return cls(f"https://{authority(wire(kinds.host(host)), kinds.port(port))}")
        except kinds.InvalidValue as unfit:
            where = f"KUBERNETES_SERVICE_HOST={host!r} and KUBERNETES_SERVICE_PORT={port!r}"
            raise ConfigurationError(f"{where}: one of them is not {unfit}") from None

    def get(self, path: str, largest: int = LARGEST, **parameters: str) -> Any:
        """Return the JSON at `path`, of at most `largest` bytes.

        Raises `Refused`, `TooLarge`, `ValueError`, `OSError` or urllib3's `HTTPError`.
        """
        return _json(self._ask("GET", path, self._read, parameters), largest)

    def replace(self, path: str, item: Mapping[str, Any]) -> Any:
        """Replace the object at `path` with `item`, and return it as stored. Raises as `get`.

        Of some kinds, Leases among them, it creates an object that does not exist.

        The status of the `Refused` is 409 where the object has changed since the `resourceVersion` in `item`.
        """
        return _json(self._ask("PUT", path, self._read, item=item), LARGEST)

    def watch(self, path: str, **parameters: str) -> urllib3.BaseHTTPResponse:
        """Return the open answer to a watch. The caller reads its lines and closes it. Raises the same as `get`."""
        return self._ask("GET", path, self._silence, parameters)

    def _ask(
        self,
        method: str,
        path: str,
        read: float,
        parameters: Mapping[str, str] | None = None,
        item: Mapping[str, Any] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json"}
        if item is not None:
            headers["Content-Type"] = "application/json"
        if self._secure or self._token.exists():
            headers["Authorization"] = f"Bearer {self._bearer()}"
        answer = self._connections().request(
            method,
            f"{self._url}{path}{'?' + urlencode(parameters) if parameters else ''}",
            body=None if item is None else json.dumps(item).encode(),
            headers=headers,
            timeout=Timeout(connect=CONNECT, read=read),
            preload_content=False,
            redirect=False,
        )
        if answer.status in (OK, CREATED):
            return answer
        why, wait = answer.reason or "", answer.headers.get("Retry-After", "")
        answer.close()
        raise Refused(answer.status, why, float(wait) if wait.isascii() and wait.isdigit() else None)

    def _bearer(self) -> str:
        """Return the current token. Raises `RequestNotSent`, whose text does not contain the token."""
        token = _content(self._token).strip()
        if not token or not all(0x20 < byte < 0x7F for byte in token):  # http.client would put the token into its error
            raise RequestNotSent(f"{self._token}: it contains no token")
        return token.decode()

    def _connections(self) -> urllib3.PoolManager:
        """Return a pool that trusts the current CA file, which kubelet renews. Raises `RequestNotSent`."""
        trusted = _content(self._ca) if self._secure else b""
        if self._pool is None or trusted != self._trusted:
            context = self._context() if self._secure else None
            if self._pool is not None:
                self._pool.clear()
            self._pool = urllib3.PoolManager(
                num_pools=1, maxsize=1, retries=False, socket_options=KEEPALIVE, ssl_context=context
            )
            self._trusted = trusted
        return self._pool

    def _context(self) -> ssl.SSLContext:
        """Return a context that trusts the CA's file and nothing else. Raises `RequestNotSent`.

        `create_default_context` does not fit: with an empty file it trusts the system's CAs, and since Python 3.13 it
        requires an extension that the CAs of many clusters lack and other clients of the API do not check.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the file may hold only an intermediate CA
        try:
            context.load_verify_locations(self._ca)
        except ssl.SSLError:
            raise RequestNotSent(f"{self._ca}: it contains no certificate") from None
        return context


def _json(answer: urllib3.BaseHTTPResponse, largest: int) -> Any:
    """Return the JSON of an answer, of at most `largest` bytes. Raises `TooLarge`, `ValueError` or `HTTPError`."""
    data = bytearray()
    try:
        for piece in answer.stream(PIECE, decode_content=True):
            data += piece
            if len(data) > largest:
                raise TooLarge(f"an answer of more than {largest} bytes")
    except BaseException:
        answer.close()  # the unread rest would be read as the next answer
        raise
    answer.release_conn()
    return json.loads(data)


def lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Yield complete lines until the answer ends or breaks off. If the API is gone, the next request reports it.

    An incomplete last line is dropped: the next watch brings it again. Raises `ValueError` if a line is too long.
    """
    rest = b""
    try:
        for piece in answer.stream(PIECE, decode_content=True):
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line for line in whole if line.strip())
            if len(rest) > LONGEST_LINE:
                raise ValueError("a line that does not end")
    except (HTTPError, OSError) as broken:
        logger.debug("a watch broke off", cause=reason(broken, ""))


def _content(file: Path) -> bytes:
    """Return what is in `file`. Raises `RequestNotSent` with the name of the file."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise RequestNotSent(f"{file}: {error.strerror}") from None
