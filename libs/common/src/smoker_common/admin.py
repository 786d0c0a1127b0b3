"""Serve the admin endpoints, which kubelet and Prometheus request, on their own port."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loguru import logger
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from smoker_common.admission import ALL, CLIENT, Admission
from smoker_common.http import Application, HttpServer
from smoker_common.http_handler import Handler
from smoker_common.listen import endpoint
from smoker_common.metrics import counter

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

#: These limits are separate from the echo ports', so that a flood there cannot lock out kubelet and Prometheus.
MOST, MOST_OF_CLIENT = 128, 64
PLAIN = "text/plain; charset=utf-8"

#: Returns an empty string when the check passes, else the reason for a person.
Check = Callable[[], str]
#: Returns the current content of a page, which is served as JSON.
Page = Callable[[], object]
#: Returns the ETag and the bytes of a JSON document. Called for each request.
Document = Callable[[], tuple[str, bytes]]


def application(checks: Mapping[str, Check], others: Mapping[str, Application] | None = None) -> Application:
    """Return an application that answers each path in `checks` with 200 `ok`, or with 503 and the reason.

    Requests to a path in `others` go to the application there.
    """
    served = {path: _check(check) for path, check in checks.items()} | dict(others or {})

    def answer(env: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        return served.get(env["PATH_INFO"], nothing)(env, start)

    def nothing(env: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        return _say(env, start, "404 Not Found", f"no such path; the paths are {', '.join(served)}\n")

    return answer


def page(what: Page) -> Application:
    """Return an application that answers GET and HEAD with 200 and the result of `what` as JSON."""
    return _reading(lambda: ("200 OK", json.dumps(what()) + "\n"), "application/json")


def document(what: Document) -> Application:
    """Return an application that answers GET and HEAD with the document.

    If the client already has this version, the answer is 304 (RFC 9110 section 13.1.2).
    """

    def answer(env: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        method = env["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            return _say(
                env, start, "405 Method Not Allowed", "only GET and HEAD are allowed\n", PLAIN, ("Allow", "GET, HEAD")
            )
        tag, data = what()
        known = {each.strip().removeprefix("W/") for each in env.get("HTTP_IF_NONE_MATCH", "").split(",")}
        if tag in known or "*" in known:
            start("304 Not Modified", [("ETag", tag)])
            return []
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data))), ("ETag", tag)]
        start("200 OK", headers)
        return [data] if method == "GET" else []

    return answer


def _check(check: Check) -> Application:
    def found() -> tuple[str, str]:
        why = check()
        return ("503 Service Unavailable", f"{why}\n") if why else ("200 OK", "ok\n")

    return _reading(found)


def _reading(found: Callable[[], tuple[str, str]], kind: str = PLAIN) -> Application:
    """Return an application that answers GET and HEAD with the status and text of `found`, other methods with 405."""

    def answer(env: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        if env["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _say(
                env, start, "405 Method Not Allowed", "only GET and HEAD are allowed\n", PLAIN, ("Allow", "GET, HEAD")
            )
        return _say(env, start, *found(), kind)

    return answer


def _say(
    env: dict[str, Any], start: StartResponse, status: str, text: str, kind: str = PLAIN, *headers: tuple[str, str]
) -> Iterable[bytes]:
    data = text.encode()
    start(status, [("Content-Type", kind), ("Content-Length", str(len(data))), *headers])
    return [data] if env["REQUEST_METHOD"] != "HEAD" else []


class _Refusals(Collector):
    """Counts the connections that `servers` refused."""

    def __init__(self, servers: Sequence[HttpServer]) -> None:
        self._servers = servers

    def collect(self) -> Iterable[Metric]:
        refused: Counter[str] = sum((server.refused for server in self._servers), Counter())
        values = [({"reason": reason}, float(refused[reason])) for reason in (ALL, CLIENT)]
        yield counter("smoker_admin_refused_total", "Connections to the admin port closed at once", values)


def servers(listeners: Sequence[socket.socket], served: Application, registry: CollectorRegistry) -> list[HttpServer]:
    """Return one server per listener. All share one set of limits, and `registry` counts what they refuse."""
    admission = Admission(MOST, MOST_OF_CLIENT)
    made = [HttpServer(listener, served, observer=observe, admission=admission) for listener in listeners]
    registry.register(_Refusals(made))
    return made


def observe(handler: Handler) -> None:
    """Log a request at DEBUG: kubelet sends one every few seconds."""
    logger.debug("admin request", client=endpoint(handler.client_address), **handler.summary)
