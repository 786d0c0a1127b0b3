"""Access to the API and the page: tokens, users and passwords, which no answer or log shows."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from smoker_hub.web.api import application
from smoker_hub.web.auth import BASIC, BEARER, Guard
from smoker_hub.web.routes import ROUTES
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from tests.conftest import BIN
from tests.hub.stand_ins import ManualClock, hub_of
from tests.hub.test_api import ask_of

TOKEN, USER, PASSWORD = "c2VjcmV0-token", "ädmin", "pass:wörd"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A Secret with all three as a pod mounts it, with line ends as editors add them."""
    for name, text in (("token", TOKEN), ("username", USER), ("password", PASSWORD + "\n")):
        (tmp_path / name).write_text(text)
    return tmp_path


def guarded(folder: Path) -> Sources:
    hub = hub_of([], ManualClock())
    return Sources(hub=hub, stream=Stream(hub), guard=Guard(folder))


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("given", [f"Bearer {TOKEN}", f"bearer  {TOKEN} ", basic(f"{USER}:{PASSWORD}")])
def test_right_credentials(folder: Path, given: str) -> None:
    """The token, or user and password, are accepted, whatever the case of the scheme."""
    for path in ("/", "/api/v1/summary", "/openapi.json"):
        assert ask_of(guarded(folder), path, HTTP_AUTHORIZATION=given)[0] == 200


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN},Bearer {TOKEN}",
        f"Token {TOKEN}",
        TOKEN,
        basic(USER),
        basic(f"{USER}:"),
        basic(f"{USER}:{PASSWORD}\n"),
        basic(":"),
        "Basic %%%",
        "Basic é",
        "Bearer " + "x" * 100_000,
    ],
)
def test_wrong_credentials(folder: Path, given: str) -> None:
    """Other requests get a 401 with the challenge on every path, also the stream and paths that do not exist."""
    for path in [*(route.path for route in ROUTES), "/", "/page.css", "/nothing"]:
        status, body, headers = ask_of(guarded(folder), path, HTTP_AUTHORIZATION=given)
        assert (status, headers["Content-Type"]) == (401, "application/problem+json")
        assert headers["WWW-Authenticate"] == BEARER  # the last of two
        assert json.loads(body)["status"] == 401


def test_a_part_of_the_secret_opens_only_its_own_scheme(tmp_path: Path) -> None:
    """Without a token in the Secret no token is right, not even the empty one. The same holds for a password."""
    (tmp_path / "username").write_text("a")
    assert "no file token" in Guard(tmp_path).mistake()
    assert not Guard(tmp_path).allows(basic("a:"))
    (tmp_path / "password").write_text("b")
    assert Guard(tmp_path).mistake() == ""
    assert Guard(tmp_path).allows(basic("a:b"))
    assert not Guard(tmp_path).allows("Bearer ")
    assert Guard(tmp_path / "gone").mistake()


def test_each_way_to_log_in_has_a_field_of_its_own(folder: Path) -> None:
    """A browser reads the first scheme of each field alone. What the Secret does not have is not asked for."""

    def asked() -> list[str]:
        fields: list[tuple[str, str]] = []
        env = {"PATH_INFO": "/", "REQUEST_METHOD": "GET", "QUERY_STRING": ""}
        list(application(guarded(folder))(env, lambda _status, headers: fields.extend(headers)))  # type: ignore[arg-type]
        return [value for name, value in fields if name == "WWW-Authenticate"]

    assert asked() == [BASIC, BEARER]
    (folder / "token").unlink()
    assert asked() == [BASIC]
    (folder / "token").write_text(TOKEN)
    (folder / "password").unlink()
    assert asked() == [BEARER]


def test_a_renewed_secret_counts_at_once(folder: Path) -> None:
    """When Kubernetes replaces the files, the new ones count without a restart."""
    sources = guarded(folder)
    (folder / "token").write_text("new")
    assert ask_of(sources, "/api/v1/summary", HTTP_AUTHORIZATION="Bearer new")[0] == 200
    assert ask_of(sources, "/api/v1/summary", HTTP_AUTHORIZATION=f"Bearer {TOKEN}")[0] == 401


def test_no_answer_contains_the_secret(folder: Path, records: list[str]) -> None:
    """No export, page, error or log contains any of it."""
    sources = guarded(folder)
    told = [
        ask_of(sources, path, HTTP_AUTHORIZATION=f"Bearer {TOKEN}")[1]
        for path in ("/", "/api/v1/export", "/openapi.json", "/nothing")
    ]
    told.append(ask_of(sources, "/", HTTP_AUTHORIZATION=f"Bearer {TOKEN}x")[1])
    for secret in (TOKEN, PASSWORD):
        assert not any(secret.encode() in each for each in told)
        assert not any(secret in record for record in records)


def test_the_openapi_document_declares_the_login(folder: Path, tmp_path: Path) -> None:
    """OpenAPI has the schemes and the 401 only where they apply, and is valid."""
    document = json.loads(ask_of(guarded(folder), "/openapi.json", HTTP_AUTHORIZATION=f"Bearer {TOKEN}")[1])
    assert set(document["components"]["securitySchemes"]) == {"bearer", "basic"}
    assert "401" in document["paths"]["/api/v1/summary"]["get"]["responses"]
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    subprocess.run([BIN / "openapi-spec-validator", tmp_path / "openapi.json"], check=True, capture_output=True)


def test_answers_cannot_be_framed_or_read_by_other_sites(folder: Path) -> None:
    """Each answer has the security headers, errors too."""
    for given in ("", f"Bearer {TOKEN}"):
        headers = ask_of(guarded(folder), "/api/v1/summary", HTTP_AUTHORIZATION=given)[2]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
