"""Peers from EndpointSlices."""

from __future__ import annotations

import itertools
import json
import random
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from smoker_kube.api import Api
from smoker_kube.slices import SERVICE
from smoker_prober.config.service import Ports
from smoker_prober.peers.endpoints import Discovery, endpoints, peers
from smoker_prober.peers.peer import Peer
from smoker_prober.target import HOST, POD
from tests.conftest import eventually
from tests.kube.fake_api import CHUNKED, Fake, answer, event, faking, hold, page, watch

SERVICES = {"probers": POD, "probers-host": HOST}
PORTS = Ports(8080, 8081, 8082, 8062)
NAMED = [
    {"name": "tcp-echo", "port": 8080, "protocol": "TCP"},
    {"name": "udp-echo", "port": 8081, "protocol": "UDP"},
    {"name": "http-echo", "port": 8082, "protocol": "TCP"},
    {"name": "stamp", "port": 8062, "protocol": "UDP"},
]
READY = {"ready": True, "serving": True, "terminating": False}


def endpoint(address: str, node: str = "node-1", pod: str = "pod-a", **more: Any) -> dict[str, Any]:
    """An endpoint as the cluster writes it."""
    ref = {"kind": "Pod", "name": pod, "uid": f"uid-of-{pod}"}
    return {"addresses": [address], "conditions": READY, "nodeName": node, "zone": "zone-a", "targetRef": ref} | more


def slice_of(*found: Any, service: str = "probers", family: str = "IPv4", name: str = "s", **more: Any) -> Any:
    """A slice as the cluster writes it."""
    about = {"name": name, "resourceVersion": "1", "labels": {SERVICE: service}}
    return {"metadata": about, "addressType": family, "endpoints": list(found), "ports": NAMED} | more


def peer(address: str, *more: str, node: str = "node-1", network: str = POD, pod: str = "pod-a") -> Peer:
    return Peer(node, "zone-a", network, pod, (address, *more), PORTS)


def found(*slices: Any) -> frozenset[Peer]:
    return peers(map(endpoints, slices), SERVICES)


def test_a_ready_endpoint_is_a_peer() -> None:
    """A peer has node, zone, network, pod, address, and ports by their names."""
    assert found(slice_of(endpoint("10.0.0.1"))) == {peer("10.0.0.1")}


def test_two_families_are_one_peer() -> None:
    """A peer with a slice per family has IPv4 first, whichever slice comes first."""
    both = [slice_of(endpoint("fd00::1"), family="IPv6"), slice_of(endpoint("10.0.0.1"))]
    for slices in (both, both[::-1]):
        assert found(*slices) == {peer("10.0.0.1", "fd00::1")}


def test_ipv6_alone() -> None:
    """A cluster without IPv4 has peers as well."""
    assert found(slice_of(endpoint("fd00::1"), family="IPv6")) == {peer("fd00::1")}


def test_a_pod_in_two_slices_is_one_peer() -> None:
    """A pod that is in two slices while the cluster moves it is one peer."""
    assert found(slice_of(endpoint("10.0.0.1")), slice_of(endpoint("10.0.0.1"))) == {peer("10.0.0.1")}


def test_the_service_decides_the_network_of_a_peer() -> None:
    """A node has a peer on each network. An unknown Service has none."""
    slices = [slice_of(endpoint(f"10.0.0.{n}"), service=name) for n, name in enumerate([*SERVICES, "stranger"])]
    assert found(*slices) == {peer("10.0.0.0"), peer("10.0.0.1", network=HOST)}


@pytest.mark.parametrize(
    ("conditions", "counts"),
    [
        ({}, True),
        (None, True),
        ({"ready": None}, True),
        ({"ready": True}, True),
        ({"ready": True, "serving": None, "terminating": None}, True),
        ({"ready": False}, False),
        ({"ready": False, "serving": True, "terminating": True}, False),
        ({"ready": True, "serving": True, "terminating": True}, False),
        ({"ready": True, "serving": False}, False),
        ({"terminating": True}, False),
    ],
)
def test_who_is_ready(conditions: Any, counts: bool) -> None:
    """An endpoint without the condition is ready. A terminating one is not a peer, although it still serves."""
    assert bool(found(slice_of(endpoint("10.0.0.1", conditions=conditions)))) is counts


def test_two_pods_of_a_node() -> None:
    """If both pods are ready in a rollout, the last one by name is the peer, with its own addresses."""
    slices = [
        slice_of(endpoint("10.0.0.1", pod="pod-a")),
        slice_of(endpoint("10.0.0.2", pod="pod-b")),
        slice_of(endpoint("fd00::1", pod="pod-a"), family="IPv6"),
    ]
    for order in itertools.permutations(slices):
        assert found(*order) == {peer("10.0.0.2", pod="pod-b")}


@pytest.mark.parametrize("missing", ["tcp-echo", "udp-echo", "http-echo", "stamp"])
def test_a_slice_without_one_of_the_ports(missing: str) -> None:
    """Endpoints of a slice without one of the ports are not peers."""
    ports = [port for port in NAMED if port["name"] != missing]
    assert found(slice_of(endpoint("10.0.0.1"), ports=ports)) == frozenset()


def test_each_slice_has_its_own_ports() -> None:
    """In a rollout that moves ports, pods with new ports are in slices of their own."""
    moved = [port | {"port": 9000 + number} for number, port in enumerate(NAMED)]
    old, new = endpoint("10.0.0.1"), endpoint("10.0.0.2", "node-2", "pod-b")
    by_node = {each.node: each.ports for each in found(slice_of(old), slice_of(new, ports=moved))}
    assert by_node == {"node-1": PORTS, "node-2": Ports(9000, 9001, 9002, 9003)}


@pytest.mark.parametrize(
    "change",
    [
        {"addresses": []},
        {"addresses": None},
        {"addresses": "10.0.0.1"},
        {"addresses": [7]},
        {"addresses": ["prober.example"]},
        {"addresses": ["fd00::1"]},
        {"nodeName": None},
        {"nodeName": ""},
        {"nodeName": 7},
    ],
)
def test_an_endpoint_without_a_node_or_address_is_ignored(change: dict[str, Any]) -> None:
    """An endpoint without an address of the slice's family, or without a node, is ignored; others count."""
    slices = slice_of(endpoint("10.0.0.1") | change, endpoint("10.0.0.2", "node-2"))
    assert found(slices) == {peer("10.0.0.2", node="node-2")}


@pytest.mark.parametrize(
    "change",
    [
        {"addressType": "FQDN"},
        {"addressType": None},
        {"metadata": None},
        {"metadata": {"labels": None}},
        {"metadata": {"labels": {SERVICE: 7}}},
        {"ports": None},
        {"ports": [None, 7, {"name": "tcp-echo"}]},
        {"ports": [port | {"port": "8080"} for port in NAMED]},
        {"ports": [port | {"port": True} for port in NAMED]},
        {"ports": [port | {"port": 70_000} for port in NAMED]},
        {"endpoints": None},
        {"endpoints": {"a": 1}},
        {"endpoints": [None, 7, "x", [], {}]},
    ],
)
def test_a_slice_without_endpoints(change: dict[str, Any]) -> None:
    """Missing fields and those of another type are ignored and raise nothing."""
    assert found(slice_of(endpoint("10.0.0.1")) | change) == frozenset()


@pytest.mark.parametrize("nonsense", [None, 7, "x", [], {}])
def test_a_malformed_slice_is_ignored(nonsense: Any) -> None:
    """A value that is not an object gives no peers."""
    assert endpoints(nonsense) == ()


def test_no_content_of_a_slice_raises() -> None:
    """Any value in any place raises nothing: a thousand random ones, always the same."""
    chance = random.Random(4711)
    values: list[Any] = [None, True, 7, -1, 1e300, "", "x", [], [None], {}, {"name": []}, {"a": {}}]

    def damaged(tree: Any) -> Any:
        if chance.random() < 0.1:
            return chance.choice(values)
        if isinstance(tree, dict):
            return {key: damaged(value) for key, value in tree.items()}
        return [damaged(value) for value in tree] if isinstance(tree, list) else tree

    whole = slice_of(endpoint("10.0.0.1"), endpoint("10.0.0.2", "node-2", "pod-b"))
    for _ in range(1000):
        for each in found(damaged(whole)):
            assert all(isinstance(text, str) and text for text in (each.node, *each.addresses))


def test_an_unnamed_pod_and_no_zone() -> None:
    """An endpoint without pod name and zone, as in a slice made by hand, is a peer."""
    bare = {"addresses": ["10.0.0.1"], "nodeName": "node-1"}
    assert found(slice_of(bare)) == {Peer("node-1", "", POD, "", ("10.0.0.1",), PORTS)}


@pytest.fixture
def fake() -> Iterator[Fake]:
    """`fake(*script)` returns an API that follows the script."""
    with faking() as one:
        yield one


def test_changed_peers_are_reported(fake: Fake, tmp_path: Path) -> None:
    """The list makes one call and so does each change; an event without a change makes none."""
    one, two = endpoint("10.0.0.1"), endpoint("10.0.0.2", "node-2", "pod-b")
    leaving = two | {"conditions": {"ready": False, "serving": True, "terminating": True}}
    told: list[frozenset[Peer]] = []

    def one_by_one(sock: socket.socket) -> bool:
        """Send each event once the call for the one before has come."""
        sock.sendall(CHUNKED)
        changes = [((one, two), 1), ((two, one), 2), ((one, leaving), 2), ((one,), 3)]
        events = [({"type": "MODIFIED", "object": slice_of(*each)}, before) for each, before in changes]
        for each, before in [*events, (event("DELETED", "s", "9"), 3)]:
            eventually("the call for the one before has come", partial(lambda count: len(told) >= count, before))
            data = json.dumps(each).encode() + b"\n"
            sock.sendall(b"%x\r\n%s\r\n" % (len(data), data))
        return hold(sock)

    server = fake(page(slice_of(one)), one_by_one)
    api = Api(server.url, token=tmp_path / "token")
    discovery = Discovery(api, namespace="here", services=SERVICES, changed=told.append)
    assert (discovery.known, discovery.peers) == (False, frozenset())
    assert discovery.stale is not None
    discovery.start()
    first, second = peer("10.0.0.1"), peer("10.0.0.2", node="node-2", pod="pod-b")
    eventually("all calls have come", lambda: len(told) == 4)
    assert told == [{first}, {first, second}, {first}, frozenset()]
    assert discovery.known
    assert discovery.stale is None
    eventually("they are known", lambda: not discovery.peers)
    discovery.close()
    request = server.requests[0]
    assert request.path == "/apis/discovery.k8s.io/v1/namespaces/here/endpointslices"
    assert request.query["labelSelector"] == f"{SERVICE} in (probers,probers-host)"


def test_a_burst_of_changes_is_reported_once(fake: Fake, tmp_path: Path) -> None:
    """Changes during a call and for a while after it make one call, with the last state."""
    events = [{"type": "MODIFIED", "object": slice_of(endpoint(f"10.0.0.{number}"))} for number in range(2, 102)]
    server = fake(page(slice_of(endpoint("10.0.0.1"))), watch(*events))
    told: list[frozenset[Peer]] = []

    def changed(peers: frozenset[Peer]) -> None:
        told.append(peers)
        eventually("all have come", lambda: len(server.requests) >= 2)

    discovery = Discovery(
        Api(server.url, token=tmp_path / "token"), namespace="here", services=SERVICES, changed=changed
    )
    discovery.start()
    eventually("the last state has come", lambda: told and told[-1] == {peer("10.0.0.101")})
    assert len(told) <= len(events) / 2
    discovery.close()


def test_the_last_peers_are_kept_while_the_api_is_unreachable(fake: Fake, tmp_path: Path) -> None:
    """An API that fails removes no peer."""
    server = fake(page(slice_of(endpoint("10.0.0.1"))), *[answer(500)] * 3)
    api, pauses = Api(server.url, token=tmp_path / "token"), list[float]()
    told: list[frozenset[Peer]] = []
    discovery = Discovery(api, namespace="here", services=SERVICES, changed=told.append, pause=pauses.append)
    discovery.start()
    eventually("it has failed", lambda: len(pauses) == 3)
    server.asked(5)  # the last one is not answered
    assert told == [discovery.peers] == [{peer("10.0.0.1")}]
    assert discovery.known
    assert discovery.stale is not None
    discovery.close()


def test_a_failed_report_of_peers_is_repeated(fake: Fake, tmp_path: Path) -> None:
    """If the listener fails it is called again; otherwise no peer would be probed until the next change."""
    told: list[frozenset[Peer]] = []

    def changed(peers: frozenset[Peer]) -> None:
        told.append(peers)
        if len(told) == 1:
            raise RuntimeError("ours")

    server = fake(page(slice_of(endpoint("10.0.0.1"))))
    api = Api(server.url, token=tmp_path / "token")
    discovery = Discovery(api, namespace="here", services=SERVICES, changed=changed, again=0)
    discovery.start()
    eventually("it is called again", lambda: len(told) == 2)
    assert told == [{peer("10.0.0.1")}] * 2
    discovery.close()
