"""An API server with Leases on loopback: names, versions, conflicts and rights as in the real one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gevent.pywsgi import WSGIServer

from smoker_common.listen import tcp_listener
from smoker_kube.lease import path

HOST = "127.0.0.1"
NAMESPACE = "net"
REASONS = {
    200: "OK",
    201: "Created",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    422: "Invalid",
    503: "Unavailable",
}


class Leases:
    """The stored Leases by name. `status`: answer everything with it, unless it is 0; `refuses`: only writes."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.status = self.refuses = 0
        self.asked: Callable[[], object] = lambda: None  # called with each request
        self.writes = 0
        self.raced: dict[str, Any] | None = None  # what another writer stores just before the next write
        self._version = 0
        listener = tcp_listener(HOST, 0)
        self.url = f"http://{HOST}:{listener.getsockname()[1]}"
        self.server = WSGIServer(listener, self._serve, log=None)
        self.server.start()

    def holder(self, name: str) -> str:
        """Return the holder of a Lease."""
        return str(self.items[name]["spec"]["holderIdentity"])

    def store(self, name: str, spec: dict[str, Any], metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Store a Lease under the next version."""
        self._version += 1
        own = {"name": name, "namespace": NAMESPACE, "resourceVersion": str(self._version)}
        metadata = {**(metadata or {}), **own}
        self.items[name] = {"metadata": metadata, "spec": spec}
        return self.items[name]

    def _serve(self, env: dict[str, Any], start: Any) -> list[bytes]:
        status, body = self._answer(env)
        start(f"{status} {REASONS[status]}", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    def _answer(self, env: dict[str, Any]) -> tuple[int, Any]:
        self.asked()
        if self.status:
            return self.status, {}
        name = env["PATH_INFO"].removeprefix(path(NAMESPACE)).strip("/")
        if env["REQUEST_METHOD"] == "GET":
            return (200, self.items[name]) if name in self.items else (404, {})
        if self.refuses:
            return self.refuses, {}
        self.writes += 1
        item = json.loads(env["wsgi.input"].read())
        name = item["metadata"]["name"]
        if self.raced is not None:
            self.store(name, self.raced)
            self.raced = None
        if env["REQUEST_METHOD"] == "POST":
            return 403, {}  # the Role allows creating one name, and POST has none
        kept = self.items.get(name)
        if kept is None:
            return 201, self.store(name, item["spec"], item["metadata"])
        if "resourceVersion" not in item["metadata"]:
            return 422, {}
        if item["metadata"]["resourceVersion"] != kept["metadata"]["resourceVersion"]:
            return 409, {}
        return 200, self.store(name, item["spec"], item["metadata"])


@contextlib.contextmanager
def leases() -> Iterator[Leases]:
    """An API server with Leases."""
    made = Leases()
    try:
        yield made
    finally:
        made.server.stop(timeout=0)
