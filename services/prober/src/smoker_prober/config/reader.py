"""Reads a tree of YAML nodes by the dataclasses that declare its keys, and collects every mistake with its line.

How deep it goes is the model's depth, not the file's: it never enters a key that it does not know.

A group of keys is a frozen dataclass whose fields are made with `probes.options.option`. A field's kind says what its
key holds: a `Kind` a value or a list of values, a dataclass a group, a `Reads` whatever it reads itself.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol, TypeVar, runtime_checkable

import yaml

from smoker_common.kinds import InvalidValue, Kind
from smoker_common.settings import shown
from smoker_prober.config.document import MOST, Mistake, Node, is_null, line_of, plain
from smoker_prober.probes.options import Option, key_of

G = TypeVar("G")
MISTAKES = 100  # that are listed at most
_FLOAT = re.compile(r"[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]{1,3}", re.ASCII)  # as Helm writes large numbers


@runtime_checkable
class Reads(Protocol):
    """A kind that reads its node itself."""

    def read(self, reader: Reader, node: Node, at: str, before: Mapping[str, Any]) -> Any:
        """Return the value of `node`, or raise `Wrong` after telling the reader why there is none.

        `before` has the values of its group that are declared before it.
        """


class Wrong(Exception):
    """There is no value. The reader knows why."""


class Reader:
    """Collects the mistakes of one document."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._read = 0  # scalars so far, and what stands in their place

    @property
    def full(self) -> bool:
        """Return whether it has read as many values as it may. It reads no more."""
        return self._read > MOST

    def wrong(self, node: Node, at: str, text: str) -> Wrong:
        """Note a mistake at a node, and return what a reader of a value may raise."""
        if len(self.mistakes) < MISTAKES:
            self.mistakes.append(Mistake(line_of(node), f"{at}: {text}" if at else text))
        return Wrong()

    def group(self, group: G, node: Node, at: str = "") -> G:
        """Return `group`, a dataclass, with the values that a map says; what is wrong keeps its value."""
        kinds = {key_of(field.name): (field.name, option.kind) for field, option in options(group)}
        found = dict(self.pairs(node, at, kinds))
        values: dict[str, Any] = {}
        for key, (field, kind) in kinds.items():
            if key not in found:
                continue
            place = f"{at}.{key}" if at else key
            try:
                if isinstance(kind, Reads):
                    values[field] = kind.read(self, found[key], place, values)
                elif isinstance(kind, Kind):
                    values[field] = self.value(kind, found[key], place)
                else:
                    values[field] = self.group(getattr(group, field), found[key], place)
            except Wrong:
                continue
        return dataclasses.replace(group, **values)  # type: ignore[type-var]

    def pairs(self, node: Node, at: str, known: Collection[str]) -> Iterator[tuple[str, Node]]:
        """Yield the keys of a map that are known, not repeated and not empty, with their values."""
        if is_null(node):
            return
        if not isinstance(node, yaml.MappingNode) or not plain(node):
            self.wrong(node, at, f"this must be a map with the keys {_listed(known)}")
            return
        seen: dict[str, int] = {}
        for key, value in node.value:
            if len(self.mistakes) >= MISTAKES:
                return
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name in seen:
                self.wrong(key, at, f"{shown(name)} is given twice, first in line {seen[name]}")
            elif name not in known:
                self.wrong(key, at, f"{shown(name)} is not a key here{_nearest(name, known)}")
            elif not is_null(value):
                yield name, value
            seen.setdefault(name, line_of(key))

    def items(self, node: Node, at: str) -> Iterator[tuple[str, Node]]:
        """Yield the items of a list, each with its place."""
        if is_null(node):
            return
        if not isinstance(node, yaml.SequenceNode) or not plain(node):
            self.wrong(node, at, "this must be a list")
            return
        for number, item in enumerate(node.value):
            yield f"{at}[{number}]", item

    def value(self, kind: Kind, node: Node, at: str) -> Any:
        """Return the value of a scalar or a list of scalars. Raises `Wrong`."""
        if isinstance(node, yaml.SequenceNode) and kind.schema.get("type") == "array":
            text = ",".join(self._items_text(node, at, kind))
        else:
            text = self.text(node, at, kind)
        try:
            return kind(text)
        except InvalidValue as unfit:
            raise self.wrong(node, at, f"{shown(text)} is not {unfit}") from None

    def text(self, node: Node, at: str, kind: Kind) -> str:
        """Return the text of a scalar. Raises `Wrong`."""
        self._count(node, at)
        if not isinstance(node, yaml.ScalarNode):
            found = "a list" if isinstance(node, yaml.SequenceNode) else "a map"
            raise self.wrong(node, at, f"{found} is not {kind.allowed}")
        if not plain(node):
            raise self.wrong(node, at, f"the tag {shown(node.tag)} is not allowed here")
        text: str = node.value.strip()
        return f"{Decimal(text):f}" if _FLOAT.fullmatch(text) else text

    def _items_text(self, node: Node, at: str, kind: Kind) -> Iterator[str]:
        for place, item in self.items(node, at):
            text = self.text(item, place, kind)
            if not text or re.search(r"[,\s]", text):
                raise self.wrong(item, place, f"{shown(text)} is none of {kind.allowed}")
            yield text

    def _count(self, node: Node, at: str) -> None:
        """Count a node that is read: aliases repeat nodes, so that a few lines mean many. Raises `Wrong`."""
        self._read += 1
        if self._read > MOST:
            if self._read == MOST + 1:
                self.wrong(node, at, f"more than {MOST} values, with those that aliases repeat")
            raise Wrong


def options(group: Any) -> Iterator[tuple[dataclasses.Field[Any], Option]]:
    """Yield the fields of a group that are keys of a file."""
    for field in dataclasses.fields(group):
        if "option" in field.metadata:
            yield field, field.metadata["option"]


def _nearest(name: str, known: Collection[str]) -> str:
    found = difflib.get_close_matches(name[:64], known, 1)
    return f"; did you mean {found[0]}?" if found else f"; known are {_listed(known)}"


def _listed(known: Collection[str] | Mapping[str, Any]) -> str:
    return ", ".join(known) or "no keys"
