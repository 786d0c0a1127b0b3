"""The beginning of the TCP and the HTTP probe: a connection, and the kernel's data about it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import gevent
import pytest
from gevent import monkey

from smoker_outcome.failure import outcome_of
from smoker_prober.kernel import tcp_info
from smoker_prober.kernel.tcp_info import TcpInfo
from smoker_prober.network.deadline import Deadline, DeadlineExceeded
from smoker_prober.probes.base import Attempt
from smoker_prober.probes.connection import connect
from smoker_prober.result import Method, Outcome
from tests.prober.targets import HOST, PLENTY, SHORT, echo, probe, target
from tests.relay import refusing

HELD_UP = 0.15  # seconds

_block = monkey.get_original("time", "sleep")  # holds up the whole process, as a CPU quota does

Says = Callable[[TcpInfo | None], None]


def attempt(port: int, host: str = HOST, timeout: float = PLENTY) -> Attempt:
    return Attempt(target("connect", port, host), Deadline(timeout))


@pytest.fixture
def kernel_says(monkeypatch: pytest.MonkeyPatch) -> Says:
    """`kernel_says(info)`: TCP_INFO is `info` from now on."""
    return lambda info: monkeypatch.setattr(tcp_info, "read", lambda _sock: info)


@pytest.mark.parametrize("host", [HOST, "::1"])
def test_a_connection_and_its_round_trip(host: str) -> None:
    """The socket is connected and does not block; the RTT is the handshake's by the kernel, over both families."""
    with echo("tcp", host) as port:
        ours = attempt(port, host)
        with connect(ours) as sock:
            assert sock.getpeername()[:2] == (host, port)
            assert not sock.getblocking()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.fileno() == -1
    assert ours.rtt is not None
    assert ours.rtt.method is Method.TCP_INFO
    assert 0 < ours.rtt.seconds < PLENTY
    assert (ours.retransmits, ours.address, tuple(ours.phases)) == (0, host, ("resolve", "connect"))


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_both_probes_have_it(kind: str) -> None:
    """The result has the network's round trip and how it was measured."""
    with echo(kind) as port:
        result = probe(kind, port)
    assert result.outcome is Outcome.SUCCESS
    assert result.rtt is not None
    assert result.rtt.method is Method.TCP_INFO
    assert result.retransmits == 0


def test_a_delayed_process_does_not_lengthen_the_rtt() -> None:
    """If the process stands still during the handshake, the duration shows it and the RTT does not."""
    with echo("tcp") as port:
        ours = attempt(port)
        gevent.spawn(_block, HELD_UP)  # runs as soon as the connect waits
        with connect(ours):
            pass
    assert ours.rtt is not None
    assert ours.rtt.seconds < HELD_UP <= ours.phases["connect"]


def test_a_connection_counts_even_if_the_prober_wakes_late() -> None:
    """The handshake was done in time by the kernel, so it counts."""
    with echo("tcp") as port:
        ours = attempt(port, timeout=SHORT)
        gevent.spawn(_block, HELD_UP)
        with connect(ours) as sock:
            assert sock.getpeername() == (HOST, port)


def test_refused() -> None:
    """RST to the SYN is refused with its errno, without a round trip."""
    with refusing() as port:
        ours = attempt(port)
        with pytest.raises(ConnectionRefusedError, match="Connection refused") as caught, connect(ours):
            pytest.fail("it is not connected")
    assert caught.value.errno == errno.ECONNREFUSED
    assert outcome_of(caught.value, ours.phase_name) is Outcome.REFUSED
    assert (ours.rtt, ours.retransmits, tuple(ours.phases)) == (None, 0, ("resolve", "connect"))


def test_unreachable() -> None:
    """No TCP goes to the broadcast address of loopback: the kernel says so at once."""
    ours = attempt(8080, "127.255.255.255")
    with pytest.raises(OSError, match="unreachable") as caught, connect(ours):
        pytest.fail("it is not connected")
    assert outcome_of(caught.value, ours.phase_name) is Outcome.UNREACHABLE
    assert (ours.rtt, ours.phase_name) == (None, "connect")


def test_silent() -> None:
    """A listener whose queue is full ignores the SYN: the deadline ends the wait, and nothing is measured."""
    with socket.create_server((HOST, 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((HOST, port)):  # the one that the queue holds
            ours = attempt(port, timeout=SHORT)
            with pytest.raises(DeadlineExceeded), connect(ours):
                pytest.fail("it is not connected")
    assert (ours.rtt, ours.phase_name) == (None, "connect")


def test_without_tcp_info_the_clock_is_used(kernel_says: Says) -> None:
    """Without TCP_INFO the RTT is the time of the connect, and the result says so."""
    kernel_says(None)
    with echo("tcp") as port:
        ours = attempt(port)
        with connect(ours):
            pass
    assert ours.rtt is not None
    assert ours.rtt.method is Method.CLOCK
    assert 0 < ours.rtt.seconds <= ours.phases["connect"]
    assert ours.retransmits == 0


def test_without_a_sample_the_clock_is_used(kernel_says: Says) -> None:
    """A struct without a sample has the same effect, unless a SYN was lost."""
    kernel_says(TcpInfo(established=True, rtt=None, min_rtt=None, retransmits=0))
    with echo("tcp") as port:
        result = probe("tcp", port)
    assert result.rtt is not None
    assert result.rtt.method is Method.CLOCK


def test_a_lost_syn_gives_no_latency(kernel_says: Says) -> None:
    """Without TCP timestamps the kernel has no sample, and the clock would show a second, so there is no RTT."""
    kernel_says(TcpInfo(established=True, rtt=None, min_rtt=None, retransmits=1))
    with echo("tcp") as port:
        result = probe("tcp", port)
    assert (result.outcome, result.rtt, result.retransmits) == (Outcome.SUCCESS, None, 1)
    assert result.fields["retransmits"] == 1
    assert "rtt_ms" not in result.fields


def test_a_lost_syn_with_a_sample(kernel_says: Says) -> None:
    """With TCP timestamps there is a sample of the SYN that arrived; the retransmit is counted, too."""
    kernel_says(TcpInfo(established=True, rtt=0.002, min_rtt=0.001, retransmits=2))
    with echo("tcp") as port:
        result = probe("tcp", port)
    assert (result.rtt, result.retransmits) == ((0.002, Method.TCP_INFO), 2)
    assert (result.fields["rtt_ms"], result.fields["method"]) == (2.0, "tcp_info")


def test_a_probe_that_fails_later_has_no_rtt(listen: Callable[[Callable[[socket.socket], None]], int]) -> None:
    """A failed probe has no RTT although the handshake had one."""
    result = probe("tcp", listen(lambda sock: None))
    assert not result.outcome.ok
    assert result.rtt is None


def test_the_socket_is_always_closed() -> None:
    """An exception inside is passed on and leaves no descriptor open."""
    with echo("tcp") as port, pytest.raises(KeyError), connect(attempt(port)) as sock:
        raise KeyError
    assert sock.fileno() == -1
