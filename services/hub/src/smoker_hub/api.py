"""The HTTP side of the hub: the API under /api/v1, the page at /.

Errors are `application/problem+json` (RFC 9457). A parameter that a path does not have is refused by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from smoker_common.admin import observe
from smoker_common.admission import Admission
from smoker_common.http import Application, HttpServer
from smoker_hub import page, plain, views

if TYPE_CHECKING:
    import socket
    from wsgiref.types import StartResponse

    from smoker_hub.hub import Hub

JSON, TEXT, HTML, CSS, PROBLEM = (
    "application/json",
    "text/plain; charset=utf-8",
    "text/html; charset=utf-8",
    "text/css; charset=utf-8",
    "application/problem+json",
)
FINDING = re.compile(r"/api/v1/findings/([0-9a-f]{1,64})")
LONGEST_QUERY = 2_048  # bytes
MOST, MOST_OF_CLIENT = 500, 200  # connections
TIMEOUT = 15.0  # seconds
HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", page.POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
]


class Problem(Exception):
    """A request that is not answered, and why."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Answer(NamedTuple):
    """The type of a body, and the body."""

    kind: str
    body: bytes


class _Route(NamedTuple):
    record: Callable[[str], Any]  # of the last part of the path, which is empty where there is none
    text: Callable[[Any], str]


def server(listener: socket.socket, hub: Hub) -> HttpServer:
    """Return the server of the API and the page."""
    admission = Admission(MOST, MOST_OF_CLIENT)
    return HttpServer(listener, application(hub), observer=observe, timeout=TIMEOUT, admission=admission)


def application(hub: Hub) -> Application:
    """Return what answers for `hub`."""
    routes = {
        "/api/v1/summary": _Route(lambda _: views.summary(hub), plain.summary),
        "/api/v1/findings": _Route(lambda _: views.findings(hub), plain.findings),
        "/api/v1/findings/ID": _Route(lambda finding: _one(hub, finding), plain.finding),
        "/api/v1/nodes": _Route(lambda _: views.nodes(hub), plain.nodes),
    }

    def answer(env: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        headers = list(HEADERS)
        try:
            (kind, body), status = _answer(hub, routes, env), HTTPStatus.OK
        except Problem as problem:
            kind, status = PROBLEM, problem.status
            about = {"title": status.phrase, "status": int(status), "detail": problem.detail}
            body = msgspec.json.encode(about) + b"\n"
            if status is HTTPStatus.METHOD_NOT_ALLOWED:
                headers.append(("Allow", "GET, HEAD"))
        headers += [("Content-Type", kind), ("Content-Length", str(len(body))), ("Vary", "Accept")]
        start(f"{int(status)} {status.phrase}", headers)
        return [body] if env["REQUEST_METHOD"] != "HEAD" else []

    return answer


def _answer(hub: Hub, routes: Mapping[str, _Route], env: Mapping[str, Any]) -> Answer:
    """Return what is at the path of a request. Raises `Problem`."""
    path, query = env["PATH_INFO"], env["QUERY_STRING"]
    if env["REQUEST_METHOD"] not in ("GET", "HEAD"):
        raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "GET or HEAD")
    if path == "/":
        _parameters(query)
        return Answer(HTML, page.page(views.summary(hub), views.findings(hub), views.nodes(hub)).encode())
    if path == "/page.css":
        _parameters(query)
        return Answer(CSS, page.STYLE.encode())
    one = FINDING.fullmatch(path)
    route = routes.get("/api/v1/findings/ID" if one else path)
    if route is None or path.endswith("/ID"):
        raise Problem(HTTPStatus.NOT_FOUND, f"nothing here; there is /, {', '.join(routes)}")
    form = _parameters(query, "format").get("format", "")
    if form not in ("", "json", "text"):
        raise Problem(HTTPStatus.BAD_REQUEST, "the parameter format is json or text")
    record = route.record(one[1] if one else "")
    if form == "text" or (not form and _wants_text(env.get("HTTP_ACCEPT", ""))):
        return Answer(TEXT, route.text(record).encode())
    return Answer(JSON, msgspec.json.encode(record) + b"\n")


def _one(hub: Hub, finding: str) -> views.View:
    for each in [*hub.incidents.open, *hub.incidents.recent()]:
        if each.id == finding:
            return views.view(hub, each)
    raise Problem(HTTPStatus.NOT_FOUND, f"there is no finding {finding}")


def _parameters(query: str, *known: str) -> dict[str, str]:
    """Return the parameters of a query. Raises `Problem` for one that is not `known` or comes twice."""
    if len(query) > LONGEST_QUERY:
        raise Problem(HTTPStatus.REQUEST_URI_TOO_LONG, f"the query has more than {LONGEST_QUERY} bytes")
    found: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in known:
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                f"there is no parameter {key[:60]!r} here; there is {', '.join(known) or 'none'}",
            )
        if key in found:
            raise Problem(HTTPStatus.BAD_REQUEST, f"the parameter {key} comes twice")
        found[key] = value
    return found


def _wants_text(accept: str) -> bool:
    """Return whether text/plain is named before JSON and before anything."""
    for each in accept.split(","):
        kind = each.partition(";")[0].strip().lower()
        if kind in ("text/plain", "text/*"):
            return True
        if kind in ("application/json", "application/*", "*/*"):
            return False
    return False
