"""Read the chart's values.schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .render import ROWS
from .values_table import CHART

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node, or the definition that it refers to."""
    reference = node.get("$ref")
    return SCHEMA["definitions"][reference.rpartition("/")[2]] if reference else node


def entry(key: str) -> dict[str, Any]:
    """Return what the schema says of a dotted key, with the description beside a reference."""
    node = SCHEMA
    for step in key.split("."):
        node = resolved(node)["properties"][step]
    return {**resolved(node), **node}


def keys(node: dict[str, Any] = SCHEMA, prefix: str = "") -> Iterator[str]:
    """Return the keys in the schema, down to the end of the chart's own levels."""
    for name, child in node["properties"].items():
        deeper = resolved(child)
        if deeper.get("deprecated"):
            continue
        key = f"{prefix}{name}"
        if key in {row.key for row in ROWS} or "properties" not in deeper:
            yield key
        else:
            yield from keys(deeper, f"{key}.")
