"""The parts of a hub together: what each setting names is in use."""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from gevent.pywsgi import WSGIServer
from prometheus_client import CollectorRegistry, generate_latest

from smoker_common.listen import tcp_listener
from smoker_common.settings import parse
from smoker_common.work import Work
from smoker_hub import assembly
from smoker_hub.nodes import Nodes
from smoker_hub.settings import Settings
from smoker_kube.api import Api
from tests.conftest import DIRECT, eventually
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.leases import NAMESPACE, leases
from tests.hub.stand_ins import HOST, FixedAddresses, probers
from tests.hub.test_nodes import item
from tests.kube.fake_api import answer, cut, faking, page, watch

SECRET = "a-token-that-nobody-sees"
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


def test_what_becomes_of_a_node_is_an_event(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hub that watches nodes keeps what becomes of them, in the words of its log."""
    variables = {"NAMESPACE": NAMESPACE, "WATCH_NODES": "true", "HISTORY_FOLDER": str(tmp_path)}
    settings, problems = parse(Settings, variables)
    assert not problems
    listener = tcp_listener(HOST, 0)
    unready = watch({"type": "MODIFIED", "object": item("node-2", "Unknown")})
    with probers(Cluster(nodes(2)).states()) as found, faking() as fake:
        api = fake(page(item("node-1"), item("node-2")), unready)
        monkeypatch.setattr(assembly, "kubernetes_of", lambda _: Api(api.url))

        def places(_settings: Settings, _api: Api, watched: Nodes) -> FixedAddresses:
            fixed = FixedAddresses(*(prober.address for prober in found))
            fixed.start = watched.start  # type: ignore[method-assign]
            return fixed

        monkeypatch.setattr(assembly, "places_of", places)

        def told() -> list[str]:
            try:
                with DIRECT.open(f"http://{HOST}:{listener.getsockname()[1]}/api/v1/events", timeout=10) as got:
                    events = json.load(got)["events"]
            except HTTPError:  # the file is not there yet
                return []
            return [each["text"] for each in events if (each["kind"], each["subject"]) == ("node_not_ready", "node-2")]

        with running(assembly.build(settings, {"http_port": [listener]}, CollectorRegistry())):
            eventually("it is an event", lambda: told() == ["node-2 is NotReady (KubeletNotReady)"])


def test_the_token_of_the_api_server_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, records: list[str]
) -> None:
    """No line of the hub, nor its page, export or metrics has the token that it sends to the API server."""
    token, registry, listener = tmp_path / "token", CollectorRegistry(), tcp_listener(HOST, 0)
    token.write_text(SECRET)
    settings, problems = parse(Settings, {"NAMESPACE": NAMESPACE, "WATCH_NODES": "true", "LEASE_NAME": "smoker-hub"})
    assert not problems
    with faking() as fake:
        api = fake(*[answer(401), cut, answer(500, b"{"), answer(403), page(item("node-1"))] * 3)
        monkeypatch.setattr(assembly, "kubernetes_of", lambda _: Api(api.url, token=token))
        with running(assembly.build(settings, {"http_port": [listener]}, registry)):
            eventually("it has asked again and again", lambda: len(api.requests) >= 5)
            shown = [generate_latest(registry).decode()]
            for path in ("", "api/v1/export", "api/v1/findings?format=text"):
                with DIRECT.open(f"http://{HOST}:{listener.getsockname()[1]}/{path}", timeout=10) as found:
                    shown.append(found.read().decode())
        assert {request.headers["authorization"] for request in api.requests} == {f"Bearer {SECRET}"}
    assert records, "the refusals were logged"
    assert [text for text in (*shown, *records) if SECRET in text] == []


def test_charts_come_from_the_prometheus_of_the_settings() -> None:
    """Where PROMETHEUS_URL is set, a hub that runs reads the points of a chart from there."""
    with probers(Cluster(nodes(2)).states()) as found, prometheus() as url:
        peers = ",".join(f"{prober.address.node}={HOST}:{prober.address.port}" for prober in found[:1])
        settings, problems = parse(Settings, {"PEERS": peers, "PROMETHEUS_URL": url})
        assert not problems
        listener = tcp_listener(HOST, 0)

        def ask(path: str) -> Any:
            with DIRECT.open(f"http://{HOST}:{listener.getsockname()[1]}/api/v1/{path}", timeout=10) as got:
                return json.load(got)

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
