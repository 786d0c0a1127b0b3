"""From what the API says to what is probed, and what a prober says of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from smoker_kube.api import Api
from smoker_kube.slices import SERVICE
from smoker_prober.peers.direction import Arrivals
from smoker_prober.peers.endpoints import PORTS
from smoker_prober.peers.mesh import Mesh
from smoker_prober.prober import Prober
from smoker_prober.store.state import StateSink
from smoker_prober.store.windows import Memory
from tests.conftest import eventually
from tests.kube.fake_api import answer, faking, page
from tests.prober.targets import Stepped, settings_of, variables_for

VARIABLES = {"NAMESPACE": "net", "PEER_SERVICE": "pods", "PEER_HOST_SERVICE": "hosts", "NODE_NAME": "node-1"}


def slice_of(service: str, port: int, *nodes: str) -> dict[str, Any]:
    """An EndpointSlice of probers on `nodes`, whose ports begin with `port`."""
    return {
        "metadata": {"name": service, "labels": {SERVICE: service}},
        "addressType": "IPv4",
        "ports": [{"name": name, "port": port + index} for index, name in enumerate(PORTS)],
        "endpoints": [
            {"addresses": [f"127.0.1.{port % 100 + index}"], "nodeName": node, "zone": f"zone-{node}"}
            for index, node in enumerate(nodes)
        ],
    }


@pytest.mark.parametrize("step", [1000.0, -1000.0])
def test_since_when_the_api_does_not_answer(tmp_path: Path, step: float) -> None:
    """`stale_since` is as long ago as it was, by the wall clock of now."""
    clock = Stepped()
    settings, memory = settings_of(variables_for({}) | VARIABLES), Memory(clock)
    prober = Prober(settings, {}, memory, CollectorRegistry(), arrivals=Arrivals(), state=StateSink.of(settings))
    Mesh(
        settings,
        Api("http://127.0.0.1:1", token=tmp_path / "token"),
        prober,
        memory,
        set(),
        state=StateSink.of(settings),
        arrivals=Arrivals(),
        clock=clock,
    )
    clock.passes(60.0, step=step)
    found = memory.snapshot()
    assert (found["time"], found["mesh"]["stale_since"]) == (clock.wall(), clock.wall() - 60)
    assert found["mesh"]["api"] == "waiting"


def test_how_the_api_refuses_is_in_the_snapshot(tmp_path: Path) -> None:
    """The word, the status and the cause."""
    settings, memory = settings_of(variables_for({}) | VARIABLES), Memory()
    state = StateSink.of(settings)
    prober = Prober(settings, {}, memory, CollectorRegistry(), arrivals=Arrivals(), state=state)
    with faking() as fake:
        api = Api(fake(answer(403)).url, token=tmp_path / "token")
        mesh = Mesh(settings, api, prober, memory, set(), state=state, arrivals=Arrivals())
        mesh.start()
        eventually("it is refused", lambda: memory.snapshot()["mesh"]["api"] != "waiting")
        mesh.close()
    found = memory.snapshot()["mesh"]
    assert (found["api"], found["api_status"], found["api_cause"]) == ("refused", 403, "403 Reason")
    assert found["stale_since"] is not None
    assert state.state().api == "refused"


def test_what_a_prober_knows_of_its_mesh(tmp_path: Path) -> None:
    """Nodes and probers are counted apart, each path is expected, and no peer's answer is answered."""
    memory, never = Memory(), {7}
    settings = settings_of(variables_for({}) | VARIABLES)
    prober = Prober(settings, {}, memory, CollectorRegistry(), arrivals=Arrivals(), state=StateSink.of(settings))
    listed = page(slice_of("pods", 8080, "node-1", "node-2", "node-3"), slice_of("hosts", 18010, "node-1", "node-2"))
    with faking() as fake:
        server = fake(listed)
        settings = settings_of(variables_for({}) | VARIABLES)
        mesh = Mesh(
            settings,
            Api(server.url, token=tmp_path / "token"),
            prober,
            memory,
            never,
            state=StateSink.of(settings),
            arrivals=Arrivals(),
        )
        mesh.start()
        eventually("peers are known", lambda: memory.snapshot()["mesh"]["known"])
        mesh.close()
    found = memory.snapshot()
    ways = {(path["target"], path["plane"]) for path in found["paths"]}
    assert ways == {("node-2", "pod"), ("node-3", "pod"), ("node-1", "pod-host"), ("node-2", "pod-host")}
    well = {"stale_since": None, "api": "ok", "api_status": None, "api_cause": ""}
    assert found["mesh"] == {"known": 2, "probers": 4, "probed": 2, "paths": 12, **well}
    assert len(found["paths"]) == 12
    assert {path["last"] for path in found["paths"]} == {""}
    assert found["zone"] == "zone-node-1"
    assert never == {7, 8081, 8083, 18011, 18013}
