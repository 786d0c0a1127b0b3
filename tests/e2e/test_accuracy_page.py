"""Where the tables of `make e2e-accuracy` go; it needs no cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.accuracy.page import BEGIN, END, PAGE, publish


def test_a_table_replaces_the_one_of_its_title(tmp_path: Path) -> None:
    """Tables of other titles, and the text around them all, stay as they are."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    publish(page, "fast", "| a |\n\n1 of 2 right")
    publish(page, "default", "| b |")
    publish(page, "fast", "| c |")
    assert page.read_text() == f"before\n{BEGIN}\n\n### fast\n\n| c |\n\n### default\n\n| b |\n\n{END}\nafter\n"


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    """The error names both lines."""
    page = tmp_path / "page.md"
    page.write_text("text\n")
    with pytest.raises(SystemExit, match=r"has no place for the tables: it needs a line .*begin --> and a line .*end"):
        publish(page, "fast", "| a |")


def test_the_document_has_the_place() -> None:
    """docs/accuracy.md has both marks."""
    text = PAGE.read_text()
    assert text.index(BEGIN) < text.index(END)
