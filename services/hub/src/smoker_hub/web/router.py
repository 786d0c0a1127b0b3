"""Routing: the route of a request, its parameters, and the format of its answer.

request ─▶ Route ─▶ parameters, checked as they are declared ─▶ record ─▶ JSON, or text; an error ─▶ problem+json

A parameter is declared once. The declaration checks requests and appears in /openapi.json.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl

import msgspec

JSON, TEXT, PROBLEM = "application/json", "text/plain; charset=utf-8", "application/problem+json"
XML = "application/xml"
LONGEST_QUERY = 8_192  # bytes
LONGEST = 253  # characters of a name, as in Kubernetes
SHOWN = 60  # characters of a client's text that an error repeats

Values = Mapping[str, Any]  # by name of a parameter; without a value a parameter takes its default


class Problem(Exception):
    """A request that is refused, and why."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Detail(msgspec.Struct, frozen=True):
    """An error (RFC 9457): `title` is the phrase of the status, `detail` a sentence without its end."""

    title: str
    status: int
    detail: str


class Answer(NamedTuple):
    """The type of a body, the body, and its ETag where it has one.

    `keep`: its Cache-Control, where it is not the usual one; `packed`: the body in gzip, where there is one.
    """

    kind: str
    body: bytes
    tag: str = ""
    keep: str = ""
    packed: bytes = b""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a route: of its query, or a part of its path."""

    name: str
    help: str
    kind: Literal["string", "integer", "number"] = "string"
    values: tuple[str, ...] = ()  # the allowed ones; empty: any
    pattern: str = ""  # what a value must match throughout
    low: float = 0
    high: float = 0
    default: Any = None
    required: bool = False

    def read(self, text: str) -> Any:
        """Return the value that `text` stands for. Raises `Problem`."""
        if self.kind != "string":
            return self._number(text)
        allowed = text in self.values if self.values else 0 < len(text) <= LONGEST
        if not allowed or (self.pattern and not re.fullmatch(self.pattern, text)):
            raise self._refusal()
        return text

    @property
    def schema(self) -> dict[str, Any]:
        """The same as a JSON schema."""
        found: dict[str, Any] = {"type": self.kind}
        if self.kind != "string":
            found |= {"minimum": self.low, "maximum": self.high}
        elif self.values:
            found["enum"] = list(self.values)
        else:
            found |= {"minLength": 1, "maxLength": LONGEST}
        if self.pattern:
            found["pattern"] = f"^(?:{self.pattern})$"
        return found | ({"default": self.default} if self.default is not None else {})

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        if self.kind != "string":
            whole = "a whole number" if self.kind == "integer" else "a number"
            return f"{whole} from {self.low:.0f} to {self.high:.0f}"
        if self.values:
            return " or ".join([", ".join(self.values[:-1]), self.values[-1]] if self.values[1:] else self.values)
        return f"a text of at most {LONGEST} characters" + (f" that matches {self.pattern}" if self.pattern else "")

    def _number(self, text: str) -> float:
        form = r"[0-9]{1,15}" if self.kind == "integer" else r"[0-9]{1,15}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?"
        if not re.fullmatch(form, text, re.ASCII) or not self.low <= float(text) <= self.high:
            raise self._refusal()
        return int(text) if self.kind == "integer" else float(text)

    def _refusal(self) -> Problem:
        return Problem(HTTPStatus.BAD_REQUEST, f"the parameter {self.name} is {self.allowed}")


FORMAT = Parameter("format", "the form of the answer; without it the Accept header decides", values=("json", "text"))
FORMAT_OR_JUNIT = replace(FORMAT, values=("json", "text", "junit"))


@dataclass(frozen=True)
class Route:
    """One path of the API. `record` makes what is answered, of the type `returns`, from the values of the parameters.

    In `path` a part in braces is a parameter: `/api/v1/nodes/{name}`. `refusals`: by status, why a request may fail,
    beside those of every route.
    """

    path: str
    help: str
    returns: Any
    record: Callable[[Any, Values], Any]  # of what the application knows
    parameters: tuple[Parameter, ...] = ()
    text: Callable[[Any], str] | None = None
    junit: Callable[[Any, Values, Any], str] | None = None  # of the same and the record; needs a text
    tagged: bool = False  # whether the answer has an ETag
    parts: tuple[Parameter, ...] = ()  # of the path
    kind: str = JSON
    headers: tuple[Parameter, ...] = ()  # of the request; any value is taken
    refusals: Mapping[str, str] = field(default_factory=dict, hash=False)
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        named = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(self.path))
        object.__setattr__(self, "pattern", re.compile(named, re.DOTALL))

    @property
    def endless(self) -> bool:
        """Whether its answer is a `Flow`."""
        return self.kind.startswith("text/event-stream")

    @property
    def query(self) -> tuple[Parameter, ...]:
        """The parameters of the query, `format` among them where there is a text."""
        if self.text is None:
            return self.parameters
        return (*self.parameters, FORMAT if self.junit is None else FORMAT_OR_JUNIT)


def find(routes: Sequence[Route], path: str) -> tuple[Route, dict[str, Any]]:
    """Return the route of `path`, as WSGI has it, and the values of its parts. Raises `Problem`."""
    try:
        decoded = path.encode("latin-1").decode()
    except UnicodeError:
        raise Problem(HTTPStatus.BAD_REQUEST, "the path is not UTF-8") from None
    for route in routes:
        if found := route.pattern.fullmatch(decoded):
            return route, {part.name: part.read(found[part.name]) for part in route.parts}
    raise Problem(HTTPStatus.NOT_FOUND, f"no such path; the paths are /, {', '.join(route.path for route in routes)}")


def read(query: str, known: Sequence[Parameter]) -> dict[str, Any]:
    """Return the values of a query. Raises `Problem` for a parameter that is not `known`, comes twice or is unfit."""
    if len(query) > LONGEST_QUERY:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the query has more than {LONGEST_QUERY} bytes")
    named = {each.name: each for each in known}
    found: dict[str, Any] = {}
    for key, value in _pairs(query):
        if key not in named:
            there = ", ".join(named) or "none"
            raise Problem(HTTPStatus.BAD_REQUEST, f"there is no parameter {key[:SHOWN]!r} here; there is {there}")
        if key in found:
            raise Problem(HTTPStatus.BAD_REQUEST, f"the parameter {key} is given twice")
        found[key] = named[key].read(value)
    for each in known:
        if each.required and each.name not in found:
            raise Problem(HTTPStatus.BAD_REQUEST, f"the parameter {each.name} is missing: {each.help}")
    return {each.name: each.default for each in known} | found


def render(route: Route, record: Any, wants_text: bool) -> Answer | Flow:
    """Return `record` in its form."""
    if isinstance(record, Flow):
        return record
    if wants_text and route.text is not None:
        return Answer(TEXT, route.text(record).encode())
    body = record.body if isinstance(record, Ready) else msgspec.json.encode(record) + b"\n"
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"' if route.tagged else ""
    return Answer(route.kind, body, tag)


class Flow(NamedTuple):
    """An answer that does not end: its type, and its parts as they come."""

    kind: str
    parts: Iterator[bytes]


class Ready(NamedTuple):
    """A record that is JSON already."""

    body: bytes


def is_known(tag: str, known: str) -> bool:
    """Return whether `tag` is in the If-None-Match header `known` (RFC 9110 section 13.1.2)."""
    return bool(tag) and bool(
        {"*", tag.removeprefix("W/")} & {each.strip().removeprefix("W/") for each in known.split(",")}
    )


def takes_gzip(accept: str) -> bool:
    """Return whether the Accept-Encoding header `accept` names gzip and does not rule it out."""
    for each in accept.split(","):
        name, _, quality = each.partition(";")
        if name.strip().lower() in ("gzip", "x-gzip"):
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", quality, re.IGNORECASE)
    return False


def wants_text(form: str | None, accept: str) -> bool:
    """Return whether text is asked for: by the parameter, or in the Accept header before JSON and before anything."""
    if form:
        return form == "text"
    for each in accept.split(","):
        kind = each.partition(";")[0].strip().lower()
        if kind in ("text/plain", "text/*"):
            return True
        if kind in (JSON, "application/*", "*/*"):
            return False
    return False


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeError:
        raise Problem(HTTPStatus.BAD_REQUEST, "the query is not UTF-8") from None
