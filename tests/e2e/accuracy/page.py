"""The tables of `make e2e-accuracy` in docs/accuracy.md: one for each title, between two marks."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "accuracy.md"
BEGIN, END = "<!-- tables of e2e-accuracy: begin -->", "<!-- tables of e2e-accuracy: end -->"


def publish(page: Path, title: str, table: str) -> None:
    """Put `table` under `title` between the two marks of `page`, in place of the one that has this title."""
    before, begin, rest = page.read_text().partition(BEGIN)
    tables, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{page} has no place for the tables: it needs a line {BEGIN} and a line {END}")
    parts = dict(re.findall(r"^### (.+?)\n\n(.*?)(?=^### |\Z)", tables, re.MULTILINE | re.DOTALL))
    parts[title] = f"{table}\n\n"
    text = "".join(f"### {name}\n\n{part}" for name, part in parts.items())
    page.write_text(f"{before}{BEGIN}\n\n{text}{END}{after}")
