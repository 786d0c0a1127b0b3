"""The attributes of the resource that two variables of OpenTelemetry give.

OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=prod,team=net%2Cops   # percent-encoded, as in W3C Baggage
OTEL_SERVICE_NAME=smoker-eu                                                # wins over service.name
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from smoker_hub.otlp.variables import ATTRIBUTES, SERVICE_NAME, given

MOST = 128  # attributes, as many as an SDK keeps by default
LONGEST_KEY, LONGEST_VALUE = 255, 1_024  # characters
STRAY = re.compile("%(?![0-9A-Fa-f]{2})")  # a percent sign that encodes nothing


def read(environ: Mapping[str, str], mistakes: list[str]) -> dict[str, str]:
    """Return the attributes, and append a sentence for each mistake. No text is repeated: it may be a secret."""
    found: dict[str, str] = {}
    entries = given(environ, ATTRIBUTES).split(",")
    if len(entries) > MOST:
        mistakes.append(f"{ATTRIBUTES} has {len(entries)} entries, but may have at most {MOST}")
        entries = []
    for number, entry in enumerate(entries, 1):
        if not entry.strip():  # W3C Baggage allows empty entries
            continue
        try:
            key, value = _entry(entry)
            found[key] = value
        except ValueError as error:
            mistakes.append(f"{ATTRIBUTES}: entry {number} {error}")
    name = given(environ, SERVICE_NAME)
    if len(name) > LONGEST_VALUE or not name.isprintable():
        mistakes.append(f"{SERVICE_NAME} is not a text of at most {LONGEST_VALUE} printable characters")
    elif name:
        found["service.name"] = name
    elif not found.get("service.name"):
        found.pop("service.name", None)  # a resource always has a service's name
    return found


def _entry(text: str) -> tuple[str, str]:
    """Return the key and the value of an entry, decoded. Raises ValueError."""
    before, equals, after = text.partition("=")
    if not equals:
        raise ValueError("is not KEY=VALUE")
    if STRAY.search(text):
        raise ValueError("has a % that is not followed by two hexadecimal digits; a % itself is %25")
    try:
        key, value = (unquote(each.strip(), errors="strict") for each in (before, after))
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 once it is decoded") from None
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise ValueError(f"needs a key of 1 to {LONGEST_KEY} printable characters")
    if len(value) > LONGEST_VALUE or not value.isprintable():
        raise ValueError(f"needs a value of at most {LONGEST_VALUE} printable characters")
    return key, value
