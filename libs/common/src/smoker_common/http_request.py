"""Parse HTTP/1.1 requests without I/O: llhttp (by httptools) parses, this module keeps the order and the limits.

llhttp refuses the means of request smuggling: two lengths, a length beside chunks, space before a colon, a bare LF.
This module checks what llhttp leaves to its user: the version, and the Host field (`smoker_common.http_host`).

Versions: HTTP/1.0 and 1.1 are served. A higher minor version of HTTP/1 is served as 1.1 (RFC 9110 section 6.2), another
major version is answered 505 (RFC 9110 section 15.6.6), the preface of HTTP/2 (RFC 9113 section 3.4) too. A version
without its dot, `HTTP/2`, is no version (RFC 9112 section 2.3) and answered 400. HTTP/0.9 has no version to refuse.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser

from smoker_common.http_host import fault

MAX_HEAD = 16 * 1024  # bytes of a request line and its headers

_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64} \S+ HTTP/([0-9])\.[0-9]\r\n")


class Refused(Exception):
    """The server does not take this request: `status` is the answer, the text says why."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status = status


def _other_version(version: str) -> Refused:
    return Refused("505 HTTP Version Not Supported", f"HTTP/{version} is not supported, HTTP/1.1 is")


class Request:
    """One request. `body` holds the bytes that have arrived and were not read yet, with chunks decoded."""

    __slots__ = ("body", "complete", "headers", "keep_alive", "method", "received", "target", "upgrade", "version")

    def __init__(self) -> None:
        self.method = ""
        self.target = ""
        self.version = ""  # "1.1"
        self.headers: list[tuple[str, str]] = []
        self.body: deque[bytes] = deque()
        self.received = 0  # bytes of the body so far
        self.complete = False
        self.keep_alive = False  # known once complete
        self.upgrade: bytes | None = None  # what followed a request whose upgrade is taken; None: it has none


class RequestParser:
    """Parses the bytes given to `feed` into `requests`, in order. The body of the last one may be incomplete."""

    def __init__(self, takes: Callable[[Request], bool] = lambda _request: False) -> None:
        """`takes` says whether the offer of another protocol is taken (RFC 9110 section 7.8): nothing follows."""
        self._takes = takes
        self.requests: deque[Request] = deque()
        self.refused: Refused | None = None  # nothing after this can be parsed
        self.inside = False  # in the middle of a request
        self._parser = self._new_parser()
        self._request = Request()
        self._url = b""
        self._fed = 0  # bytes fed before the headers were complete; some may belong to the body
        self._head = 0  # bytes of the request's target and headers so far
        self._in_head = True

    def _new_parser(self) -> HttpRequestParser:
        parser = HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_version=True)  # `_version` judges it, with the right answer
        return parser

    def feed(self, data: bytes) -> None:
        """Parse `data`. This never raises: `refused` holds the error."""
        if self.refused is not None:
            return
        if self._in_head:
            self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as offer:
            rest, request = data[offer.args[0] :], self.requests[-1]
            if self._takes(request):
                request.upgrade, request.complete, request.keep_alive = rest, True, False
            else:
                self._decline(rest)
        except HttpParserInvalidMethodError:
            self.refused = self._unknown(data)
        except HttpParserError as error:
            if self.refused is None:  # `on_headers_complete` ends the parsing with an exception, too
                preface = self._parser.get_method() == b"PRI" and self._parser.get_http_version() == "2.0"
                self.refused = _other_version("2.0") if preface else Refused("400 Bad Request", str(error))
        endless = self._in_head and self._fed > 2 * MAX_HEAD  # an unfinished header is not in _head yet
        if (endless or self._head > MAX_HEAD) and self.refused is None:
            self.refused = Refused("431 Request Header Fields Too Large", f"the headers are over {MAX_HEAD} bytes")
        bad = self.refused is not None and (self._head > MAX_HEAD or not self._request.complete)
        if bad and self.requests and self.requests[-1] is self._request:
            self.requests.pop()  # its handler has not started

    def _unknown(self, data: bytes) -> Refused:
        """Return how to refuse `data`, in which llhttp found a method that it does not know."""
        line = _REQUEST_LINE.match(data) if self._fed == len(data) else None
        if line is None:
            return Refused("400 Bad Request", "the method is unknown or this is not HTTP")
        if line[1] != b"1":
            return _other_version(line[1].decode() + ".x")
        return Refused("405 Method Not Allowed", "the method is unknown")

    def _decline(self, rest: bytes) -> None:
        """Ignore a request's offer of another protocol (RFC 9110 section 7.8), and refuse CONNECT.

        httptools treats the bytes after such headers as the other protocol, so the headers are parsed again without it.
        """
        request = self.requests.pop()
        if request.method == "CONNECT":
            self.refused = Refused("405 Method Not Allowed", "CONNECT is for proxies")
            return
        lines = [f"{request.method} {request.target} HTTP/{request.version}"]
        for name, value in request.headers:
            tokens = [token for token in value.split(",") if token.strip().lower() != "upgrade"]
            if name.lower() == "connection":
                lines.append(f"{name}:{','.join(tokens)}")
            elif name.lower() != "upgrade":
                lines.append(f"{name}: {value}")
        self._parser = self._new_parser()
        self.feed("\r\n".join([*lines, "", ""]).encode("latin-1") + rest)

    # What httptools calls.
    def on_message_begin(self) -> None:
        self._request = Request()
        self._url, self._head = b"", 0
        self._in_head = self.inside = True

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # not the trailers of a chunked body
            self._request.headers.append((name.decode("latin-1"), value.decode("latin-1")))
            self._head += len(name) + len(value) + 4

    def on_headers_complete(self) -> None:
        request = self._request
        request.method = self._parser.get_method().decode("latin-1")
        request.version = self._version()
        request.target = self._url.decode("latin-1")
        if why := fault(request.version, request.target, request.headers):
            self.refused = Refused("400 Bad Request", why)
            raise self.refused  # llhttp parses nothing more
        self._in_head, self._fed = False, 0
        self.requests.append(request)

    def _version(self) -> str:
        """Return the HTTP version for the answer. Raises `Refused` if the server does not speak it."""
        version: str = self._parser.get_http_version()
        if version in ("1.1", "1.0", "0.9"):
            return version
        if version.startswith("1."):
            return "1.1"
        self.refused = _other_version(version)
        raise self.refused

    def on_body(self, data: bytes) -> None:
        self._request.body.append(data)
        self._request.received += len(data)

    def on_message_complete(self) -> None:
        self._request.keep_alive = self._parser.should_keep_alive()
        self._request.complete = True
        self.inside = False
        self._in_head = True
