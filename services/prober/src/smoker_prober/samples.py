"""The results of one path of the last hour, for the charts of the hub, where no Prometheus keeps them.

GET /api/v1/samples?probe=tcp&target=node-2&plane=pod&family=ipv4
{"version": 1, "samples": [[AGE, OUTCOME, RTT, SENT, LOST], …]}   seconds, null without a round trip; the oldest first
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from smoker_common.http import Application
from smoker_diagnosis.window import Sample

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

SAMPLES = "/api/v1/samples"
VERSION = 1
LONGEST = 2_048  # bytes of a query
NAMES = ("probe", "target", "plane", "family")  # the last may be empty

Find = Callable[[str, str, str, str], "list[tuple[float, Sample]] | None"]


def application(find: Find) -> Application:
    """Return what answers with the samples that `find` returns."""

    def answer(env: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        if env["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _send(env, start, "405 Method Not Allowed", {"error": "GET, HEAD"})
        query = env["QUERY_STRING"]
        given = parse_qs(query, keep_blank_values=True) if len(query) <= LONGEST else {}
        if set(given) != set(NAMES):
            return _send(env, start, "400 Bad Request", {"error": f"the parameters are {', '.join(NAMES)}"})
        found = find(*(given[name][0] for name in NAMES))
        if found is None:
            return _send(env, start, "404 Not Found", {"error": "there is no such path"})
        samples = [[round(age, 3), each.outcome, each.rtt, each.sent, each.lost] for age, each in found]
        return _send(env, start, "200 OK", {"version": VERSION, "samples": samples})

    return answer


def _send(env: dict[str, Any], start: StartResponse, status: str, document: object) -> Iterable[bytes]:
    body = json.dumps(document).encode() + b"\n"
    allow = [("Allow", "GET, HEAD")] if status.startswith("405") else []
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *allow])
    return [body] if env["REQUEST_METHOD"] != "HEAD" else []
