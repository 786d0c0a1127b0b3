"""The admin endpoints: what kubelet and Prometheus ask a service, on a port of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from loguru import logger

from smoker_common.http import Application, Handler
from smoker_common.listen import endpoint

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

#: Empty when all is well, else why not, in words.
Check = Callable[[], str]


#: What is served under a path, as JSON.
Page = Callable[[], object]


def application(checks: Mapping[str, Check], pages: Mapping[str, Page] | None = None) -> Application:
    """GET or HEAD of each path in `checks`: 200 `ok`, or 503 and the reason; of each in `pages`: 200 and its JSON."""
    served = pages or {}

    def answer(env: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        path, method = env["PATH_INFO"], env["REQUEST_METHOD"]
        check, page, kind = checks.get(path), served.get(path), "text/plain; charset=utf-8"
        headers = []
        if check is None and page is None:
            status, body = "404 Not Found", f"nothing here; there is {', '.join([*checks, *served])}\n"
        elif method not in ("GET", "HEAD"):
            status, body = "405 Method Not Allowed", "GET or HEAD\n"
            headers.append(("Allow", "GET, HEAD"))
        elif page is not None:
            status, body, kind = "200 OK", json.dumps(page()) + "\n", "application/json"
        elif check is not None and (why := check()):
            status, body = "503 Service Unavailable", f"{why}\n"
        else:
            status, body = "200 OK", "ok\n"
        data = body.encode()
        start(status, [("Content-Type", kind), ("Content-Length", str(len(data))), *headers])
        return [data] if method != "HEAD" else []

    return answer


def observe(handler: Handler) -> None:
    """Kubelet asks every few seconds: worth a line only to whoever looks for it."""
    logger.debug("admin request", client=endpoint(handler.client_address), **handler.summary)
