"""Declare each option of a probe once: a dataclass field with its default, check and help text.

    @dataclass(frozen=True)
    class Options:
        min_version: str = option("1.2", one_of("1.2", "1.3"), "the oldest version of TLS")
        expect: Expect = option(Expect(), Expect, "what the answer must have")

Its key in a file is the field's name in camelCase. The key of a nested option has that of its parent before it and a
dot between them: `minVersion`, `expect.status`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from smoker_common.kinds import InvalidValue, Kind

O = TypeVar("O")  # noqa: E741  the options of a probe
MOST = 64  # parameters of a URL


@dataclass(frozen=True)
class Option:
    """The declaration of one option. `kind` is the dataclass itself where the option is a group of options."""

    kind: Kind | type
    help: str


def option(default: Any, kind: Kind | type, help: str) -> Any:
    """Declare a field. `default` is a value, not its text."""
    return dataclasses.field(default=default, metadata={"option": Option(kind, help)})


@dataclass(frozen=True)
class NoOptions:
    """The options of a probe that has none."""


@dataclass(frozen=True)
class Url:
    """A URL that names a target. `query` is None without a question mark, `port` and `path` as they were written."""

    scheme: str
    host: str
    port: int | None = None
    path: str | None = None
    query: str | None = None

    @property
    def page(self) -> str:
        """Return the path with its query, as it is sent. Raises ValueError for a query without a path."""
        if self.path is None and self.query is not None:
            raise ValueError("a query needs a path before it")
        return f"{self.path or '/'}{'' if self.query is None else f'?{self.query}'}"


class Declared(NamedTuple):
    """One option that has a value of its own: its key, the fields that lead to it, its kind, default and help text."""

    key: str
    fields: tuple[str, ...]
    kind: Kind
    default: Any
    help: str


def key_of(field: str) -> str:
    """Return a field's name in camelCase."""
    first, *others = field.split("_")
    return first + "".join(word.capitalize() for word in others)


def declared(cls: type, before: tuple[str, ...] = ()) -> Iterator[Declared]:
    """Yield every option of `cls`, those of its groups in their place."""
    for field in dataclasses.fields(cls):
        found: Option | None = field.metadata.get("option")
        if found is None:  # no option: what a URL's scheme says, for example
            continue
        fields = (*before, field.name)
        if isinstance(found.kind, Kind):
            yield Declared(".".join(map(key_of, fields)), fields, found.kind, field.default, found.help)
        else:
            yield from declared(found.kind, fields)


def of_texts(cls: type[O], texts: Mapping[str, str]) -> O:
    """Return the options that `texts` say, by key; others keep their defaults. Raises ValueError with all mistakes."""
    known = {each.key: each for each in declared(cls)}
    values: dict[tuple[str, ...], Any] = {}
    wrong = []
    for key, text in texts.items():
        if key not in known:
            wrong.append(f"{key} is none of {', '.join(known)}" if known else f"{key}: there are no options")
            continue
        try:
            values[known[key].fields] = known[key].kind(text)
        except InvalidValue as unfit:
            wrong.append(f"{key}={text[:MOST]!r} is not {unfit}")
    if wrong:
        raise ValueError("; ".join(wrong))
    made = cls()
    for fields, value in values.items():
        made = _replaced(made, fields, value)
    return made


def _replaced(options: O, fields: tuple[str, ...], value: Any) -> O:
    """Return `options` with another value at the end of `fields`."""
    first, *others = fields
    if others:
        value = _replaced(getattr(options, first), tuple(others), value)
    changed: O = dataclasses.replace(options, **{first: value})  # type: ignore[type-var]
    return changed


def of_query(cls: type[O], query: str | None) -> O | None:
    """Return the options in a URL's query, `key=value&…`; None without a query. Raises ValueError with all mistakes."""
    if query is None:
        return None
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=MOST)
    texts = dict(pairs)
    if not pairs or len(texts) < len(pairs):
        raise ValueError("no option after the question mark, or one that is given twice")
    return of_texts(cls, texts)
