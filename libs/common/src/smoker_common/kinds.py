"""The kinds of values that a setting, an option or an argument takes: each converts a text, or says what is allowed.

port("8080") == 8080
port("eighty")  # InvalidValue: a whole number from 1 to 65535
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from smoker_common import host as hosts


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
