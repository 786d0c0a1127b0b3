"""The admin endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from smoker_common.admin import application, page


def ask(path: str, method: str = "GET", why: str = "") -> tuple[str, bytes, dict[str, str]]:
    """Send one request. Return status, body and headers."""
    answer: list[Any] = []
    app = application({"/livez": lambda: "", "/readyz": lambda: why})
    body = b"".join(app({"PATH_INFO": path, "REQUEST_METHOD": method}, lambda *call: answer.extend(call)))  # type: ignore[arg-type]
    return answer[0], body, dict(answer[1])


def test_health_paths_answer_ok_or_the_reason() -> None:
    """The endpoint answers 200, or 503 with the reason."""
    assert ask("/readyz")[:2] == ("200 OK", b"ok\n")
    assert ask("/readyz", why="stopping")[:2] == ("503 Service Unavailable", b"stopping\n")


def test_an_unknown_path_lists_the_known_ones() -> None:
    """An unknown path gets a 404 with the list of paths."""
    status, body, _ = ask("/metricsz")
    assert status == "404 Not Found"
    assert b"/livez, /readyz" in body


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_other_methods_are_405_with_allow(method: str) -> None:
    """Other methods get a 405 with Allow: nothing can be changed here."""
    status, _, headers = ask("/livez", method)
    assert status.startswith("405 ")
    assert headers["Allow"] == "GET, HEAD"


def test_head_has_the_length_and_no_body() -> None:
    """HEAD gets the headers of GET without a body (RFC 9110 section 9.3.2)."""
    _, body, headers = ask("/livez", "HEAD")
    assert (body, headers["Content-Length"]) == (b"", "3")


def test_a_page_is_json() -> None:
    """A service's own page is served as JSON."""
    answer: list[Any] = []
    app = application({"/livez": lambda: ""}, {"/api/v1/x": page(lambda: {"a": [1]})})
    body = b"".join(app({"PATH_INFO": "/api/v1/x", "REQUEST_METHOD": "GET"}, lambda *call: answer.extend(call)))  # type: ignore[arg-type]
    assert (answer[0], body) == ("200 OK", b'{"a": [1]}\n')
    assert dict(answer[1])["Content-Type"] == "application/json"
