"""`make screenshot`: the pictures of the page in README and docs, from a real hub over stand-in probers."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.hub_page.conftest import CHROMIUM, WAIT, SimulatedHub

#: By file name: colour scheme, height of the window, address, and what must be there.
PICTURES = {
    "page.png": (
        "light",
        1240,
        "",
        ("td.fail", "article.critical", "[aria-label='To the change before'][aria-disabled=false]"),
    ),
    "page-finding.png": ("light", 1000, "FINDING", ("svg.graph circle.accused",)),
    "page-path.png": ("dark", 900, "?view=path&from=node-1&to=node-2", (".chart svg", "svg.band")),
}


def main(folder: Path) -> None:
    """Draw each view with one node at fault."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  not everybody has it

    with tempfile.TemporaryDirectory() as history, sync_playwright() as playwright:
        show = SimulatedHub(6, Path(history), "plain")
        try:
            show.command("break node-2")
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            for name in PICTURES:
                draw(browser, show.address, folder, name)
            browser.close()
        finally:
            show.close()


def draw(browser: Any, address: str, folder: Path, name: str) -> None:
    """Draw one view once it shows what it must."""
    scheme, height, view, wanted = PICTURES[name]
    page = browser.new_page(viewport={"width": 1120, "height": height}, color_scheme=scheme)
    page.set_default_timeout(WAIT)
    if view == "FINDING":
        page.goto(address)
        view = page.locator("article.critical a[href*=finding]").first.get_attribute("href")
    page.goto(address + view)
    for selector in wanted:
        page.wait_for_selector(selector)
    page.mouse.move(0, 0)
    page.screenshot(path=folder / name)
    page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
