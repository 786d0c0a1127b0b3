"""The setting NOTIFY: a JSON list of receivers. Every mistake in it is named, all in one sentence.

[{"type": "webhook", "url": "https://hooks.example/smoker", "minSeverity": "critical"}]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from smoker_common.kinds import InvalidValue, Kind
from smoker_hub.notify.receiver import DEFAULT_SEVERITY, SEVERITIES, Options, Source
from smoker_hub.notify.types import NOTIFIERS
from smoker_hub.post import is_url

MOST = 20  # receivers
LONGEST = 100_000  # characters of the setting
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
RESERVED = ("alertname", "scope", "layer", "kind", "severity", "cluster", "finding")
OF_ALL = frozenset({"type", "name", "url", "urlFile", "minSeverity", "caFile", "authorizationFile"})
FILES = ("urlFile", "caFile", "authorizationFile", "signingKeyFile")


class _Receivers(Kind):
    """A kind whose complaint has every mistake."""

    def __call__(self, text: str) -> tuple[Options, ...]:
        """Return the receivers of `text`. Raises `InvalidValue` with all mistakes."""
        entries, mistakes = _entries(text)
        names = _names(entries)
        for index, entry in enumerate(entries):
            mistakes += [f"entry {index + 1} {each}" for each in _mistakes(entry)]
        mistakes += [f"two entries have the name {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
        if mistakes:
            raise InvalidValue(f"{self.allowed}: {'; '.join(mistakes)}")
        return tuple(_options(entry, name) for entry, name in zip(entries, names, strict=True))


def _entries(text: str) -> tuple[list[Mapping[str, Any]], list[str]]:
    """Return the objects of a JSON list, and what is wrong with the list."""
    if len(text) > LONGEST:
        return [], [f"it has more than {LONGEST} characters"]
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        return [], [f"it is not JSON ({error})"]
    if not isinstance(found, list):
        return [], ["it is not a list"]
    if len(found) > MOST:
        return [], [f"it has more than {MOST} entries"]
    wrong = [f"entry {index + 1} is not an object" for index, each in enumerate(found) if not isinstance(each, dict)]
    return [each for each in found if isinstance(each, dict)], wrong


def _names(entries: list[Mapping[str, Any]]) -> list[str]:
    """Return the name of each entry: its own, or its type with a number for the second and later ones."""
    found: list[str] = []
    for entry in entries:
        kind, before = str(entry.get("type", "")), [str(each.get("type", "")) for each in entries[: len(found)]]
        number = before.count(kind) + 1
        found.append(str(entry.get("name") or (kind if number == 1 else f"{kind}-{number}")))
    return found


def _mistakes(entry: Mapping[str, Any]) -> Iterator[str]:
    kind = entry.get("type", "")
    if not isinstance(kind, str) or kind not in NOTIFIERS:
        yield f"has the type {kind!r}, which is none of {', '.join(NOTIFIERS)}"
        return
    takes = OF_ALL | NOTIFIERS[kind].takes
    for key in sorted(entry.keys() - takes):
        yield f"has {key[:60]!r}, which a receiver of the type {kind} does not take"
    for key in sorted(entry.keys() & takes - {"labels"}):
        if not isinstance(entry[key], str):
            yield f"has a {key} that is not a string"
    name = entry.get("name", "")
    if name and not (isinstance(name, str) and NAME.fullmatch(name)):
        yield "has a name that is not of at most 63 letters, digits, '.', '_' and '-'"
    yield from _mistakes_of_url(entry)
    if entry.get("minSeverity", DEFAULT_SEVERITY) not in SEVERITIES:
        yield f"has a minSeverity that is none of {', '.join(SEVERITIES)}"
    yield from _mistakes_of_labels(entry.get("labels", {}))


def _mistakes_of_url(entry: Mapping[str, Any]) -> Iterator[str]:
    """A URL may be a secret, so it is not repeated."""
    url, file = entry.get("url", ""), entry.get("urlFile", "")
    if bool(url) == bool(file):
        yield "has both url and urlFile" if url else "has no url"
    elif url and isinstance(url, str) and not is_url(url):
        yield "has a url that is not http:// or https:// with a host, without a user"


def _mistakes_of_labels(labels: Any) -> Iterator[str]:
    if not isinstance(labels, dict):
        yield "has labels that are not an object"
        return
    for name, value in labels.items():
        if not LABEL.fullmatch(name) or not isinstance(value, str):
            yield f"has the label {name[:60]!r}, which is not a text by a name of letters, digits and '_'"
        elif name in RESERVED:
            yield f"has the label {name}, which the hub sets itself"


def _options(entry: Mapping[str, Any], name: str) -> Options:
    return Options(
        type=entry["type"],
        name=name,
        url=Source(entry.get("url", ""), entry.get("urlFile", "")),
        min_severity=entry.get("minSeverity", DEFAULT_SEVERITY),
        ca_file=entry.get("caFile", ""),
        authorization=Source(file=entry.get("authorizationFile", "")),
        signing_key=Source(file=entry.get("signingKeyFile", "")),
        labels=entry.get("labels", {}),
    )


receivers = _Receivers("a JSON list of receivers", lambda _: ())
