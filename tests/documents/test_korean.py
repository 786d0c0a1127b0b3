"""README.ko.md has the same headings, commands, tables and links as README.md."""

from __future__ import annotations

import re
from collections import Counter

from tests.images.command import ROOT

ENGLISH, KOREAN = ((ROOT / name).read_text() for name in ("README.md", "README.ko.md"))
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
HANGUL = re.compile(r"[가-힣]")


def without_blocks(text: str) -> str:
    return BLOCK.sub("", text)


def headings(text: str) -> list[int]:
    """Return the level of each heading, in order."""
    return [len(marks) for marks in re.findall(r"^(#+) ", without_blocks(text), re.MULTILINE)]


def tables(text: str) -> list[list[list[str]]]:
    """Return the tables: rows of cells."""
    found: list[list[list[str]]] = [[]]
    for line in without_blocks(text).splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def facts(cell: str) -> Counter[str]:
    """Return the parts of a cell that no translation changes: code, links and figures."""
    code = re.findall(r"`[^`]+`", cell)
    links = re.findall(r"\]\(([^)]+)\)", cell)
    return Counter(code + links + re.findall(r"\d[\d,.]*(?: [MG]iB)?", re.sub(r"`[^`]+`|\]\([^)]+\)", "", cell)))


def links(text: str) -> Counter[str]:
    return Counter(re.findall(r"\]\(([^)]+)\)", text)) - Counter(["README.md", "README.ko.md"])


def test_both_pages_have_the_same_sections() -> None:
    """Both have the same sections, in the same order and depth."""
    assert headings(ENGLISH) == headings(KOREAN)
    assert len(headings(ENGLISH)) > 5


def test_commands_and_samples_are_identical() -> None:
    """Commands, samples and drawings are identical."""
    assert BLOCK.findall(ENGLISH) == BLOCK.findall(KOREAN)
    quoted = re.compile(r"^> +(kubectl .*)$", re.MULTILINE)
    assert quoted.findall(ENGLISH) == quoted.findall(KOREAN) != []


def test_tables_have_the_same_cells() -> None:
    """Tables have the same rows and columns, and in each cell the same code, links and figures."""
    for english, korean in zip(tables(ENGLISH), tables(KOREAN), strict=True):
        assert [len(row) for row in english] == [len(row) for row in korean]
        for row, other in zip(english[1:], korean[1:], strict=True):
            assert [facts(cell) for cell in row[1:]] == [facts(cell) for cell in other[1:]]


def test_both_pages_lead_to_the_same_pages() -> None:
    """Both lead to the same pages, as often, and each page is there."""
    assert links(ENGLISH) == links(KOREAN)
    for link in links(ENGLISH):
        if "://" not in link:
            assert (ROOT / link.partition("#")[0]).exists(), link


def test_every_paragraph_is_korean() -> None:
    """Each paragraph of the Korean page is Korean: none is left in English."""
    paragraphs = re.split(r"\n\s*\n", re.sub(r"^>? {4,}.*$|^>$", "", without_blocks(KOREAN), flags=re.MULTILINE))
    for paragraph in paragraphs:
        if len(paragraph) > 40 and not paragraph.startswith(("|", "# ")):
            assert HANGUL.search(paragraph), paragraph
