"""Transfers over loopback: the probe against the server that probers have, and against ends that misbehave."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import gevent
import pytest

from smoker_common.listen import tcp_listener
from smoker_prober.bandwidth import responder, wire
from smoker_prober.bandwidth.pace import SEGMENTS
from smoker_prober.bandwidth.responder import BandwidthResponder, Limit, plain
from smoker_prober.bandwidth.transfer import UNPACED, send
from smoker_prober.kernel import tcp_flow
from smoker_prober.probes import run
from smoker_prober.probes.bandwidth import Details, Options
from smoker_prober.result import Outcome, Result
from tests.conftest import eventually
from tests.prober.targets import HOST, NODE, PLENTY, SHORT, Serve, target

MIB = 1024 * 1024
SIZE = MIB // 2  # bytes that leave within the first pieces, however little CPU there is
Listen = Callable[[Serve], int]
NEVER = 60.0  # seconds: an end that does not come by itself


@pytest.fixture
def served() -> Iterator[BandwidthResponder]:
    """The server, for every client."""
    made = BandwidthResponder(tcp_listener(HOST, 0), lambda _client: True)
    made.start()
    yield made
    made.stop(0)


def port_of(server: BandwidthResponder) -> int:
    """Return the port on which a server listens."""
    return int(server.socket.getsockname()[1])


def transfer(port: int, timeout: float = PLENTY, size: int = SIZE) -> Result:
    """Transfer `size` bytes in each direction."""
    return run(replace(target("bandwidth", port, HOST), options=Options(size, 1.0)), NODE, timeout)


def test_both_directions(served: BandwidthResponder) -> None:
    """All bytes arrive in both directions, with a rate by the receiver's clock and the retransmits of each."""
    result = transfer(port_of(served))
    assert (result.outcome, result.error) == (Outcome.SUCCESS, "")
    assert isinstance(result.details, Details)
    found = dict(result.details.directions)
    assert {direction: rates.bytes for direction, rates in found.items()} == {"out": SIZE, "in": SIZE}
    assert all(rates.clock is not None and rates.clock > 0 for rates in found.values())
    assert {"out_bytes", "out_retransmits", "in_bytes", "in_retransmits"} <= result.fields.keys()
    eventually("the server has served both", lambda: served.served == 2)


def test_the_line_has_both_rates(served: BandwidthResponder) -> None:
    """The line of a success shows megabits per second of each direction."""
    details = transfer(port_of(served)).details
    assert details is not None
    assert [details.of_success[way].endswith("Mbit/s") for way in ("out", "in")] == [True, True]


class Recorded(socket.socket):
    """A socket that keeps what is sent over it: bytes and flags of each call."""

    sends: list[tuple[int, int]]

    def send(self, data: memoryview, flags: int = 0) -> int:  # type: ignore[override]
        """Send as the socket does."""
        self.sends.append((len(data), flags))
        return super().send(data, flags)


def test_a_transfer_leaves_in_small_pieces(served: BandwidthResponder) -> None:
    """Each piece is a record of its own, which the kernel does not join with others; the first ten segments go by twos.

    The kernel sends what it joins as one burst, up to 64 KiB, whatever the pace.
    """
    with Recorded(socket.AF_INET) as sock:
        sock.sends = []
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
        sock.connect((HOST, port_of(served)))
        sock.sendall(wire.request(wire.Request(wire.UP, MIB, 1.0)))
        assert wire.word_of(sock.recv(wire.BLOCK, socket.MSG_WAITALL)) == wire.OK
        sock.setblocking(False)
        sock.sends.clear()
        send(sock, MIB, 1.0, Limit(PLENTY))
        flow = tcp_flow.read(sock)
        assert flow is not None
    assert {flags for _, flags in sock.sends} == {socket.MSG_EOR}
    assert {size for size, _ in sock.sends[:UNPACED]} == {SEGMENTS * flow.mss}


def asked(port: int, request: bytes) -> socket.socket:
    """Return a connection that has sent a request."""
    sock = socket.create_connection((HOST, port), PLENTY)
    sock.sendall(request)
    return sock


def test_a_second_client_gets_busy(served: BandwidthResponder) -> None:
    """One transfer at a time: another client fails with the reason, and succeeds after the first has ended."""
    first = asked(port_of(served), wire.request(wire.Request(wire.UP, MIB, 1.0)))
    assert wire.word_of(first.recv(wire.BLOCK)) == wire.OK
    result = transfer(port_of(served))
    assert (result.outcome, result.error) == (Outcome.BAD_REPLY, "wait: the peer is busy with another transfer")
    first.close()
    eventually("another client is served", lambda: transfer(port_of(served)).outcome is Outcome.SUCCESS)


def test_a_stranger_is_refused() -> None:
    """An address that is no peer gets no transfer, and the probe's error says why."""
    seen: list[str] = []

    def never(client: str) -> bool:
        seen.append(client)
        return False

    made = BandwidthResponder(tcp_listener("", 0), never)
    made.start()
    result = transfer(port_of(made))
    made.stop(0)
    assert (result.outcome, seen) == (Outcome.BAD_REPLY, [HOST])
    assert "serves other probers only" in result.error


def test_addresses_of_peers_are_plain() -> None:
    """A socket for both families names an IPv4 client as the EndpointSlices do."""
    assert [plain(each) for each in ("::ffff:10.0.0.1", "fe80::1%eth0", "10.0.0.1")] == [
        "10.0.0.1",
        "fe80::1",
        "10.0.0.1",
    ]


def test_a_client_that_sends_nothing_is_dropped(served: BandwidthResponder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without a request ends, and does not keep others from being served."""
    monkeypatch.setattr(responder, "ASKS", SHORT)
    with socket.create_connection((HOST, port_of(served)), PLENTY) as silent:
        assert silent.recv(1) == b""
    assert transfer(port_of(served)).outcome is Outcome.SUCCESS


@pytest.mark.parametrize("direction", [wire.UP, wire.DOWN])
def test_a_client_that_stalls_is_dropped(
    served: BandwidthResponder, monkeypatch: pytest.MonkeyPatch, direction: str
) -> None:
    """A client that neither sends nor reads keeps the server for the limit only."""
    monkeypatch.setattr(responder, "SLACK", SHORT)
    with asked(port_of(served), wire.request(wire.Request(direction, wire.MOST_BYTES, SHORT))):
        eventually("another client is served", lambda: transfer(port_of(served)).outcome is Outcome.SUCCESS)


def test_a_client_that_sends_without_end_is_cut(served: BandwidthResponder) -> None:
    """The server reads no more than was asked for, answers that much, and closes."""
    with asked(port_of(served), wire.request(wire.Request(wire.UP, MIB, 1.0))) as sock:
        assert wire.word_of(sock.recv(wire.BLOCK, socket.MSG_WAITALL)) == wire.OK
        with pytest.raises((ConnectionResetError, BrokenPipeError)):  # noqa: PT012  which of the calls is a race
            while True:
                sock.sendall(bytes(MIB))
    assert served.served <= 1


def test_a_server_that_sends_without_end(listen: Listen) -> None:
    """The probe reads no more than it asked for: it ends with `bad_reply`, long before its deadline."""

    def flood(sock: socket.socket) -> None:
        request = wire.request_of(sock.recv(wire.BLOCK, socket.MSG_WAITALL))
        sock.sendall(wire.block(wire.OK))
        if request.direction == wire.UP:
            while sock.recv(MIB):
                pass
            sock.sendall(wire.done(request.bytes, 0.1))
        else:
            while True:
                sock.sendall(bytes(MIB))

    result = transfer(listen(flood))
    assert result.outcome is Outcome.BAD_REPLY
    assert result.duration < PLENTY


def test_a_server_that_says_nothing(listen: Listen) -> None:
    """A silent server is a timeout."""
    result = transfer(listen(lambda _sock: gevent.sleep(NEVER)), timeout=SHORT)
    assert result.outcome is Outcome.TIMEOUT


def test_a_server_that_does_not_read(listen: Listen) -> None:
    """A server that takes the request and reads no byte is a timeout: the probe does not wait for its buffer."""

    def stalled(sock: socket.socket) -> None:
        sock.recv(wire.BLOCK)
        sock.sendall(wire.block(wire.OK))
        gevent.sleep(NEVER)

    begun = time.monotonic()
    result = transfer(listen(stalled), timeout=SHORT, size=wire.MOST_BYTES)
    assert result.outcome is Outcome.TIMEOUT
    assert time.monotonic() - begun < NEVER


def test_an_echo_is_not_a_bandwidth_responder(echoes: dict[str, int]) -> None:
    """A TCP echo returns the request, which is no answer."""
    result = transfer(echoes["tcp"])
    assert result.outcome is Outcome.BAD_REPLY
    assert "not an answer of a prober" in result.error
