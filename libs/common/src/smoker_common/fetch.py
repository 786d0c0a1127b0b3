"""Send one GET with a total deadline and a size limit. Smoker's processes read each other's pages with it.

    fetch_json("10.78.1.5", 9464, "/api/v1/snapshot", seconds=2.0, limit=1_000_000)

The deadline covers the name look-up, the connection, the request and every byte of the answer: a peer that sends a byte
each second does not extend it. The limit covers the headers, too. Redirects are not followed and the body is not
decoded. A request is sent again only if the peer had closed a kept connection. Every failure is a `FetchError`.
"""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any, NamedTuple, NoReturn

import gevent
from gevent.socket import SOCK_STREAM, getaddrinfo
from gevent.socket import socket as gevent_socket

from smoker_common.host import SockAddr, authority, is_address, sockaddr, wire
from smoker_common.host import host as normal_form
from smoker_common.http_answer import OK, Answer, WrongAnswer

BLOCK = 65_536  # bytes
CLOSE = "Connection: close\r\n"


class Fetched(NamedTuple):
    """The body, or None if the caller already has this version, and its ETag, or an empty string without one."""

    body: bytes | None
    tag: str


class FetchError(Exception):
    """What failed, and where: a sentence without its full stop.

    `answered` is true if the peer sent bytes, though not a valid answer.
    """

    def __init__(self, where: str, why: str, *, answered: bool = False) -> None:
        super().__init__(f"{where} {why}")
        self.where, self.why, self.answered = where, why, answered


def fetch_json(host: str, port: int, path: str, *, seconds: float, limit: int) -> Any:
    """Return the JSON at `path`, without NaN and Infinity (RFC 8259). Raises `FetchError`."""
    data = fetch(host, port, path, seconds=seconds, limit=limit)
    try:
        return json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FetchError(_url(host, port, path), f"does not send JSON: {why}", answered=True) from None


def fetch(host: str, port: int, path: str, *, seconds: float, limit: int, authorization: str = "") -> bytes:
    """Return the body of the answer 200 to GET `path`, within `seconds` and `limit` bytes. Raises `FetchError`.

    `authorization`: the value of the Authorization header, if any.
    """
    with contextlib.closing(Line(host, port, keep=False, authorization=authorization)) as line:
        return line.fetch_news(path, tag="", seconds=seconds, limit=limit).body or b""


def fetch_news(host: str, port: int, path: str, *, tag: str, seconds: float, limit: int) -> Fetched:
    """Return the body and its ETag, or no body if its ETag is still `tag`. Raises `FetchError`."""
    with contextlib.closing(Line(host, port, keep=False)) as line:
        return line.fetch_news(path, tag=tag, seconds=seconds, limit=limit)


class Line:
    """A connection to one peer, kept open from one request to the next where the peer allows it. One user at a time."""

    def __init__(self, host: str, port: int, *, keep: bool = True, authorization: str = "") -> None:
        self.host, self.port, self._keep, self._authorization = host, port, keep, authorization
        self._sock: gevent_socket | None = None
        self._closed = False

    def fetch_news(self, path: str, *, tag: str, seconds: float, limit: int) -> Fetched:
        """Return what `fetch_news` of this module returns. Raises `FetchError`."""
        where, deadline = _url(self.host, self.port, path), gevent.Timeout(seconds)
        attempt = _Attempt()
        try:
            with deadline:
                answer = self._exchange(attempt, path, tag, limit)
        except gevent.Timeout as over:
            if over is not deadline:  # the caller's own
                raise
            part = f"; {attempt.arrived} bytes have arrived" if attempt.arrived else ""
            why = f"does not answer within {seconds:g} s{part}"
            raise FetchError(where, why, answered=attempt.arrived > 0) from None
        except WrongAnswer as unfit:
            raise FetchError(where, str(unfit), answered=attempt.arrived > 0) from None
        except (OSError, ValueError, OverflowError) as error:  # the last two: an invalid host or port
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise FetchError(where, f"does not answer: {why[:1].lower()}{why[1:]}") from None
        finally:
            if self._closed or attempt.answer is None or not attempt.answer.reusable:
                self.drop()
            if attempt.answer is not None:
                attempt.answer.release()
        return Fetched(b"".join(answer.body) if answer.status == OK else None, answer.tag or tag)

    def close(self) -> None:
        """Close the connection for good. A request in flight fails."""
        self._closed = True
        self.drop()

    def __del__(self) -> None:
        self.drop()

    def drop(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _exchange(self, attempt: _Attempt, path: str, tag: str, limit: int) -> Answer:
        """Send the request and read the whole answer.

        Raises `WrongAnswer`, `OSError`, `ValueError`, `OverflowError`.
        """
        if self._sock is not None:
            attempt.answer = Answer(tag)
            try:
                return self._ask(self._sock, attempt.answer, path, limit)
            except (OSError, WrongAnswer):
                if attempt.arrived:
                    raise
            self.drop()  # the peer closed it after the last request
            attempt.answer = None
        if self._closed:
            raise OSError("the connection is closed")
        self._sock = _connected(self.host, self.port)
        attempt.answer = Answer(tag)
        return self._ask(self._sock, attempt.answer, path, limit)

    def _ask(self, sock: gevent_socket, answer: Answer, path: str, limit: int) -> Answer:
        host = authority(wire(normal_form(self.host)), self.port)
        head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n"
        if answer.known:
            head += f"If-None-Match: {answer.known}\r\n"
        if self._authorization:
            if not _is_field(self._authorization):
                raise ValueError("the credentials are not printable ASCII")
            head += f"Authorization: {self._authorization}\r\n"
        sock.sendall(f"{head}{'' if self._keep else CLOSE}\r\n".encode("ascii"))
        while True:
            data = sock.recv(BLOCK)
            if data:
                answer.feed(data)
            else:
                answer.end()
            answer.check()
            if answer.arrived > limit:
                raise WrongAnswer(f"sends more than {limit} bytes")
            if answer.complete:
                answer.reusable = bool(data) and self._keep and answer.keeps
                return answer
            gevent.sleep(0)  # gevent does not switch while data waits; this lets other greenlets and the deadline run


class _Attempt:
    """The progress of one request."""

    def __init__(self) -> None:
        self.answer: Answer | None = None

    @property
    def arrived(self) -> int:
        """Return how many bytes of the answer have arrived."""
        return self.answer.arrived if self.answer is not None else 0


def _connected(host: str, port: int) -> gevent_socket:
    """Connect to the first address of `host` that accepts. Raises `OSError`, `ValueError`, `OverflowError`."""
    refused: OSError = OSError("the name has no address")
    for family, address in _addresses(normal_form(host), port):
        with contextlib.ExitStack() as opened:
            sock = opened.enter_context(contextlib.closing(gevent_socket(family, SOCK_STREAM)))
            try:
                sock.connect(address)
            except OSError as error:
                refused = error
                continue
            opened.pop_all()
            return sock
    raise refused


def _addresses(normal: str, port: int) -> list[tuple[socket.AddressFamily, SockAddr]]:
    """Return the addresses of a host in its normal form, in the order of RFC 6724. Raises as `_connected`."""
    if is_address(normal):
        return [sockaddr(normal, port)]
    return [(found[0], found[4]) for found in getaddrinfo(wire(normal), port, type=SOCK_STREAM)]  # type: ignore[misc]


def _url(host: str, port: int, path: str) -> str:
    return f"http://{authority(host, port)}{path}"


def _is_field(value: str) -> bool:
    """Return whether `value` is a header field in ASCII that ends no line."""
    return value.isascii() and value.isprintable()


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
