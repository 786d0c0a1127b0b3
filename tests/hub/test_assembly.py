"""The parts of a hub together: what each setting names is in use."""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gevent.pywsgi import WSGIServer
from prometheus_client import CollectorRegistry

from smoker_common.listen import tcp_listener
from smoker_common.settings import parse
from smoker_common.work import Work
from smoker_hub import assembly
from smoker_hub.settings import Settings
from smoker_kube.api import Api
from tests.conftest import DIRECT, eventually
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.leases import NAMESPACE, leases
from tests.hub.stand_ins import HOST, probers

POINT = [1000.0, "0.25"]  # that the stand-in of Prometheus answers with


@contextlib.contextmanager
def running(work: Work) -> Iterator[None]:
    """Run the parts of a hub."""
    work.start()
    try:
        yield
    finally:
        work.retire()
        work.close()
        work.drain(1.0)


@contextlib.contextmanager
def prometheus() -> Iterator[str]:
    """Yield the URL of a server that answers queries as Prometheus does."""

    def serve(env: dict[str, Any], respond: Any) -> list[bytes]:
        found = env["PATH_INFO"] == "/prom/api/v1/query_range"
        respond("200 OK" if found else "404 Not Found", [("Content-Type", "application/json")])
        return [json.dumps({"status": "success", "data": {"result": [{"values": [POINT]}]}}).encode()]

    listener = tcp_listener(HOST, 0)
    server = WSGIServer(listener, serve, log=None)
    server.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}/prom"
    finally:
        server.stop(timeout=0)


@pytest.mark.parametrize("name", ["smoker-hub", ""])
def test_a_hub_with_a_lease_name_takes_the_lease(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Where LEASE_NAME is set, a hub that runs holds the Lease, and its metric says that it notifies."""
    settings, problems = parse(Settings, {"NAMESPACE": NAMESPACE})
    assert not problems
    registry, listener = CollectorRegistry(), tcp_listener("127.0.0.1", 0)
    with leases() as api:
        monkeypatch.setattr(assembly, "kubernetes_of", lambda _: Api(api.url))
        work = assembly.build(replace(settings, lease_name=name), {"http_port": [listener]}, registry)
        held = registry.get_sample_value("smoker_hub_notifies")
        assert held == (0.0 if name else 1.0)
        with running(work):
            eventually("it notifies", lambda: registry.get_sample_value("smoker_hub_notifies") == 1.0)
            assert list(api.items) == ([name] if name else [])
        if name:
            assert api.holder(name) == "", "it gave it back"


def test_charts_come_from_the_prometheus_of_the_settings() -> None:
    """Where PROMETHEUS_URL is set, a hub that runs reads the points of a chart from there."""
    with probers(Cluster(nodes(2)).states()) as found, prometheus() as url:
        peers = ",".join(f"{prober.address.node}={HOST}:{prober.address.port}" for prober in found[:1])
        settings, problems = parse(Settings, {"PEERS": peers, "PROMETHEUS_URL": url})
        assert not problems
        listener = tcp_listener(HOST, 0)

        def ask(path: str) -> Any:
            with DIRECT.open(f"http://{HOST}:{listener.getsockname()[1]}/api/v1/{path}", timeout=10) as answer:
                return json.load(answer)

        with running(assembly.build(settings, {"http_port": [listener]}, CollectorRegistry())):
            path = eventually("a path is known", lambda: ask("paths")["paths"])[0]["id"]
            series = ask(f"series?path={path}")
        assert (series["source"], series["at"], series["value"]) == ("prometheus", [1000.0], [0.25])


def test_every_setting_is_used() -> None:
    """Each field of the settings is read somewhere in the hub's code; a port is the socket that was opened for it."""
    read = set()
    for file in Path(assembly.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "settings":
                read.add(node.attr)
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "sockets":
                read.add(ast.literal_eval(node.slice))
    assert set(Settings.__annotations__) - read == set()
