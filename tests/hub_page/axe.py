"""What axe-core finds wrong with a page."""

from __future__ import annotations

from typing import Any

from tests.hub_page.conftest import MODULES

AXE = MODULES / "axe-core" / "axe.min.js"
RUN = "() => axe.run(document, {resultTypes: ['violations']})"


def findings_of_axe(page: Any, *schemes: str) -> list[str]:
    """Return what axe finds on a page, one line each: light and dark, or in the schemes of colours that are given."""
    page.evaluate(AXE.read_text())
    lines: list[str] = []
    for scheme in schemes or ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate(RUN)["violations"]
        lines += [f"{scheme}, {each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]
    return lines
