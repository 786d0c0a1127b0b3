"""The page of a release's hub, opened in a real Chromium."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.release import Release
from tests.hub_page.conftest import CHROMIUM, Tab, opened

#: Chromium gives up its requests with this when an interface comes or goes on this machine, as those of nodes do. The
#: page asks again; what it is made of it does not.
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"


@contextmanager
def page(release: Release, path: str = "") -> Iterator[Tab]:
    """Open a path of the page. At the end it must have had neither an error nor a violation of its CSP."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  not everybody has it

    with forwarded(release) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with opened(browser) as tab:
            tab.page.goto(f"{address}{path}")
            while tab.said(NETWORK_CHANGED):
                tab.wrong.clear()
                tab.page.reload()
            tab.expected = (NETWORK_CHANGED,)
            yield tab
        browser.close()


@contextmanager
def forwarded(release: Release) -> Iterator[str]:
    """Yield the address at which the hub answers on this machine for as long as the block lasts."""
    name = f"{release.name}-hub"
    command = ["kubectl", "port-forward", "--namespace", release.namespace.name, f"service/{name}", ":8083"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forwarding:
        try:
            assert forwarding.stdout is not None
            said = forwarding.stdout.readline()
            port = re.search(r"Forwarding from 127\.0\.0\.1:(\d+) ", said)
            assert port is not None, said
            yield f"http://127.0.0.1:{port[1]}/"
        finally:
            forwarding.terminate()
