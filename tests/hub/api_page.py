"""Make docs/api.md from the document of the API: `python -m tests.hub.api_page --write`; a test compares the two."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smoker_hub.web import openapi
from smoker_hub.web.routes import ROUTES

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
HEAD = """\
# The API of the hub

Made by `python -m tests.hub.api_page --write` from the types of the hub; `/openapi.json` says the same for programs,
and [hub.md](hub.md) with examples. Everything is a GET. Instants are seconds since the epoch, durations seconds.
"""


def page() -> str:
    """Return the page."""
    document = openapi.describe(ROUTES)
    lines = [HEAD, *_routes(document), "", "## Records", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += _record(name, schema)
    return "\n".join(lines).rstrip() + "\n"


def _routes(document: dict[str, Any]) -> Iterator[str]:
    for path, item in document["paths"].items():
        operation = item["get"]
        content = operation["responses"]["200"]["content"]
        forms = [form.partition(";")[0] for form in content]
        about = operation["summary"][:1].upper() + operation["summary"][1:]
        record = _type(next(iter(content.values()))["schema"])
        yield f"\n## `{path}`\n\n{about}. {' or '.join(forms)}: {record}.\n"
        if operation["parameters"]:
            yield "| parameter | | |\n|---|---|---|"
        for each in operation["parameters"]:
            where = "" if each["in"] == "query" else f" ({each['in']})"
            needed = (
                "needed"
                if each["required"]
                else f"`{each['schema']['default']}`"
                if "default" in each["schema"]
                else ""
            )
            yield f"| `{each['name']}`{where} | {each['description']}; {_allowed(each['schema'])} | {needed} |"


def _allowed(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "minimum" in schema:
        whole = "a whole number" if schema["type"] == "integer" else "a number"
        return f"{whole} from {schema['minimum']:.0f} to {schema['maximum']:.0f}"
    return "text"


def _record(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    if text := schema.get("description"):
        yield "\n".join(line.strip() for line in text.splitlines()) + "\n"
    if schema.get("type") == "object" and schema.get("properties"):
        yield "| field | type |\n|---|---|"
        yield from (f"| `{field}` | {_type(of)} |" for field, of in schema["properties"].items())
    yield ""


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" if value else "empty" for value in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema['items'])}" if schema.get("items") else "list"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"map to {_type(values)}" if isinstance(values, dict) else "object"
    return str(kind)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
    else:
        sys.stdout.write(page())
