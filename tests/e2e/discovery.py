"""The pods of a namespace as targets, for a Prometheus that is built without Kubernetes' discovery, as Debian's is.

It is told by HTTP what that discovery would find (role: pod), in the same labels: so relabelings are the same as well.
Of these labels there are those that a PodMonitor can need, for ports that a pod declares.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.conftest import DIRECT
from tests.e2e.cluster import Object

POD = "__meta_kubernetes_pod"


def targets(pods: list[Object]) -> Iterator[Object]:
    """Return every port of every pod with an address, including terminating pods."""
    for pod in pods:
        about, spec, status = pod["metadata"], pod["spec"], pod["status"]
        labels = {
            "__meta_kubernetes_namespace": about["namespace"],
            f"{POD}_name": about["name"],
            f"{POD}_node_name": spec.get("nodeName", ""),
            f"{POD}_phase": status["phase"],
            **{f"{POD}_label_{word(name)}": value for name, value in about.get("labels", {}).items()},
        }
        for container in spec["containers"] if "podIP" in status else ():
            for port in container.get("ports", ()):
                of_port = {"name": port.get("name", ""), "number": str(port["containerPort"])}
                yield {
                    "targets": [f"{status['podIP']}:{port['containerPort']}"],
                    "labels": {
                        **labels,
                        f"{POD}_container_name": container["name"],
                        **{f"{POD}_container_port_{key}": value for key, value in of_port.items()},
                    },
                }


def word(label: str) -> str:
    """Return the name of a pod's label in Prometheus' spelling."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in label)


@contextmanager
def discovery(api: str, namespace: str) -> Iterator[str]:
    """Yield the URL that serves the present targets of a namespace, by the API at `api` (host:port)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with DIRECT.open(f"http://{api}/api/v1/namespaces/{namespace}/pods", timeout=5) as answer:
                found = json.dumps(list(targets(json.load(answer)["items"]))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Do not log each request."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()
