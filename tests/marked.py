"""The part of a document that a command writes: what stands between two marks, each a line of its own."""

from __future__ import annotations

from pathlib import Path


def inside(page: Path, begin: str, end: str) -> str:
    """Return what stands between the marks of `page`. Raises `SystemExit` if it does not have both."""
    return _parts(page, begin, end)[1]


def put_inside(page: Path, begin: str, end: str, text: str) -> None:
    """Put `text` between the marks of `page`. Raises `SystemExit` if it does not have both."""
    before, _, after = _parts(page, begin, end)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def _parts(page: Path, begin: str, end: str) -> tuple[str, str, str]:
    before, first, rest = page.read_text().partition(begin)
    between, last, after = rest.partition(end)
    if not (first and last):
        raise SystemExit(f"{page} has no place for the tables: it needs a line {begin} and a line {end}")
    return before, between, after
