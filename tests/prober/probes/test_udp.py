"""The UDP probe: send PING, accept only the right answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from smoker_prober.kernel import timestamping
from smoker_prober.probes import datagram
from smoker_prober.result import Method, Outcome
from tests.conftest import eventually
from tests.prober.targets import ENOUGH, HOST, PLENTY, SHORT, Client, echo, hearing, probe
from tests.relay import DUPLICATE, UdpRelay, refusing

Answer = Callable[[socket.socket, bytes, Client], None]


def saying(*datagrams: bytes) -> Answer:
    def answer(sock: socket.socket, _data: bytes, client: Client) -> None:
        for each in datagrams:
            sock.sendto(each, client)

    return answer


def test_an_echo_is_a_success(echoes: dict[str, int]) -> None:
    """With the real echo it succeeds with the address and the four bytes."""
    result = probe("udp", echoes["udp"])
    assert (result.outcome, result.address, result.received, result.error) == (Outcome.SUCCESS, HOST, 4, "")
    assert result.fields["ttl"] == 64  # Linux's own, and loopback has no router


def test_over_ipv6() -> None:
    """An IPv6 literal is a target like any other."""
    try:
        with echo("udp", "::1") as port:
            result = probe("udp", port, host="::1")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert (result.outcome, result.address) == (Outcome.SUCCESS, "::1")


def test_icmp_port_unreachable_is_refused() -> None:
    """A closed port answers by ICMP, and the probe does not wait for its deadline."""
    with refusing(socket.SOCK_DGRAM) as port:
        result = probe("udp", port)
    assert (result.outcome, result.error) == (
        Outcome.REFUSED,
        "wait: connection refused (ICMP 3/3 from the target itself)",
    )
    assert tuple(result.phases) == ("resolve", "send", "wait")


def test_no_route_is_unreachable_not_a_resolve_error() -> None:
    """A send that the kernel refuses fails in the phase `send`."""
    result = probe("udp", 8081, host="127.255.255.255")  # a broadcast address, which a socket must ask leave for
    assert (result.outcome, result.error) == (Outcome.UNREACHABLE, "send: permission denied")
    assert tuple(result.phases) == ("resolve", "send")


@pytest.mark.parametrize("stray", [b"", b"PONG", b"PINGPING", b"ping", bytes(65_507)], ids=lambda data: str(len(data)))
def test_a_stray_before_ours_is_ignored(stray: bytes) -> None:
    """Another datagram of the target does not hide the answer after it."""
    with hearing(saying(stray, b"PING")) as port:
        result = probe("udp", port)
    assert (result.outcome, result.received) == (Outcome.SUCCESS, len(stray) + 4)


@pytest.mark.parametrize(("stray", "shown"), [(b"PONG", "b'PONG'"), (b"", "b''"), (b"\n" * 99, repr(b"\n" * 32))])
def test_only_strays_are_a_bad_reply(stray: bytes, shown: str) -> None:
    """A target that answers only wrong datagrams is a bad reply at the deadline, and not silent."""
    with hearing(saying(b"?", stray)) as port:
        result = probe("udp", port, timeout=ENOUGH)
    assert (result.outcome, result.error) == (Outcome.BAD_REPLY, f"wait: got {shown} for b'PING'")


@pytest.mark.parametrize("step", [1000, -1000, 5])
def test_a_wall_clock_that_steps_during_a_probe(
    monkeypatch: pytest.MonkeyPatch, echoes: dict[str, int], step: int
) -> None:
    """The kernel stamps by the wall clock, so there is no RTT then. The duration is the monotonic clock's."""

    def stamp(ancillary: Any) -> int:
        return (timestamping.stamp(ancillary) or time.time_ns()) + step * 10**9

    monkeypatch.setattr(datagram, "timestamping", SimpleNamespace(**vars(timestamping) | {"stamp": stamp}))
    begun = time.monotonic()
    result = probe("udp", echoes["udp"])
    assert (result.outcome, result.rtt) == (Outcome.SUCCESS, None)
    assert 0 < result.latency("network") == result.duration <= time.monotonic() - begun


def test_without_stamps_the_monotonic_clock_measures(monkeypatch: pytest.MonkeyPatch, echoes: dict[str, int]) -> None:
    """A wall clock that steps at each reading changes no RTT."""
    monkeypatch.setattr(timestamping, "stamp", lambda _ancillary: None)
    monkeypatch.setattr(time, "time_ns", iter(range(0, 10**15, 10**12)).__next__)
    begun = time.monotonic()
    result = probe("udp", echoes["udp"])
    assert result.rtt is not None
    assert (result.rtt.method, 0 < result.rtt.seconds <= time.monotonic() - begun) == (Method.CLOCK, True)


def test_only_the_targets_answer_counts() -> None:
    """PING from another port is no answer: the kernel drops it."""

    def answer(_sock: socket.socket, _data: bytes, client: Client) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((HOST, 0))
            other.sendto(b"PING", client)

    with hearing(answer) as port:
        result = probe("udp", port, timeout=SHORT)
    assert (result.outcome, result.received) == (Outcome.TIMEOUT, 0)


def test_duplicates_do_not_disturb_later_probes(echoes: dict[str, int]) -> None:
    """A second copy of an answer counts for no probe, because each has its own socket."""
    with UdpRelay((HOST, echoes["udp"]), DUPLICATE) as relay:
        results = [probe("udp", relay.port) for _ in range(5)]
    assert [(result.outcome, result.received) for result in results] == [(Outcome.SUCCESS, 4)] * 5


def test_each_probe_has_a_port_of_its_own() -> None:
    """A late answer to one probe is never taken for the answer to another."""
    clients: list[Client] = []

    def answer(_sock: socket.socket, _data: bytes, client: Client) -> None:
        clients.append(client)

    with hearing(answer) as port:
        probes = [gevent.spawn(probe, "udp", port, timeout=PLENTY) for _ in range(3)]
        eventually("all three have sent", lambda: len(clients) == 3)
        gevent.killall(probes)
    assert len(set(clients)) == 3
