"""The HTTP side of the hub: the API under /api/v1, the page at /.

Errors are `application/problem+json` (RFC 9457). A parameter that a path does not have is refused by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from smoker_common.admin import observe
from smoker_common.admission import Admission
from smoker_common.http import Application, HttpServer
from smoker_hub.web import now, openapi, router, stream
from smoker_hub.web.page import document, files
from smoker_hub.web.router import PROBLEM, Answer, Problem, Route
from smoker_hub.web.routes import ROUTES

if TYPE_CHECKING:
    import socket
    from wsgiref.types import StartResponse

    from smoker_hub.web.sources import Sources

HTML = "text/html; charset=utf-8"
MOST, MOST_OF_CLIENT = 500, 200  # connections
TIMEOUT = 2 * stream.QUIET  # seconds; a stream writes at least once in half of them
OPENAPI = Route(
    "/openapi.json",
    "this API",
    None,
    lambda sources, _: openapi.document(ROUTES, sources.guard is not None),
    tagged=True,
)
HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", document.POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]


class Server(HttpServer):
    """The server of the API and the page. Streams end when it closes."""

    def __init__(self, listener: socket.socket, sources: Sources) -> None:
        admission = Admission(MOST, MOST_OF_CLIENT)
        super().__init__(listener, application(sources), observer=observe, timeout=TIMEOUT, admission=admission)
        self._sources = sources

    def close(self) -> None:
        self._sources.stream.close()
        super().close()


def application(sources: Sources) -> Application:
    """Return the WSGI application that answers from `sources`."""

    def answer(env: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        headers = list(HEADERS)
        try:
            if sources.guard is not None and not sources.guard.allows(env.get("HTTP_AUTHORIZATION", "")):
                raise Problem(HTTPStatus.UNAUTHORIZED, "a token, or a user and a password, is needed")
            found, status = _answer(sources, env), HTTPStatus.OK
            if isinstance(found, router.Flow):
                start("200 OK", [*headers, ("Content-Type", found.kind), ("Cache-Control", "no-store")])
                return found.parts
        except Problem as problem:
            status = problem.status
            body = msgspec.json.encode(router.Detail(status.phrase, int(status), problem.detail)) + b"\n"
            found = Answer(PROBLEM, body)
            if status is HTTPStatus.UNAUTHORIZED and sources.guard is not None:
                headers += [("WWW-Authenticate", each) for each in sources.guard.challenges]
            if status is HTTPStatus.METHOD_NOT_ALLOWED:
                headers.append(("Allow", problem.detail))
        headers.append(("Vary", "Accept-Encoding" if found.packed else "Accept"))
        headers.append(("Cache-Control", found.keep or ("no-cache" if found.tag else "no-store")))
        if found.tag:
            headers.append(("ETag", found.tag))
        if router.is_known(found.tag, env.get("HTTP_IF_NONE_MATCH", "")):
            start("304 Not Modified", headers)
            return []
        body = found.body
        if found.packed and router.takes_gzip(env.get("HTTP_ACCEPT_ENCODING", "")):
            body = found.packed
            headers.append(("Content-Encoding", "gzip"))
        headers += [("Content-Type", found.kind), ("Content-Length", str(len(body)))]
        start(f"{int(status)} {status.phrase}", headers)
        return [body] if env["REQUEST_METHOD"] != "HEAD" else []

    return answer


def _answer(sources: Sources, env: Mapping[str, Any]) -> Answer | router.Flow:
    """Return the answer to a request. Raises `Problem`."""
    hub = sources.hub
    path, query = env["PATH_INFO"], env["QUERY_STRING"]
    if env["REQUEST_METHOD"] not in ("GET", "HEAD"):
        raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "GET, HEAD")
    if env.get("HTTP_TRANSFER_ENCODING") or env.get("CONTENT_LENGTH", "0").strip("0"):
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a request has no body here")
    if path == "/":
        router.read(query, document.PARAMETERS)
        page = document.document(now.summary(hub), now.findings(hub), now.nodes(hub), now.looked(hub))
        return Answer(HTML, page.encode())
    if served := files.find(path):
        router.read(query, ())
        return Answer(served.file.kind, served.file.body, served.file.tag, served.keep, served.file.packed)
    route, parts = router.find((*ROUTES, OPENAPI), path)
    values = router.read(query, route.query)
    wants_text = router.wants_text(values.get("format"), env.get("HTTP_ACCEPT", ""))
    if route.endless and env["REQUEST_METHOD"] != "GET":
        raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "GET")
    values |= {each.name: env.get(f"HTTP_{each.name.upper().replace('-', '_')}", "") for each in route.headers}
    record = route.record(sources, values | parts)
    if route.junit is not None and values["format"] == "junit":
        return Answer(router.XML, route.junit(sources, values | parts, record).encode())
    return router.render(route, record, wants_text)
