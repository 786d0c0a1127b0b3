"""A prober answers its peers as the echo services do."""

from __future__ import annotations

import socket

import pytest

from smoker_prober.network.resolve import address
from smoker_prober.probes import ECHOED
from smoker_prober.probes.followups import train
from smoker_prober.result import Outcome
from tests.conftest import Process, Start, free_port
from tests.metrics_page import rows
from tests.prober.targets import HOST, PLENTY, probe

PORTS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "http": socket.SOCK_STREAM, "stamp": socket.SOCK_DGRAM}


@pytest.fixture
def peer(start: Start) -> tuple[Process, dict[str, int]]:
    """A prober that answers, and where."""
    ports = {name: free_port(kind) for name, kind in PORTS.items()}
    variables = {f"PEER_{name.upper()}_PORT": port for name, port in ports.items()}
    return start("smoker-prober", "run", SERVER_HOST=HOST, TEST_TIMEOUT=0.1, TCP_PORT=1, **variables), ports


def test_each_protocol_and_trains(peer: tuple[Process, dict[str, int]]) -> None:
    """It answers every probe that an echo service answers, and each packet of a train, and counts them."""
    process, ports = peer
    for name in ECHOED:
        assert probe(name, ports[name]).outcome is Outcome.SUCCESS
    found = train.run(address(HOST, ports["stamp"]), 5, 0.01, PLENTY)
    assert found is not None
    assert (found.sent, found.lost) == (5, 0)
    page = process.get("/metrics")[1]
    assert "smoker_echo_reflected_total 5.0" in page
    assert 'smoker_echo_connections_total{protocol="tcp"} 1.0' in page
    assert "smoker_echo_requests_total" in rows()


def test_without_ports_there_is_no_responder(start: Start) -> None:
    """A prober without peer ports opens only its admin port, and has no series of an echo."""
    process = start("smoker-prober", "run", SERVER_HOST=HOST, TEST_TIMEOUT=0.1)
    assert "smoker_echo_" not in process.get("/metrics")[1]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "DISCOVERY=endpointslice needs NAMESPACE, the namespace of the EndpointSlices"),
        (
            {"NAMESPACE": "net"},
            "there is no API server here, KUBERNETES_SERVICE_HOST is not set: PEERS is needed",
        ),
    ],
)
def test_peers_need_a_cluster(start: Start, variables: dict[str, str], words: str) -> None:
    """One sentence names what is missing; the exit code is 2."""
    environ = {"DISCOVERY": "endpointslice", "KUBERNETES_SERVICE_HOST": "", "NAMESPACE": "", **variables}
    process = start("smoker-prober", "run", ready=False, **environ)
    assert process.popen.wait(PLENTY) == 2
    assert process.stderr == f"smoker-prober: cannot start: {words}.\n"
