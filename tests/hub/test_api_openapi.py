"""The API compared with its own description: two independent tools read /openapi.json and test it."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smoker_common.listen import tcp_listener
from smoker_hub.hub import Hub
from smoker_hub.web import api
from smoker_hub.web.router import JSON, Route
from smoker_hub.web.routes import ROUTES
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from tests.conftest import BIN
from tests.hub.api_page import PAGE, page
from tests.hub.stand_ins import HOST
from tests.hub.test_api import ask, faulty

__all__ = ["faulty"]

OPTIONS = ["--phases", "fuzzing", "--max-examples", "10", "--no-shrink", "--no-color"]
OPTIONS += ["--exclude-path", "/api/v1/stream"]  # it never ends; test_api_stream.py reads it


@contextlib.contextmanager
def served(hub: Hub) -> Iterator[str]:
    """The URL of the hub's API."""
    listener = tcp_listener(HOST, 0)
    server = api.Server(listener, Sources(hub=hub, stream=Stream(hub)))
    server.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.close()
        server.drain(0.0)


def test_the_document_is_valid_openapi(faulty: Hub, tmp_path: Path) -> None:
    """The document is valid OpenAPI 3.1, contains every route, and has no empty text."""
    status, body, headers = ask(faulty, "/openapi.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    document = json.loads(body)
    assert document["openapi"].startswith("3.1.")
    assert list(document["paths"]) == [route.path for route in ROUTES]
    (tmp_path / "openapi.json").write_bytes(body)
    subprocess.run([BIN / "openapi-spec-validator", tmp_path / "openapi.json"], check=True, capture_output=True)
    for path in document["paths"].values():
        assert path["get"]["summary"]
        assert all(parameter["description"] for parameter in path["get"]["parameters"])


@pytest.mark.timeout(150)
def test_a_running_hub_keeps_to_the_document(faulty: Hub, tmp_path: Path) -> None:
    """Schemathesis finds no answer that the document does not allow: good requests, bad ones, other methods."""
    command: list[str | Path] = [BIN / "schemathesis", "run", *OPTIONS]
    with served(faulty) as url:
        found = subprocess.run(
            [*command, "--generation-database", "none", "--seed", "1", f"{url}/openapi.json"],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert found.returncode == 0, found.stdout[-5000:] + found.stderr
    assert f"Tested: {len(ROUTES) - 1}" in found.stdout


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    route=st.sampled_from([route for route in ROUTES if route.kind == JSON]),
    query=st.one_of(st.text(max_size=40), st.binary(max_size=40).map(lambda found: found.decode("latin-1"))),
    key=st.sampled_from(["by", "from", "to", "limit", "plane", "format", "probe", "x"]),
)
def test_no_query_breaks_it(faulty: Hub, route: Route, query: str, key: str) -> None:
    """The answer to any query is the record or a problem that names the mistake."""
    for each in (query, f"{key}={query}"):
        status, body, headers = ask(faulty, route.path.replace("{id}", "00").replace("{name}", "node-1"), query=each)
        assert status in (200, 400, 404)
        if status != 200:
            assert headers["Content-Type"] == "application/problem+json"
            assert json.loads(body)["detail"]


def test_the_page_of_the_api_is_up_to_date() -> None:
    """docs/api.md matches the types: `python -m tests.hub.api_page --write` writes it."""
    assert PAGE.read_text() == page()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_parameter_is_declared_once(route: Route) -> None:
    """No two parameters of a route have one name, and each part in braces is declared."""
    names = [each.name for each in (*route.parts, *route.query)]
    assert len(names) == len(set(names))
    assert all(f"{{{part.name}}}" in route.path for part in route.parts)
    assert route.path.count("{") == len(route.parts)
