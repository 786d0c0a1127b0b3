"""The WSGI environment of a request (PEP 3333), without its body."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from smoker_common.http_request import Request


def environ(request: Request, of_server: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of the server and those of the request."""
    env = dict(of_server)
    path, _, query = request.target.partition("?")
    if not path.startswith("/"):  # absolute form, RFC 9112 section 3.2.2
        path = "/" + path.partition("://")[2].partition("/")[2] if "://" in path else path
    env["REQUEST_METHOD"], env["QUERY_STRING"] = request.method, query
    env["SERVER_PROTOCOL"] = "HTTP/" + request.version
    env["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
    for name, value in request.headers:
        key = _key(name)
        env[key] = f"{env[key]},{value}" if key in env else value
    return env


def expects_continue(request: Request, env: Mapping[str, Any]) -> bool:
    """Return whether the client waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1)."""
    return request.version == "1.1" and env.get("HTTP_EXPECT", "").lower() == "100-continue"


@functools.lru_cache(maxsize=256)
def _key(name: str) -> str:
    key = name.upper().replace("-", "_")
    if "_" in name:  # such a name could collide with the key of another header
        return "smoker.ignored"
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key
