"""A YAML text as a tree of nodes that know their lines, within limits of size, depth and number.

PyYAML gives the tree; what it would construct of it is not used: it takes a key twice without a word, reads `on` as
true and `12:30:00` as a number. Here a scalar is its text.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import yaml

LARGEST = 256 * 1024  # bytes of a file: a thousand targets with options of their own
DEEPEST = 16  # collections inside each other
MOST = 50_000  # nodes, with those that an alias repeats
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads ten times as fast
_TAG = "tag:yaml.org,2002:"

_PLAIN = {
    f"{_TAG}{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "value", "merge")
}

Node = yaml.Node


class Mistake(NamedTuple):
    """What is wrong in a line of a file. Line 0: in the file as a whole."""

    line: int
    text: str

    def of(self, name: str) -> str:
        """Return the mistake with the name of its file."""
        return f"{name}:{self.line}: {self.text}" if self.line else f"{name}: {self.text}"


def compose(content: bytes) -> tuple[Node | None, list[Mistake]]:
    """Return the root of the document in `content`, None where it is empty or wrong, and what is wrong with it."""
    if len(content) > LARGEST:
        return None, [Mistake(0, f"it has {len(content)} bytes; the limit is {LARGEST}")]
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return None, [Mistake(content.count(b"\n", 0, error.start) + 1, "a byte that is not UTF-8")]
    try:
        mistake = _bounded(text)
        if mistake is not None:
            return None, [mistake]
        root: Node | None = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        return None, [_syntax(error)]
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return None, [Mistake(line, "a character that YAML does not allow")]
    except yaml.YAMLError as error:  # pragma: no cover  the two above are all that PyYAML raises
        return None, [Mistake(0, f"not YAML: {error}")]
    return root, []


def _bounded(text: str) -> Mistake | None:
    """Return what exceeds a limit. It looks at events, which need no recursion, before a tree is made of them."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            return Mistake(_line(event.start_mark), f"more than {DEEPEST} lists and maps inside each other")
        if count > MOST:
            return Mistake(_line(event.start_mark), f"more than {MOST} values")
    return None


def _syntax(error: yaml.MarkedYAMLError) -> Mistake:
    what = ", ".join(filter(None, (error.context, error.problem))) or "no YAML"
    return Mistake(_line(error.problem_mark or error.context_mark), f"not YAML: {what}")


def _line(mark: Any) -> int:
    return 0 if mark is None else int(mark.line) + 1


def line_of(node: Node) -> int:
    """Return the line in which `node` begins, from 1."""
    return _line(node.start_mark)


def is_null(node: Node) -> bool:
    """Return whether nothing stands there: an empty value, `null` or `~`."""
    return isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}null"


def plain(node: Node) -> bool:
    """Return whether `node` has no tag but those of the types that YAML and JSON share, and of dates."""
    return node.tag in _PLAIN
