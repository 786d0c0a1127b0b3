"""`make screenshot`: the picture of the page in the README, from a real hub over stand-in probers."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.hub_page.conftest import CHROMIUM, WAIT, SimulatedHub


def main(target: Path) -> None:
    """Draw the overview with one node at fault."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  not everybody has it

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        show = SimulatedHub(6, Path(folder), "plain")
        try:
            show.command("break node-2")
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1120, "height": 1240})
            page.set_default_timeout(WAIT)
            page.goto(show.address)
            page.wait_for_selector("td.fail")
            page.wait_for_selector("article.critical")
            page.mouse.move(0, 0)
            page.screenshot(path=target)
            browser.close()
        finally:
            show.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
