"""The page of a hub with a login, in a browser that asks its user for the password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hub_page.conftest import opened, showing

USER, PASSWORD = "team", "only-for-this-test"


@pytest.mark.parametrize("token", [False, True], ids=["a password", "a token as well"])
def test_the_browser_asks_for_user_and_password(chromium: Any, tmp_path: Path, *, token: bool) -> None:
    """With them the page and its stream work. A browser asks only if the hub says that it takes a password."""
    secret = tmp_path / "secret"
    secret.mkdir()
    for name, text in (("username", USER), ("password", PASSWORD), *([("token", "a-token")] if token else [])):
        (secret / name).write_text(text)
    with (
        showing(3, tmp_path, login=secret) as hub,
        opened(chromium, http_credentials={"username": USER, "password": PASSWORD}) as tab,
    ):
        tab.page.goto(hub.address)
        tab.page.wait_for_selector("h1:has-text('probers work')")
