"""Declare each setting once: a dataclass field with its environment variable, default, check and help text.

    @dataclass(frozen=True)
    class Settings(ServiceSettings):
        tcp_port: int = setting("TCP_PORT", 8080, port, "the port the echo listens on", listen="tcp")

`parse` reads the settings from an environment and reports every mistake, so that a user can correct all at once.
An empty variable counts as unset, because a template leaves one for a value that is not given.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from smoker_common import host as hosts

Transport = Literal["tcp", "udp"]


class InvalidValue(ValueError):
    """The text is not a valid value. The message says what is allowed."""


def _text_schema() -> dict[str, Any]:
    return {"type": "string"}


@dataclass(frozen=True)
class Kind:
    """Converts a variable's text to a value. `allowed` describes the valid values for a person.

    `schema` describes them as JSON Schema, for the same setting in a file.
    """

    allowed: str
    convert: Callable[[str], Any]
    schema: Mapping[str, Any] = dataclasses.field(default_factory=_text_schema, compare=False)

    def __call__(self, text: str) -> Any:
        """Return the value of `text`. Raises `InvalidValue` with what is allowed."""
        try:
            return self.convert(text)
        except ValueError as error:
            raise InvalidValue(self.allowed) from error


class _HostKind(Kind):
    """A kind whose error also says why the text is not a host."""

    def __call__(self, text: str) -> Any:
        """Return the value of `text`. Raises `InvalidValue` with what is allowed and why `text` is not."""
        try:
            return self.convert(text)
        except hosts.InvalidHost as why:
            raise InvalidValue(f"{self.allowed}: {why}") from why


def _within(convert: Callable[[str], Any], low: float, high: float) -> Callable[[str], Any]:
    def convert_within(text: str) -> Any:
        value = convert(text)
        if not (low <= value <= high and math.isfinite(value)):
            raise ValueError(text)
        return value

    return convert_within


def one_of(*words: str) -> Kind:
    """Return the kind that accepts one of `words`, in upper or lower case."""

    def convert(text: str) -> str:
        if text.casefold() not in lookup:
            raise ValueError(text)
        return lookup[text.casefold()]

    lookup = {word.casefold(): word for word in words}
    return Kind("one of " + ", ".join(words), convert, {"type": "string", "enum": list(words)})


def some_of(*words: str) -> Kind:
    """Return the kind that accepts one or more of `words`. Its value is a tuple in the order of `words`."""

    def convert(text: str) -> tuple[str, ...]:
        found = {word.casefold() for word in re.split(r"[,\s]+", text) if word}
        if not found or found - lookup:
            raise ValueError(text)
        return tuple(word for word in words if word.casefold() in found)

    lookup = {word.casefold() for word in words}
    schema = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(words)}}
    return Kind("a comma- or space-separated list of " + ", ".join(words), convert, schema)


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit()):  # int() would take "1_000", "+5" and digits of other scripts
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", text, re.ASCII):  # float() would take "1_0", "nan" and "1e3"
        raise ValueError(text)
    return float(text)


def _name(text: str) -> str:
    if not text or not text.isprintable() or any(c.isspace() for c in text) or len(text) > 253:
        raise ValueError(text)
    return text


def _path(text: str) -> str:
    if not text or not text.isprintable() or len(text) > 4096:
        raise ValueError(text)
    return text


def whole(low: int, high: int, unit: str = "") -> Kind:
    """Return the kind that accepts a whole number from `low` to `high`."""
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Kind(f"a whole number from {low} to {high}{unit and ' ' + unit}", _within(_decimal, low, high), schema)


def seconds(low: float, high: float) -> Kind:
    """Return the kind that accepts a number of seconds from `low` to `high`, with fractions."""
    schema = {"type": "number", "minimum": low, "maximum": high}
    return Kind(f"a number of seconds from {low:g} to {high:g}", _within(_number, low, high), schema)


UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}  # of a duration, in seconds
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|[smhd])?", re.ASCII)


def _duration(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    number, unit = float(match[1]), match[2] or "s"
    return number / 1000 if unit == "ms" else number * UNITS[unit]  # 500 * 0.001 is not 0.5


def duration_text(seconds: float) -> str:
    """Return a duration with the largest unit in which it is a whole number."""
    for unit in ("d", "h", "m", "s"):
        if seconds and seconds % UNITS[unit] == 0:
            return f"{seconds / UNITS[unit]:.0f}{unit}"
    return f"{seconds * 1000:.12g}ms" if seconds else "0s"


def duration(low: float, high: float) -> Kind:
    """Return the kind that accepts a duration from `low` to `high` seconds, with or without a unit."""
    limits = f"from {duration_text(low)} to {duration_text(high)}"
    schema = {
        "anyOf": [
            {"type": "number", "minimum": low, "maximum": high},
            {"type": "string", "pattern": r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)(ms|s|m|h|d)?$"},
        ]
    }
    return Kind(
        f"a duration {limits}, such as 500ms, 30s or 5m (a bare number is seconds)",
        _within(_duration, low, high),
        schema,
    )


def _ports(text: str) -> tuple[int, ...]:
    return tuple(sorted({port(word) for word in re.split(r"[,\s]+", text) if word}))


def _addresses(text: str) -> tuple[str, ...]:
    found = dict.fromkeys(hosts.address(word) for word in re.split(r"[,\s]+", text) if word)
    if not found:
        raise hosts.InvalidHost("it names none")
    return tuple(found)


file_path = Kind("the path of a file", _path)
port = whole(1, 65535)
port_or_none = whole(0, 65535)
ports = Kind(
    "a comma- or space-separated list of whole numbers from 1 to 65535",
    _ports,
    {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}},
)
level = one_of("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL")
log_format = one_of("text", "json")
name = Kind(
    "a name or an address without spaces, of at most 253 characters",
    _name,
    {"type": "string", "maxLength": 253, "pattern": r"^\S+$"},
)
host = _HostKind("a host, which is a name, an IPv4 or an IPv6 address, without scheme, port and path", hosts.host)
host_and_port = _HostKind(
    "HOST:PORT, where HOST is a name, an IPv4 or, in brackets, an IPv6 address", hosts.host_and_port
)
address = _HostKind("an IPv4 or IPv6 address, a link-local one with its interface", hosts.address)

addresses = _HostKind(
    "a comma- or space-separated list of IPv4 or IPv6 addresses, a link-local one with its interface", _addresses
)


@dataclass(frozen=True)
class Declaration:
    """The declaration of one setting. `setting` stores it in the field's metadata."""

    variable: str
    kind: Kind
    help: str
    listen: Transport | None = None


def setting(variable: str, default: Any, kind: Kind, help: str, *, listen: Transport | None = None) -> Any:
    """Declare a field. A callable `default` is called for each parse.

    `listen`: the service opens this port itself, unless it is 0.
    """
    metadata = {"declaration": Declaration(variable, kind, help, listen)}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def declaration(field: dataclasses.Field[Any]) -> Declaration:
    """Return the declaration of a settings field."""
    found: Declaration = field.metadata["declaration"]
    return found


@dataclass(frozen=True)
class ServiceSettings:
    """The settings of every service."""

    log_level: str = setting("LOG_LEVEL", "INFO", level, "the lowest level to log")
    log_format: str = setting("LOG_FORMAT", "text", log_format, "text, or json: one flat object per line")
    listen_addresses: tuple[str, ...] = setting(
        "LISTEN_ADDRESS", (), addresses, "the addresses to listen on; unset: all, IPv4 and IPv6"
    )
    admin_port: int = setting("ADMIN_PORT", 9464, port, "the port of /livez, /readyz and /metrics", listen="tcp")
    linger: float = setting(
        "LINGER",
        0.0,
        seconds(0, 3600),
        "how long the service keeps answering after SIGTERM, while it is no longer ready",
    )


#: Help texts that services share. Each service has its own defaults, which fit its memory limit.
MAX_CONNECTIONS = "most open connections on each echo port; a new one beyond the limit is closed"
MAX_CONNECTIONS_PER_CLIENT = "most open connections from one client address"


@dataclass(frozen=True)
class EchoSettings(ServiceSettings):
    """The settings of every echo service."""

    log_rate: int = setting(
        "LOG_RATE", 20, whole(0, 100_000), "requests logged per second; one line summarizes the rest"
    )


S = TypeVar("S", bound=ServiceSettings)


class Problem(str):
    """A message about a mistake, and the variable that has it."""

    variable: str

    def __new__(cls, variable: str, words: str) -> Problem:
        problem = super().__new__(cls, f"{variable}{words}")
        problem.variable = variable
        return problem


def parse(cls: type[S], environ: Mapping[str, str]) -> tuple[S, list[Problem]]:
    """Return the settings, and a message for each invalid variable. Its field keeps the default."""
    values, problems = {}, []
    for field in dataclasses.fields(cls):
        declared = declaration(field)
        value, problem = read_variable(declared.variable, declared.kind, environ)
        if problem is not None:
            problems.append(problem)
        elif value is not UNSET:
            values[field.name] = value
    return cls(**values), problems


#: Stands for the value of a variable that is unset or wrong.
UNSET: Any = object()


def read_variable(variable: str, kind: Kind, environ: Mapping[str, str]) -> tuple[Any, Problem | None]:
    """Return the variable's value, or `UNSET`, and what is wrong with it, if anything."""
    text = environ.get(variable, "").strip()
    if not text:
        return UNSET, None
    try:
        return kind(text), None
    except InvalidValue as unfit:
        return UNSET, Problem(variable, f"={shown(text)} is not {unfit}{_hint(variable, text)}")


def shown(text: str) -> str:
    """Return `text` in quotes, cut where it is long."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _hint(variable: str, text: str) -> str:
    if variable.endswith("_PORT") and text.startswith(("tcp://", "udp://")):
        return " (a Service of that name sets it: use enableServiceLinks: false)"
    return ""


def describe(cls: type[ServiceSettings]) -> str:
    """Return the help text: name, meaning, allowed values and default of each variable."""
    return describe_variables((declaration(field), _default(field)) for field in dataclasses.fields(cls))


def describe_variables(declared: Iterable[tuple[Declaration, Any]]) -> str:
    """Return the help text of these variables, each with its default."""
    variables, lines = list(declared), []
    width = max((len(each.variable) for each, _ in variables), default=0)
    for each, default in variables:
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        shown = shown if shown or shown == 0 else "unset"
        lines.append(f"  {each.variable:<{width}}  {each.help}\n{'':{width + 4}}{each.kind.allowed}; default: {shown}")
    return "\n".join(lines)


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default is not dataclasses.MISSING else "the host's name"
