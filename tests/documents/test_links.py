"""The links of the documents lead to existing files and headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.chart.markdown import anchors
from tests.images.command import ROOT

PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("charts/smoker/*.md"),
    *ROOT.glob("services/*/README.md"),
]
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_to_a_file_and_heading(page: Path) -> None:
    """Each relative link of a page leads to a file, and each anchor to a heading."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target.read_text())):
            broken.append(link)
    assert broken == []


def test_every_document_is_reachable() -> None:
    """From README.md every page of docs/ can be reached by links."""
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(page.read_text()) if not re.match(r"[a-z]+:", link))
        waiting += [(page.parent / link).resolve() for link in links if link]
    assert sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/*.md") if page not in seen) == []
