"""The API compared with its own description: two independent tools read /openapi.json and test it."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smoker_common.http import Application
from smoker_common.listen import tcp_listener
from smoker_hub import judge
from smoker_hub.hub import Hub
from smoker_hub.web import api, router, series
from smoker_hub.web.router import JSON, Problem, Route
from smoker_hub.web.routes import ROUTES
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from tests.conftest import BIN
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.api_page import PAGE, page
from tests.hub.history_hand import Kept, keeping
from tests.hub.stand_ins import HOST, Prober, probers
from tests.hub.test_api import ask, faulty
from tests.hub.test_api_results import SNAPSHOT, failing

__all__ = ["faulty"]

STREAM = "/api/v1/stream"  # it never ends; test_api_stream.py reads it
OPTIONS = ["--phases", "examples,fuzzing", "--max-examples", "10", "--no-shrink", "--no-color"]
OPTIONS += ["--exclude-path", STREAM, "--generation-database", "none", "--seed", "1"]

#: By route that could answer with nothing, the list that has something in at least one answer.
LISTS = {
    "/api/v1/findings": "open",
    "/api/v1/paths": "paths",
    "/api/v1/paths/{id}/history": "changes",
    "/api/v1/events": "events",
    "/api/v1/rollups": "at",
    "/api/v1/series": "at",
    "/api/v1/results": "results",
}

#: A JSON schema cannot say that `since` is not after `until`: such a request is refused though each parameter is valid.
CONFIGURATION = """
[[operations]]
include-path = {paths}
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]
"""


@contextlib.contextmanager
def full(folder: Path) -> Iterator[tuple[Kept, Sources]]:
    """Yield a hub with a dead node, a history, and probers that return results and samples; and its sources."""
    with probers(Cluster(nodes(5)).fail(lambda link: link.touches("node-2")).states()) as found:
        for prober in found:
            failing(prober, 100.0)
            prober.page = pages(prober)
        with keeping(folder, found) as kept:
            kept.look()
            kept.look()
            addresses = [prober.address for prober in found]
            yield kept, Sources(hub=kept.hub, stream=Stream(kept.hub), reader=kept.reader, addresses=lambda: addresses)


def pages(prober: Prober) -> Any:
    """Return what a prober answers beside its state, by path: its last failures, and the last results of a path."""
    samples = json.dumps({"samples": [[10.0, "success", 0.001, 10, 0], [5.0, "timeout", None, 10, 10]]}).encode()
    served = {SNAPSHOT: prober.pages[SNAPSHOT], series.SAMPLES.encode(): samples}
    return lambda path: served.get(path.partition(b"?")[0])


def with_examples(document: Any, kept: Kept) -> Any:
    """Return the document of the API with names, ids and moments that exist as examples of its parameters."""
    state = kept.hub.collected.states[0]
    path = judge.identity(state.node, state.network, state.paths[0])
    (finding,) = kept.hub.incidents.open
    known: dict[tuple[str, str], Any] = {(route.path, "at"): kept.at for route in ROUTES if not route.parts}
    known[("/api/v1/findings/{id}", "id")] = finding.id
    known[("/api/v1/nodes/{name}", "name")] = known[("/api/v1/rollups", "name")] = state.node
    known[("/api/v1/paths/{id}/history", "id")] = known[("/api/v1/series", "path")] = path
    for name, operations in document["paths"].items():
        for parameter in operations["get"]["parameters"]:
            if (name, parameter["name"]) in known:
                parameter["example"] = known[(name, parameter["name"])]
    return document


def recorded(application: Application, good: list[tuple[str, bytes]]) -> Application:
    """Return `application`, which adds the route and the body of each good answer in JSON to `good`."""

    def answer(env: dict[str, Any], start: Any) -> Iterable[bytes]:
        told: list[Any] = []

        def started(*call: Any) -> Any:
            told.extend(call)
            return start(*call)

        body = b"".join(application(env, started))
        if told[0] == "200 OK" and ("Content-Type", JSON) in told[1] and env["REQUEST_METHOD"] == "GET":
            with contextlib.suppress(Problem):  # not a route of the table
                good.append((router.find(ROUTES, env["PATH_INFO"])[0].path, body))
        return [body]

    return answer


@contextlib.contextmanager
def served(sources: Sources) -> Iterator[str]:
    """The URL of the hub's API."""
    listener = tcp_listener(HOST, 0)
    server = api.Server(listener, sources)
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
def test_a_running_hub_keeps_to_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Schemathesis finds no answer that the document does not allow: good requests, bad ones, other methods.

    Every route answers well, with names and ids that exist, and the lists are not all empty.
    """
    good: list[tuple[str, bytes]] = []
    application = api.application
    monkeypatch.setattr(api, "application", lambda sources: recorded(application(sources), good))
    with full(tmp_path) as (kept, sources), served(sources) as url:
        document = with_examples(json.loads(ask(kept.hub, "/openapi.json")[1]), kept)
        (tmp_path / "openapi.json").write_text(json.dumps(document))
        spans = [route.path for route in ROUTES if "since" in {each.name for each in route.query}]
        (tmp_path / "schemathesis.toml").write_text(CONFIGURATION.format(paths=json.dumps(spans)))
        found = subprocess.run(
            [BIN / "schemathesis", "run", *OPTIONS, "--url", url, tmp_path / "openapi.json"],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert found.returncode == 0, found.stdout[-5000:] + found.stderr
    assert f"Tested: {len(ROUTES) - 1}" in found.stdout
    assert {route for route, _ in good} == {route.path for route in ROUTES} - {STREAM}
    filled = {route for route, body in good if route in LISTS and json.loads(body)[LISTS[route]]}
    assert filled == LISTS.keys()


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
