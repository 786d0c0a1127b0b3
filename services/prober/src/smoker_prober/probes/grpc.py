"""The gRPC probe: asks a server for its health (grpc.health.v1.Health/Check) over HTTP/2.

https://github.com/grpc/grpc/blob/master/doc/health-checking.md and doc/PROTOCOL-HTTP2.md there. The two messages have
one field each, so they are read and written here.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from typing import Any

from smoker_common.host import authority, wire
from smoker_common.kinds import Kind
from smoker_outcome.failure import BadReply
from smoker_prober.probes import option_kinds
from smoker_prober.probes.base import Attempt, Probe
from smoker_prober.probes.certified import Certified, expiry_of
from smoker_prober.probes.connection import count_retransmits
from smoker_prober.probes.handshake import Security, connected, require_alpn
from smoker_prober.probes.options import Url, of_query, option

CHECK = "/grpc.health.v1.Health/Check"
MOST = 4096  # bytes of an answer: it has two
HEALTH = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
CODES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
MEANINGS = {"NOT_FOUND": "it does not know this service", "UNIMPLEMENTED": "it has no health service"}
_PREFIX = struct.Struct("!?I")  # of a message: whether it is compressed, and its length


def _service(text: str) -> str:
    if not text or len(text) > 200 or not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(text)
    return text


SERVICE = Kind(
    "the name of a service",
    _service,
    {"type": "string", "maxLength": 200, "pattern": "^[!-~]+$"},
)


@dataclass(frozen=True)
class Options:
    """Which health is asked for, and how the server is reached."""

    service: str = option("", SERVICE, "the service whose health to ask for; default: the whole server")
    tls: bool = option(False, option_kinds.switch, "whether to use TLS; grpcs:// sets it")
    server_name: str = option("", option_kinds.host, "the name in the server's certificate; default: the host")
    ca: str = option("", option_kinds.file, "a file with the CAs to trust; default: the system's")


@dataclass(frozen=True)
class Details(Certified):
    """What only a gRPC probe finds."""

    health: str | None = None  # SERVING and so on; without an answer the code of the error

    @property
    def of_failure(self) -> dict[str, Any]:
        """Return the health."""
        return {"health": self.health} if self.health else {}


def run(attempt: Attempt) -> None:
    """Ask for the health of a service."""
    from smoker_prober.probes.http2 import Exchange  # noqa: PLC0415  0.8 MiB, for those who need it

    options: Options = attempt.target.options or Options()
    target = attempt.target
    headers = [
        (":method", "POST"),
        (":scheme", "https" if options.tls else "http"),
        (":authority", authority(wire(options.server_name or target.host), target.port)),
        (":path", CHECK),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "smoker-prober"),
        ("grpc-timeout", f"{max(1, round(min(attempt.deadline.left, 99_999) * 1000))}m"),
    ]
    security = Security(options.server_name, options.ca, alpn=("h2",)) if options.tls else None
    with connected(attempt, security) as sock:
        if security is not None:
            require_alpn(sock, "h2")
        reply = Exchange(attempt, sock, MOST).run(headers, request(options.service))
        count_retransmits(attempt, sock)
        attempt.details = Details(**expiry_of(sock))
    if reply.status != 200:
        raise BadReply(f"status {reply.status} for {CHECK}")
    code = (reply.trailers or reply.headers).get("grpc-status", reply.headers.get("grpc-status", ""))
    if code != "0":
        name = CODES[int(code)] if re.fullmatch("[0-9]{1,2}", code) and int(code) < len(CODES) else "no status"
        attempt.details = replace(attempt.details, health=name)
        meaning = f": {MEANINGS[name]}" if name in MEANINGS else ""
        raise BadReply(f"the server answers {name}{meaning}")
    health = HEALTH[state] if (state := answer(reply.body)) < len(HEALTH) else str(state)
    attempt.details = replace(attempt.details, health=health)
    if health != "SERVING":
        raise BadReply(f"the health is {health}")


def request(service: str) -> bytes:
    """Return a HealthCheckRequest as one message of a stream."""
    name = service.encode()
    field = b"\x0a" + _varint(len(name)) + name if name else b""
    return _PREFIX.pack(False, len(field)) + field


def answer(body: bytes) -> int:
    """Return the state in a HealthCheckResponse: of several the last, without any 0. Raises `BadReply`."""
    if len(body) < _PREFIX.size:
        raise BadReply(f"an answer of {len(body)} bytes")
    compressed, length = _PREFIX.unpack_from(body)
    message = body[_PREFIX.size :]
    if compressed or length != len(message):
        raise BadReply("not exactly one uncompressed message")
    state, at = 0, 0
    while at < len(message):
        key, at = _read_varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _read_varint(message, at)
            state = value if key >> 3 == 1 else state
        elif kind == 2:
            size, at = _read_varint(message, at)
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise BadReply("not a protocol buffers message")
    if at != len(message):
        raise BadReply("a truncated message")
    return state


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at `at`, and where it ends. Raises `BadReply`."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise BadReply("a truncated message")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise BadReply("a number of more than ten bytes")


def from_url(url: Url) -> Options:
    """Return the options that a URL says. Raises ValueError."""
    if url.path not in (None, "/"):
        raise ValueError("grpc:// has no path: the service is an option")
    options = of_query(Options, url.query) or Options()
    return replace(options, tls=True) if url.scheme == "grpcs" else options


def _prepare(_options: object) -> None:
    import smoker_prober.probes.http2  # noqa: F401, PLC0415


probe = Probe(
    run,
    "tcp",
    "ask a gRPC server for its health",
    options=Options,
    schemes=("grpc", "grpcs"),
    form="grpc[s]://host:port",
    from_url=from_url,
    prepare=_prepare,
)
