"""The tables of `make e2e-accuracy` in docs/accuracy.md: one for each title, between two marks."""

from __future__ import annotations

import re
from pathlib import Path

from tests.marked import inside, put_inside

PAGE = Path(__file__).parents[3] / "docs" / "accuracy.md"
BEGIN, END = "<!-- tables of e2e-accuracy: begin -->", "<!-- tables of e2e-accuracy: end -->"


def publish(page: Path, title: str, table: str) -> None:
    """Put `table` under `title` between the two marks of `page`, in place of the one that has this title."""
    tables = inside(page, BEGIN, END)
    parts = dict(re.findall(r"^### (.+?)\n\n(.*?)(?=^### |\Z)", tables, re.MULTILINE | re.DOTALL))
    parts[title] = f"{table}\n\n"
    put_inside(page, BEGIN, END, "".join(f"### {name}\n\n{part}" for name, part in parts.items()).rstrip("\n"))
