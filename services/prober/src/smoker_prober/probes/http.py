"""The HTTP probe: GET / of an echo, expecting 200; GET of a URL, expecting a page or a redirect, 2xx or 3xx."""

from __future__ import annotations

import contextlib
import functools
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from urllib3.connection import HTTPConnection

from smoker_common.host import authority, wire
from smoker_common.settings import Kind
from smoker_outcome.failure import BadReply
from smoker_prober.probes.base import Attempt, Probe
from smoker_prober.probes.certified import Certified, expiry_of
from smoker_prober.probes.connection import connect, count_retransmits
from smoker_prober.probes.handshake import Security, secured
from smoker_prober.probes.http_answer import Answer
from smoker_prober.probes.options import Url, option
from smoker_prober.target import Target

MAX_BODY = 64 * 1024  # bytes; a longer answer is not an echo's, and no more is read of a page
HEADERS = {"User-Agent": "smoker-prober", "Accept": "*/*", "Connection": "close"}


_PATH = re.compile(r"/[-\w.~!$&'()*+;=:@%/?,]*", re.ASCII)  # RFC 3986; no fragment: it is not sent


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise ValueError(text)
    return text


@dataclass(frozen=True)
class Options:
    """What a URL says beside host and port: the path with its query, as it is sent, and whether it is https."""

    path: str = option("/", Kind("a path that begins with /, with its query", _path), "what is asked for")
    tls: bool = False

    @property
    def default_port(self) -> int:
        """Return the port of the URL's scheme."""
        return 443 if self.tls else 80


@dataclass(frozen=True)
class Details(Certified):
    """What only an HTTP probe finds."""

    status: int

    @property
    def of_failure(self) -> dict[str, Any]:
        """Return the status."""
        return {"status": self.status}


def host_header(target: Target) -> str:
    """Return what a server is asked for (RFC 9110 section 7.2): of a URL without its scheme's port (section 4.2)."""
    asked, url = authority(wire(target.host), target.port), _url(target)
    return asked if url is None else asked.removesuffix(f":{url.default_port}")


def _url(target: Target) -> Options | None:
    """Return the options of a target that was named by URL; None for an echo."""
    options: Options | None = target.options
    return options


@contextlib.contextmanager
def _connected(attempt: Attempt) -> Iterator[socket.socket]:
    """Connect a nonblocking socket, with TLS and a checked certificate if the URL is https."""
    url = _url(attempt.target)
    with connect(attempt) as sock:
        if url is None or not url.tls:
            yield sock
            return
        with secured(attempt, sock, Security()) as tls:
            yield tls


def from_url(url: Url) -> Options:
    """Return the options that a URL says. Raises ValueError."""
    if url.path is None and url.query is not None:
        raise ValueError("a query needs a path before it")
    query = "" if url.query is None else f"?{url.query}"
    return Options(f"{url.path or '/'}{query}", tls=url.scheme == "https")


def run(attempt: Attempt) -> None:
    """GET a page and judge its status."""
    target, deadline = attempt.target, attempt.deadline
    url = _url(target)
    path = "/" if url is None else url.path
    with _connected(attempt) as sock:
        connection = HTTPConnection(attempt.address, target.port, timeout=0)
        connection.response_class = functools.partial(Answer, attempt)  # type: ignore[assignment]
        connection.sock = sock  # connected and timed already; it stays nonblocking
        with attempt.phase("send"):
            connection.request("GET", path, headers=HEADERS | {"Host": host_header(target)}, preload_content=False)
        with attempt.phase("wait"):
            deadline.readable(sock)
            with deadline.reading():
                answer = connection.getresponse()
        attempt.details = Details(answer.status, **expiry_of(sock))
        with attempt.phase("transfer"), deadline.reading(), contextlib.closing(answer):
            attempt.received = len(answer.read(MAX_BODY + 1, decode_content=False))
            count_retransmits(attempt, sock)  # while it is open
            if attempt.received <= MAX_BODY and answer.length_remaining:
                raise BadReply(f"the body broke off {answer.length_remaining} bytes before its end")
    if not (answer.status == 200 if url is None else 200 <= answer.status < 400):
        raise BadReply(f"status {answer.status} for GET {path}")
    if url is None and attempt.received > MAX_BODY:
        raise BadReply(f"a body of over {MAX_BODY} bytes for GET {path}")


probe = Probe(
    run,
    "tcp",
    "GET / of an echo, or the page of a URL",
    options=Options,
    default_port=80,
    schemes=("http", "https"),
    form="http[s]://host[:port][/path]",
    from_url=from_url,
)
