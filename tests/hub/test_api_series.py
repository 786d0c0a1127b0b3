"""The data of charts: from a real prober, and from a real Prometheus that scrapes it."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import gevent
import pytest

from smoker_hub.collect import Address, Collector
from smoker_hub.history.rows import PathName, PathOf
from smoker_hub.hub import Hub
from smoker_hub.web import series
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from tests import prometheus
from tests.conftest import Start, eventually
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.stand_ins import HOST, FixedAddresses, ManualClock, hub_of, probers
from tests.hub.test_api import HOSTILE, ask_of

NODE = "node-1"


class RealProber:
    """A real prober that asks a real echo, and a hub that asks the prober."""

    def __init__(self, start: Start) -> None:
        echo = start("smoker-tcp-echo", TCP_PORT=0)
        self.prober = start(
            "smoker-prober",
            "run",
            SERVER_HOST=HOST,
            TCP_PORT=echo.ports["TCP_PORT"],
            PROBES="tcp",
            NODE_NAME=NODE,
            TEST_INTERVAL=0.2,
            TEST_TIMEOUT=0.1,
        )
        self.echo = echo
        self.places = FixedAddresses(Address(NODE, "pod", HOST, self.prober.ports["ADMIN_PORT"]))
        self.hub = Hub(self.places, Collector(self.places, timeout=5.0), interval=5.0, cluster="blue")
        eventually("the prober has a result", self._probed)
        self.path: str = self.get("", "paths")["paths"][0]["id"]

    def _probed(self) -> bool:
        self.hub.look()
        return any(path.last for state in self.hub.collected.states for path in state.paths)

    def ask(self, url: str, path: str, query: str = "") -> tuple[int, Any]:
        sources = Sources(hub=self.hub, stream=Stream(self.hub), addresses=self.places, prometheus=url)
        status, body, _ = ask_of(sources, f"/api/v1/{path}", query=query)
        return status, json.loads(body)

    def get(self, url: str, path: str, query: str = "") -> Any:
        status, found = self.ask(url, path, query)
        assert status == 200, found
        return found


@pytest.fixture
def real(start: Start) -> RealProber:
    return RealProber(start)


def test_a_prober_returns_its_last_hour(real: RealProber) -> None:
    """Without Prometheus each result of the prober is a point; a failure has no round trip."""
    rtt = real.get("", "series", f"path={real.path}")
    assert (rtt["source"], rtt["metric"], len(rtt["at"])) == ("prober", "rtt", len(rtt["value"]))
    assert all(0 < value < 1 for value in rtt["value"])
    assert all(rtt["since"] <= at <= rtt["until"] for at in rtt["at"])
    assert rtt["at"] == sorted(rtt["at"])
    assert set(real.get("", "series", f"path={real.path}&metric=failures")["value"]) == {0.0}
    assert real.get("", "series", f"path={real.path}&metric=loss")["value"] == []
    real.echo.stop()
    eventually("failures show", lambda: 1.0 in real.get("", "series", f"path={real.path}&metric=failures")["value"])
    assert real.get("", "series", f"path={real.path}&until=1000")["value"] == []
    assert real.ask("", "series", f"path={real.path}&since=2&until=1")[0] == 400
    assert real.ask("", "series", "path=00000000000f")[0] == 404
    assert real.ask("", "series")[0] == 400


def test_a_prober_that_is_gone_has_no_series(real: RealProber) -> None:
    """A prober that is gone gives a problem with a cause and not an empty chart."""
    real.prober.stop()
    status, found = real.ask("", "series", f"path={real.path}")
    assert (status, "does not answer" in found["detail"]) == (502, True)
    real.places.addresses.clear()
    assert real.ask("", "series", f"path={real.path}")[0] == 404


def test_prometheus_returns_more_than_an_hour(real: RealProber, tmp_path: Path) -> None:
    """If its address is set each metric comes from a real Prometheus, with the labels that the scrape adds."""
    target = {"targets": [f"{HOST}:{real.prober.ports['ADMIN_PORT']}"], "labels": {"node": NODE}}
    job = {"job_name": "smoker", "scrape_interval": "1s", "scrape_timeout": "1s", "static_configs": [target]}
    with prometheus.serving(tmp_path, {"scrape_configs": [job]}, "") as url:
        rtt = eventually("it has scraped", lambda: (got := real.get(url, "series", f"path={real.path}"))["at"] and got)
        assert (rtt["source"], rtt["step"]) == ("prometheus", 15.0)
        assert all(0 < value < 1 for value in rtt["value"])
        failures = f"path={real.path}&metric=failures&points=60"
        eventually("no attempt fails", lambda: real.get(url, "series", failures)["value"][-1:] == [0.0])
        real.echo.stop()
        eventually("failures show", lambda: (real.get(url, "series", failures)["value"] or [0.0])[-1] > 0)
        assert real.get(url, "series", f"path={real.path}&metric=loss")["at"] == []
        assert len(real.get(url, "series", f"path={real.path}&points=2")["at"]) <= 3


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "status 503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "sends no result"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "status 302"),
        (b"SSH-2.0-x\r\n", "does not answer"),
    ],
)
def test_a_server_that_is_not_prometheus_is_an_error(raw: bytes, word: str) -> None:
    """Another server gives a 502 with a cause; a redirect is not followed."""

    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(65_536)
            sock.sendall(raw)

    with socket.create_server((HOST, 0)) as listener, probers(Cluster(nodes(2)).states()) as found:
        hub = hub_of(found, ManualClock())
        hub.look()
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        sources = Sources(hub=hub, stream=Stream(hub), prometheus=url)
        path = json.loads(ask_of(sources, "/api/v1/paths")[1])["paths"][0]["id"]
        served = gevent.spawn(serve)
        status, body, _ = ask_of(sources, "/api/v1/series", query=f"path={path}")
        served.join(5)
    assert status == 502
    assert word in json.loads(body)["detail"]


def test_names_are_escaped_in_queries() -> None:
    """A target with quotes, backslashes and line ends is one label value of the query."""
    name = f'"}} or vector(1) # \\ {HOSTILE}'
    path = PathOf(NODE, "pod", PathName("external", name, "other", "", "tcp", ""))
    text = series.query(path, "failures", 60.0)
    assert text.count('target="\\"} or vector(1) # \\\\ <img src=x onerror=\\"alert(1)\\">') == 2
    assert "\n" not in text
    assert text.count(',plane="other",family=""') == 2
    service = PathOf(NODE, "pod", PathName("service", "echo:8080", "service", "", "tcp", ""))
    assert 'plane=""' in series.query(service, "rtt", 1.0)
