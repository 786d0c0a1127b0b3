"""The options of the HTTP probe: what is asked for, and what is expected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smoker_common.kinds import Kind, one_of
from smoker_prober.probes import option_kinds
from smoker_prober.probes.options import option

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE")
MOST_HEADERS, LONGEST_HEADER = 32, 4096
LONGEST_PATTERN = 200  # characters
PATIENCE = 0.05  # seconds for a pattern: a pattern that backtracks without end would block the whole prober
_PATH = re.compile(r"/[-\w.~!$&'()*+;=:@%/?,]*", re.ASCII)  # RFC 3986; no fragment: it is not sent
_HEADER = re.compile(r"([-!#$%&'*+.^_`|~0-9A-Za-z]{1,64}):[ \t]*([\x20-\x7e\t]*?)[ \t]*", re.ASCII)
_STATUSES = re.compile(r"([1-5])(?:xx|([0-9]{2})(?:-([1-5][0-9]{2}))?)", re.ASCII)
_OWN = ("connection", "content-length", "transfer-encoding", "upgrade", "te")  # by which messages are framed

Headers = tuple[tuple[str, str], ...]
Ranges = tuple[tuple[int, int], ...]


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise ValueError(text)
    return text


class _Headers(Kind):
    """Headers: in a file a map from name to value, elsewhere a line for each."""

    def read(self, reader: Any, node: Any, at: str, _before: Mapping[str, Any]) -> Headers:
        """Return the headers of a map, or of a text. Raises what `reader.wrong` returns."""
        if isinstance(node.value, str):
            return reader.value(self, node, at)  # type: ignore[no-any-return]
        if not all(isinstance(pair, tuple) for pair in node.value):
            raise reader.wrong(node, at, "this must be a map from the name of a header to its value")
        pairs = [(reader.text(name, at, self), reader.text(value, at, self)) for name, value in node.value]
        try:
            return _headers("\n".join(f"{name}: {value}" for name, value in pairs))
        except ValueError as why:
            raise reader.wrong(node, at, f"{str(why)[:64]!r} is no header that can be sent") from None


def _headers(text: str) -> Headers:
    found = []
    for line in filter(None, text.splitlines()):
        match = _HEADER.fullmatch(line)
        if match is None or len(line) > LONGEST_HEADER or match[1].lower() in _OWN:
            raise ValueError(line)
        found.append((match[1], match[2]))
    if len(found) > MOST_HEADERS:
        raise ValueError(f"more than {MOST_HEADERS} headers")
    return tuple(found)


def _statuses(text: str) -> Ranges:
    """Return the ranges of `200`, `2xx` and `200-399`, separated by commas."""
    found = []
    for word in filter(None, re.split(r"[,\s]+", text)):
        match = _STATUSES.fullmatch(word)
        if match is None:
            raise ValueError(text)
        low = int(f"{match[1]}{match[2] or '00'}")
        high = low + 99 if match[2] is None else int(match[3] or low)
        if high < low:
            raise ValueError(text)
        found.append((low, high))
    if not found:
        raise ValueError(text)
    return tuple(found)


def in_words(ranges: Ranges) -> str:
    """Return ranges of statuses as a person writes them."""
    return ", ".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ranges)


def _pattern(text: str) -> str:
    import regex  # noqa: PLC0415  1 MiB, for those who need it

    if not text or len(text) > LONGEST_PATTERN:
        raise ValueError(text)
    try:
        regex.compile(text.encode())
    except regex.error as error:
        raise ValueError(text) from error
    return text


def _in_any_case(word: str) -> str:
    """Return a pattern of `word` in upper and lower case: JSON Schema's patterns have no flags."""
    return "".join(f"[{sign.upper()}{sign}]" if sign.isalpha() else sign for sign in word)


_status = r"[1-5](xx|[0-9]{2}(-[1-5][0-9]{2})?)"
_status_schema = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": rf"^[,\s]*{_status}([,\s]+{_status})*[,\s]*$"},
    ]
}
_header_schema = {
    "anyOf": [
        {
            "type": "object",
            "maxProperties": MOST_HEADERS,
            "propertyNames": {
                "pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,64}$",
                "not": {"pattern": f"^({'|'.join(map(_in_any_case, _OWN))})$"},
            },
            "additionalProperties": {"type": "string", "maxLength": LONGEST_HEADER, "pattern": r"^[\x20-\x7e\t]*$"},
        },
        {"type": "string"},
    ]
}
path = Kind(
    "a path that begins with /, with its query",
    _path,
    {"type": "string", "pattern": "^/[-A-Za-z0-9_.~!$&'()*+;=:@%/?,]*$"},
)
statuses = Kind("statuses such as 200, 2xx or 200-399, separated by commas", _statuses, _status_schema)
headers = _Headers("headers, as lines of the form Name: value, or in a file a map", _headers, _header_schema)
pattern = Kind(
    f"a regular expression of at most {LONGEST_PATTERN} characters",
    _pattern,
    {"type": "string", "minLength": 1, "maxLength": LONGEST_PATTERN},
)


@dataclass(frozen=True)
class Expect:
    """What the answer must have. Without a status, 200 of an echo, and 200 to 399 of a URL."""

    status: Ranges = option((), statuses, "the statuses that count as success; default: 200-399")
    body: str = option("", pattern, "a regular expression that the beginning of the body must match somewhere")


class WebPort:
    """The usual port of options that can choose TLS, as the schemes of their URLs have it."""

    tls: bool

    @property
    def default_port(self) -> int:
        """Return 443 over TLS, 80 without."""
        return 443 if self.tls else 80


@dataclass(frozen=True)
class Options(WebPort):
    """The request: the path with its query, as it is sent, and whether over TLS, which the URL's scheme says."""

    path: str = option("/", path, "what is asked for")
    tls: bool = option(False, option_kinds.switch, "whether to use TLS; https:// sets it")
    method: str = option("GET", one_of(*METHODS), "the method of the request")
    headers: Headers = option((), headers, "headers of the request")
    version: str = option(
        "1.1", one_of("1.1", "2", "any"), "the version of HTTP; any: what the server chooses, over TLS (ALPN)"
    )
    ca: str = option("", option_kinds.file, "a file with the CAs to trust; default: the system's")
    expect: Expect = option(Expect(), Expect, "what the answer must have")


def matches(pattern: str, body: bytes) -> bool:
    """Return whether `body` matches. Raises `TimeoutError` if that takes too long."""
    import regex  # noqa: PLC0415

    return regex.compile(pattern.encode()).search(body, timeout=PATIENCE) is not None
