"""Source ports: an echo does not answer datagrams from ports of echoes or from ports below 1024."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from smoker_prober.network.resolve import address
from smoker_prober.peers.responder import never_answered
from smoker_prober.probes.base import run
from smoker_prober.probes.datagram import TRIES, connected
from smoker_prober.probes.followups import path_mtu, train
from smoker_prober.probes.udp import probe
from smoker_prober.result import Outcome
from tests.conftest import free_port
from tests.namespace import in_namespace
from tests.prober.targets import HOST, NODE, PLENTY, settings_of, target

Give = Callable[[Iterable[int]], None]
UDP, STAMP, PEER = 8081, 8062, 9999


@pytest.fixture
def kernel_gives(monkeypatch: pytest.MonkeyPatch) -> Give:
    """`kernel_gives(ports)`: the kernel assigns these source ports, one after the other."""

    def give(ports: Iterable[int]) -> None:
        following = iter(ports)

        def bound(sock: socket.socket, where: Any) -> None:
            sock.bind((HOST, next(following)))
            connect(sock, where)

        monkeypatch.setattr(socket.socket, "connect", bound)

    connect = socket.socket.connect
    return give


def test_ports_that_no_echo_answers_are_released(kernel_gives: Give) -> None:
    """A port below 1024, the target's own and known ports of echoes are given back for the next one."""
    good, peer, echo, stamp = (free_port(socket.SOCK_DGRAM) for _ in range(4))
    never = never_answered(settings_of({"UDP_PORT": str(echo), "STAMP_PORT": str(stamp)})) | {peer}
    target = address(HOST, free_port(socket.SOCK_DGRAM))
    for _ in range(2):
        kernel_gives([7, 1, 1023, target.sockaddr[1], echo, stamp, peer, good])
        with connected(target, never=never) as sock:
            assert sock.getsockname()[1] == good


def test_a_range_of_refused_ports_is_a_local_error(kernel_gives: Give) -> None:
    """The number of tries is bounded. Then the probe is a local error in words, and a train finds nothing."""
    to, never = address(HOST, 9), range(1024, 2048)
    kernel_gives(range(1024, 1024 + TRIES))
    assert train.run(to, 5, 0.0, PLENTY, never) is None
    kernel_gives(range(1024, 1024 + TRIES))
    assert path_mtu.run(to, PLENTY, never) is None
    kernel_gives(range(1024, 1024 + TRIES))
    result = run(probe, target("udp", 9, HOST), NODE, PLENTY, never=never)
    assert result.outcome is Outcome.LOCAL_ERROR
    assert result.error == (
        f"send: no free source port that an echo answers in {TRIES} tries (net.ipv4.ip_local_port_range)"
    )


RANGE = 'echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start; echo "{}" > /proc/sys/net/ipv4/ip_local_port_range\n'
HERE = {"LISTEN_ADDRESS": HOST, "SERVER_HOST": HOST, "PROBES": "udp", "STAMP_PORT": "1024", "UDP_PORT": "1026"}


def test_probes_trains_and_large_packets_have_ports_that_are_answered() -> None:
    """If the kernel has 1020 to 1026 and only 1025 is answered, every packet of ten rounds is answered."""
    rounds = (
        "smoker-udp-echo & smoker-prober once --settle 20 >&2; for i in {1..10}; do smoker-prober once --json; done"
    )
    found = in_namespace(RANGE.format("1020 1026") + rounds, HERE)
    assert found.returncode == 0, found.stdout + found.stderr
    counts = [found.stdout.count(field) for field in ('"outcome": "success"', '"loss_ratio": 0.0', '"mtu": ')]
    assert counts == [10, 10, 10], found.stdout


def test_a_range_without_a_port_that_is_answered() -> None:
    """It is a local error and not the network's."""
    found = in_namespace(RANGE.format("1020 1024") + "smoker-prober once", HERE)
    assert (found.returncode, "local_error" in found.stdout) == (1, True), found.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("kind", ["tcp", "http", "connect"])
def test_a_connection_to_itself_is_refused(kind: str, host: str) -> None:
    """If the only port is the target's, the socket would connect to itself, and nothing listens there: refused."""
    ask = f"smoker-prober probe {kind} {host} 40000 --count 5 --interval 0"
    found = in_namespace(RANGE.format("40000 40000") + ask, {})
    assert found.returncode == 1
    assert found.stdout.count("FAILED error=refused") == 5, found.stdout + found.stderr
    assert set(found.stderr.splitlines()) == {"connect: connection refused"}
