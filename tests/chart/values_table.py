"""Make the copies of values.yaml: the table in the chart's README, defaults.yaml, descriptions in values.schema.json.

Run as a script it prints the table; with --write it writes all three.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[2] / "charts" / "smoker"
BEGIN, END = "<!-- values: begin -->\n", "<!-- values: end -->\n"
MARK = "# -- "
WIDTH = 140


@dataclass(frozen=True)
class Row:
    """One value: its dotted key, default and description."""

    key: str
    default: Any
    text: str


def rows(source: str) -> list[Row]:
    """Return a row for every key under a `# --` comment; keys below such a key are part of its default."""
    root = yaml.compose(source, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise TypeError("values.yaml is not a map")
    return list(_rows(root, source.splitlines(), ""))


def _rows(node: yaml.MappingNode, lines: list[str], prefix: str) -> Iterator[Row]:
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        text = _comment(lines, key.start_mark.line, key.start_mark.column)
        if text:
            yield Row(name, yaml.SafeLoader("").construct_object(value, deep=True), text)
        elif isinstance(value, yaml.MappingNode):
            yield from _rows(value, lines, f"{name}.")
        else:
            raise ValueError(f"values.yaml: {name} has no comment that begins with {MARK.strip()!r}")


def _comment(lines: list[str], line: int, column: int) -> str:
    """Return the `# --` comment directly above a line, at the same indentation; further comment lines may follow."""
    text: list[str] = []
    for above in reversed(lines[:line]):
        if not above.startswith(" " * column + "#"):
            break
        text.insert(0, above.strip().removeprefix("#").strip())
        if above.strip().startswith(MARK):
            return " ".join(text).removeprefix("-- ")
    return ""


def table(found: list[Row]) -> str:
    """Return the rows in Markdown."""
    lines = ["| key | default | what it is |", "|---|---|---|"]
    for row in found:
        default = json.dumps(row.default, ensure_ascii=False).replace("|", "\\|")
        lines.append(f"| `{row.key}` | `{default}` | {row.text.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def defaults(found: list[Row]) -> str:
    """Return defaults.yaml: each value's default under its dotted key, for templates, which cannot read values.yaml."""
    own = [row for row in found if row.key != "global"]  # another chart's values: nothing here reads or checks them
    lines = [f"{row.key}: {json.dumps(row.default, ensure_ascii=False)}" for row in own]
    head = "# Made from values.yaml by `python tests/chart/values_table.py --write`; templates/_complete.tpl reads it."
    return "\n".join([head, *lines]) + "\n"


def with_table(page: str, made: str, begin: str = BEGIN, end: str = END) -> str:
    """Return a page with the text between two marks replaced."""
    head, first, rest = page.partition(begin)
    _, last, tail = rest.partition(end)
    if not (first and last):
        raise ValueError(f"README.md or another page lacks {begin.strip()} or {end.strip()}")
    return head + begin + made + end + tail


def described(schema: str, found: list[Row]) -> str:
    """Return the schema with the description of each value; a level that groups share becomes a copy in each."""
    root = json.loads(schema)
    for row in found:
        node = root
        *levels, name = row.key.split(".")
        for level in levels:
            node = _own_level(root, node["properties"], level)
        entry = node["properties"][name]
        node["properties"][name] = {"description": row.text} | {k: v for k, v in entry.items() if k != "description"}
    return compact(root) + "\n"


def _own_level(root: dict[str, Any], properties: dict[str, Any], level: str) -> dict[str, Any]:
    reference = properties[level].get("$ref")
    if reference:
        properties[level] = copy.deepcopy(root["definitions"][reference.rpartition("/")[2]])
    return dict(properties[level])


def compact(node: Any, indent: str = "", before: int = 0) -> str:
    """Return JSON with each map and list on one line where it fits; `before` is the width of its key."""
    line = json.dumps(node)  # ASCII: a pattern has characters that nobody could see
    if not isinstance(node, dict | list) or len(indent) + before + len(line) < WIDTH:
        return line
    deeper = indent + "  "
    if isinstance(node, list):
        return "[\n" + ",\n".join(deeper + compact(one, deeper) for one in node) + f"\n{indent}]"
    keys = {json.dumps(key) + ": ": value for key, value in node.items()}
    lines = [deeper + key + compact(value, deeper, len(key)) for key, value in keys.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def main(*arguments: str) -> None:
    found = rows((CHART / "values.yaml").read_text())
    made = table(found)
    if arguments == ("--write",):
        readme = CHART / "README.md"
        readme.write_text(with_table(readme.read_text(), made))
        (CHART / "defaults.yaml").write_text(defaults(found))
        schema = CHART / "values.schema.json"
        schema.write_text(described(schema.read_text(), found))
    elif not arguments:
        print(made, end="")
    else:
        sys.exit(f"usage: {Path(__file__).name} [--write]")


if __name__ == "__main__":
    main(*sys.argv[1:])
