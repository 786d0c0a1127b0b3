"""Kinds of option values that probes share."""

from __future__ import annotations

import re

from smoker_common import kinds
from smoker_common.kinds import Kind

LONGEST = 4096  # characters of a path
host = kinds.host
_PROTOCOL = re.compile(r"[-\w./+]{1,32}", re.ASCII)
MOST_PROTOCOLS = 8


def _file(text: str) -> str:
    if not text or len(text) > LONGEST or not text.isprintable():
        raise ValueError(text)
    return text


def _protocols(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(filter(None, re.split(r"[,\s]+", text))))
    if not found or len(found) > MOST_PROTOCOLS or not all(map(_PROTOCOL.fullmatch, found)):
        raise ValueError(text)
    return found


def _switch(text: str) -> bool:
    words = {"true": True, "false": False}
    if text.casefold() not in words:
        raise ValueError(text)
    return words[text.casefold()]


file = Kind(
    "the path of a file",
    _file,
    {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": r"^[^\x00-\x1f\x7f]*$"},
)
switch = Kind("true or false", _switch, {"type": "boolean"})
protocol_schema = {"type": "string", "pattern": "^[-A-Za-z0-9_./+]{1,32}$"}
protocols = Kind(
    f"a comma- or space-separated list of at most {MOST_PROTOCOLS} protocols, such as h2,http/1.1",
    _protocols,
    {"type": "array", "minItems": 1, "maxItems": MOST_PROTOCOLS, "items": protocol_schema},
)
