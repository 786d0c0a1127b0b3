"""The HTTP probe: GET / of an echo, expecting 200; GET of a URL, expecting a page or a redirect, 2xx or 3xx."""

from __future__ import annotations

import contextlib
import functools
import socket
from dataclasses import dataclass
from typing import Any

from urllib3.connection import HTTPConnection

from smoker_common.host import authority, wire
from smoker_outcome.failure import BadReply
from smoker_prober.probes.base import Attempt, Probe
from smoker_prober.probes.certified import Certified, expiry_of
from smoker_prober.probes.connection import count_retransmits
from smoker_prober.probes.handshake import Security, chosen_alpn, connected, require_alpn
from smoker_prober.probes.http_answer import Answer
from smoker_prober.probes.http_options import PATIENCE, in_words, matches
from smoker_prober.probes.http_options import Options as Options  # noqa: PLC0414  beside its probe
from smoker_prober.probes.options import Url
from smoker_prober.target import Target

MAX_BODY = 64 * 1024  # bytes; a longer answer is not an echo's, and no more is read of a page
HEADERS = {"User-Agent": "smoker-prober", "Accept": "*/*", "Connection": "close"}
ALPN = {"1.1": ("http/1.1",), "2": ("h2",), "any": ("h2", "http/1.1")}


@dataclass(frozen=True)
class Details(Certified):
    """What only an HTTP probe finds."""

    status: int
    http_version: str | None = None  # of HTTP, where it is not 1.1

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


def from_url(url: Url) -> Options:
    """Return the options that a URL says. Raises ValueError."""
    return Options(url.page, tls=url.scheme == "https")


def run(attempt: Attempt) -> None:
    """Ask for a page and judge its status and body."""
    url = _url(attempt.target)
    asked = url or Options()
    security = Security(ca=asked.ca, alpn=ALPN[asked.version]) if asked.tls else None
    with connected(attempt, security) as sock:
        if asked.version == "2" and security is not None:
            require_alpn(sock, "h2")
        # Without TLS the client has to know that the server speaks HTTP/2 (RFC 9113 section 3.3).
        second = asked.version == "2" or chosen_alpn(sock) == "h2"
        status, body = (_over_http2 if second else _over_http1)(attempt, sock, asked)
    expect, what = asked.expect, f"{asked.method} {asked.path}"
    wanted = expect.status or (((200, 200),) if url is None else ((200, 399),))
    if not any(low <= status <= high for low, high in wanted):
        expected = f", expected {in_words(expect.status)}" if expect.status else ""
        raise BadReply(f"status {status} for {what}{expected}")
    if url is None and attempt.received > MAX_BODY:
        raise BadReply(f"a body of over {MAX_BODY} bytes for {what}")
    if expect.body:
        _match(expect.body, body)


def _match(pattern: str, body: bytes) -> None:
    try:
        matched = matches(pattern, body)
    except TimeoutError:
        raise BadReply(f"expect.body took over {PATIENCE:g} s on a body of {len(body)} bytes") from None
    if not matched:
        raise BadReply(f"the body does not match {pattern!r}")


def _over_http1(attempt: Attempt, sock: socket.socket, asked: Options) -> tuple[int, bytes]:
    """Return status and body by HTTP/1.1."""
    target, deadline = attempt.target, attempt.deadline
    connection = HTTPConnection(attempt.address, target.port, timeout=0)
    connection.response_class = functools.partial(Answer, attempt)  # type: ignore[assignment]
    connection.sock = sock  # connected and timed already; it stays nonblocking
    headers = HEADERS | {"Host": host_header(target)}
    names = {name.lower(): name for name in headers}
    for name, value in asked.headers:  # one of ours is replaced, however it is written
        headers[names.get(name.lower(), name)] = value
    with attempt.phase("send"):
        connection.request(asked.method, asked.path, headers=headers, preload_content=False)
    with attempt.phase("wait"):
        deadline.readable(sock)
        with deadline.reading():
            answer = connection.getresponse()
    attempt.details = Details(answer.status, **expiry_of(sock))
    with attempt.phase("transfer"), deadline.reading(), contextlib.closing(answer):
        body = answer.read(MAX_BODY + 1, decode_content=False)
        attempt.received = len(body)
        count_retransmits(attempt, sock)  # while it is open
        if attempt.received <= MAX_BODY and answer.length_remaining:
            raise BadReply(f"the body ended {answer.length_remaining} bytes early")
    return answer.status, body


def _over_http2(attempt: Attempt, sock: socket.socket, asked: Options) -> tuple[int, bytes]:
    """Return status and body by HTTP/2."""
    from smoker_prober.probes.http2 import Exchange  # noqa: PLC0415  0.8 MiB, for those who need it

    own = {"user-agent": HEADERS["User-Agent"], "accept": HEADERS["Accept"]}
    given = own | {name.lower(): value for name, value in asked.headers}
    authority_ = given.pop("host", host_header(attempt.target))
    scheme = "https" if asked.tls else "http"
    pseudo = [(":method", asked.method), (":scheme", scheme), (":authority", authority_), (":path", asked.path)]
    reply = Exchange(attempt, sock, MAX_BODY).run([*pseudo, *given.items()])
    count_retransmits(attempt, sock)
    attempt.details = Details(reply.status, http_version="2", **expiry_of(sock))
    return reply.status, reply.body


def _prepare(options: Options | None) -> None:
    """Import what these options need."""
    if options is not None and options.version != "1.1":
        import smoker_prober.probes.http2  # noqa: F401, PLC0415
    if options is not None and options.expect.body:
        import regex  # noqa: F401, PLC0415


probe = Probe(
    run,
    "tcp",
    "GET / of an echo, or the page of a URL",
    options=Options,
    default_port=80,
    schemes=("http", "https"),
    form="http[s]://host[:port][/path]",
    from_url=from_url,
    prepare=_prepare,
)
