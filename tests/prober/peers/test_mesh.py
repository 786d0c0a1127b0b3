"""From the API's answers to the probed paths, and what a prober reports about them."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from smoker_diagnosis.state import decode
from smoker_kube.api import Api
from smoker_kube.slices import SERVICE
from smoker_prober.peers.endpoints import PORTS
from smoker_prober.peers.mesh import Mesh
from smoker_prober.snapshot import MeshView
from tests.conftest import eventually
from tests.kube.fake_api import answer, faking, page, watch
from tests.prober.targets import Made, Stepped, settings_of, variables_for

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


def view(made: Made) -> MeshView:
    """Return the mesh as in the snapshot."""
    found = made.store.snapshot().mesh
    assert found is not None
    return found


@pytest.mark.parametrize("step", [1000.0, -1000.0])
def test_since_when_the_api_does_not_answer(tmp_path: Path, step: float) -> None:
    """`stale_since` is the same time ago after the wall clock was set."""
    clock = Stepped()
    settings = settings_of(variables_for({}) | VARIABLES)
    made = Made(settings, clock=clock)
    api = Api("http://127.0.0.1:1", token=tmp_path / "token")
    Mesh(settings, api, made.prober.set_peers, made.store, set(), arrivals=made.arrivals, clock=clock)
    clock.passes(60.0, step=step)
    found = made.store.snapshot()
    assert found.mesh is not None
    assert (found.time, found.mesh.stale_since, found.mesh.api) == (
        clock.wall_time(),
        clock.wall_time() - 60,
        "waiting",
    )


def test_how_the_api_refuses_is_in_the_snapshot(tmp_path: Path) -> None:
    """The snapshot has the word, the status and the cause."""
    settings = settings_of(variables_for({}) | VARIABLES)
    made = Made(settings)
    with faking() as fake:
        api = Api(fake(answer(403)).url, token=tmp_path / "token")
        mesh = Mesh(settings, api, made.prober.set_peers, made.store, set(), arrivals=made.arrivals)
        mesh.start()
        eventually("it is refused", lambda: view(made).api != "waiting")
        mesh.close()
    found = view(made)
    assert (found.api, found.api_status, found.api_cause) == ("refused", 403, "403 Reason")
    assert found.stale_since is not None
    assert decode(made.store.document()[1]).api == "refused"


def test_what_a_prober_knows_of_its_mesh(tmp_path: Path) -> None:
    """Nodes and probers are counted separately, each path is expected, and a peer's answer is not answered."""
    never = {7}
    settings = settings_of(variables_for({}) | VARIABLES)
    made = Made(settings)
    listed = page(slice_of("pods", 8080, "node-1", "node-2", "node-3"), slice_of("hosts", 18010, "node-1", "node-2"))
    with faking() as fake:
        server = fake(listed)
        api = Api(server.url, token=tmp_path / "token")
        mesh = Mesh(settings, api, made.prober.set_peers, made.store, never, arrivals=made.arrivals)
        mesh.start()
        eventually("peers are known", lambda: view(made).known)
        server.asked(2)  # the watch has connected: a greenlet that is ended while it connects leaves its socket open
        mesh.close()
    found = made.store.snapshot()
    paths = {(path.target, path.plane) for path in found.paths}
    assert paths == {("node-2", "pod"), ("node-3", "pod"), ("node-1", "pod-host"), ("node-2", "pod-host")}
    assert found.mesh == MeshView(
        known=2, probers=4, probed=2, paths=12, stale_since=None, api="ok", api_status=None, api_cause=""
    )
    assert len(found.paths) == 12
    assert {path.last for path in found.paths} == {""}
    assert (found.zone, made.store.where()) == ("zone-node-1", {"network": "pod", "zone": "zone-node-1"})
    assert never == {7, 8081, 8083, 18011, 18013}


def test_the_state_says_how_an_echo_moved(tmp_path: Path) -> None:
    """The node of its pod before, and the instant on the clock of the state, so that a hub can start at any time."""
    settings = settings_of(variables_for({}) | VARIABLES | {"SERVER_HOST": "echoes"})
    made = Made(settings)

    def move(sock: socket.socket) -> bool:
        """Move the pod once the first list is known, and add a peer, so that there is a new document."""
        eventually("the list is known", lambda: decode(made.store.document()[1]).echoes.get("tcp") == ["node-3"])
        slices = slice_of("echoes", 8090, "node-2"), slice_of("pods", 8080, "node-1", "node-2", "node-3")
        return watch(*({"type": "MODIFIED", "object": each} for each in slices))(sock)

    listed = page(slice_of("pods", 8080, "node-1", "node-2"), slice_of("echoes", 8090, "node-3"))
    with faking() as fake:
        api = Api(fake(listed, move).url, token=tmp_path / "token")
        mesh = Mesh(settings, api, made.prober.set_peers, made.store, set(), arrivals=made.arrivals)
        mesh.start()
        eventually("it has moved", lambda: decode(made.store.document()[1]).moves)
        mesh.close()
    state = decode(made.store.document()[1])
    assert state.echoes["tcp"] == ["node-2"]
    found = state.moves["tcp"]
    assert (found.before, found.since) == (["node-3"], found.at)
    assert 0 <= state.at - found.at < 60
