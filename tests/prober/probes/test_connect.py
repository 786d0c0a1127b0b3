"""The connect probe: only a TCP handshake."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from gevent.event import AsyncResult
from prometheus_client import CollectorRegistry, generate_latest

from smoker_prober.config.service import service
from smoker_prober.probes import ECHOED, PROBES
from smoker_prober.result import Method, Outcome
from smoker_prober.settings import Settings
from smoker_prober.sinks.metrics import Metrics
from tests.prober.targets import HOST, PLENTY, SHORT, Serve, echo, probe
from tests.relay import refusing

Listen = Callable[[Serve], int]


@pytest.mark.parametrize("host", [HOST, "::1"])
def test_a_handshake_is_a_success(host: str) -> None:
    """Over both families there are the address, the kernel's round trip, and only two phases."""
    with echo("tcp", host) as port:
        result = probe("connect", port, host=host)
    assert (result.outcome, result.address, result.error) == (Outcome.SUCCESS, host, "")
    assert (tuple(result.phases), result.received, result.fields.get("status")) == (("resolve", "connect"), 0, None)
    assert result.rtt is not None
    assert result.rtt.method is Method.TCP_INFO


def test_nothing_is_sent(listen: Listen) -> None:
    """The target sees only a connection and its end."""
    said: AsyncResult[bytes] = AsyncResult()
    result = probe("connect", listen(lambda sock: said.set(sock.recv(4096))))
    assert (result.outcome, said.get(timeout=PLENTY)) == (Outcome.SUCCESS, b"")


def test_the_handshake_succeeds_without_accept() -> None:
    """The kernel does the handshake: whether a program answers behind it is another probe's test."""
    with socket.create_server((HOST, 0)) as listener:
        result = probe("connect", listener.getsockname()[1])
    assert result.outcome is Outcome.SUCCESS


def test_nobody_listening_is_refused() -> None:
    """An RST to the SYN gives `refused`."""
    with refusing() as port:
        result = probe("connect", port)
    assert (result.outcome, result.error, result.rtt) == (Outcome.REFUSED, "connect: connection refused", None)


def test_no_route_is_unreachable() -> None:
    """The kernel has no route for TCP to the broadcast address of loopback."""
    result = probe("connect", 443, host="127.255.255.255")
    assert (result.outcome, result.error) == (Outcome.UNREACHABLE, "connect: network is unreachable")


def test_a_silent_target_is_a_timeout() -> None:
    """A listener whose queue is full takes no SYN: the deadline ends the wait."""
    with socket.create_server((HOST, 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((HOST, port)):  # the one that the queue holds
            result = probe("connect", port, timeout=SHORT)
    assert (result.outcome, result.error) == (Outcome.TIMEOUT, f"connect: no answer within {SHORT:g} s")


def test_an_echo_host_has_a_target_for_each_probe(settings: Settings) -> None:
    """A host with echoes has a target for each of their probes, in the order of a round."""
    assert [target.probe for target in service(settings, HOST)] == [*ECHOED]
    assert {*ECHOED, "connect"} <= PROBES.keys()


def _page(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


def test_its_series_come_with_its_first_result() -> None:
    """A prober that has nothing to connect to has no series of it; then there are all, segments sent again too."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, interval=30.0)
    assert 'smoker_probe_rtt_seconds_count{probe="tcp"} 0.0' in _page(registry)
    assert "connect" not in _page(registry)
    with echo("tcp") as port:
        result = probe("connect", port)
    metrics.keep(result)
    page = _page(registry)
    for name in ("rtt", "duration"):
        assert f'smoker_probe_{name}_seconds_count{{probe="connect"}} 1.0' in page
    assert 'smoker_probe_phase_seconds_count{phase="connect",probe="connect"} 1.0' in page
    assert f'smoker_probe_retransmits_total{{probe="connect",target="{HOST}:{port}"}} 0.0' in page


def test_a_failed_connect_counts_no_lost_train() -> None:
    """A failed handshake says nothing about packet loss."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, interval=30.0)
    with refusing() as port:
        metrics.keep(probe("connect", port))
    assert "smoker_probe_loss_ratio{" not in _page(registry)
