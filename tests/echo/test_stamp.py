"""The STAMP reflector: it answers each packet from the requested address, with its own numbers and times."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from gevent import monkey

from smoker_common.listen import udp_sockets
from smoker_echo import stamp
from smoker_echo.stamp import StampReflector
from smoker_echo.stamp_packet import LENGTH, ReflectorPacket, SenderPacket, pack_sender, unpack_reflector
from smoker_echo.udp import UdpEcho
from tests.conftest import eventually, free_port, serving

Serve = Callable[..., "Served"]

HELD_UP = 0.05  # seconds
SECOND = 10**9  # ns

_block = monkey.get_original("time", "sleep")  # holds up the whole process, as a CPU quota does


class Served:
    """A running reflector on all addresses, and the calls of its observer."""

    def __init__(self, **options: Any) -> None:
        self.seen: list[tuple[Any, ...]] = []
        sockets = udp_sockets("", 0)
        self.port: int = sockets[0].getsockname()[1]
        self.reflectors = [
            StampReflector(sock, observer=lambda *seen: self.seen.append(seen), **options) for sock in sockets
        ]
        for reflector in self.reflectors:
            reflector.start()

    def client(self, host: str = "127.0.0.1", port: int = 0, source: str = "") -> socket.socket:
        """Return a socket connected to the reflector: the kernel drops packets from elsewhere."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((source or ("::1" if ":" in host else "127.0.0.1"), port))
        sock.settimeout(10)
        sock.connect((host, self.port))
        return sock

    def stop(self) -> None:
        for reflector in self.reflectors:
            reflector.close()
            assert reflector.drain(1) == 0


serve = serving(Served)


def ask(sock: socket.socket, sequence: int = 0, length: int = LENGTH, ssid: int = 0, at: int = 0) -> ReflectorPacket:
    """Do one exchange; the answer must belong to this packet. `at`: ns since the epoch, 0 for now."""
    question = SenderPacket(sequence, at or time.time_ns(), 0x8123, ssid)
    sock.send(pack_sender(question, length))
    answer = unpack_reflector(sock.recv(70_000))
    assert answer.sender_sequence == sequence
    assert answer.sender_sent == question.sent
    assert answer.sender_error_estimate == 0x8123
    assert answer.ssid == ssid
    return answer


def silent(sock: socket.socket) -> bool:
    """Return whether nothing has come."""
    sock.setblocking(False)
    try:
        sock.recv(10)
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.77", "127.200.3.4", "::1"])
def test_the_answer_comes_from_the_address_that_was_asked(serve: Serve, host: str) -> None:
    """With several addresses and both families, a connected client gets the answers from its address."""
    with serve().client(host) as sock:
        assert [ask(sock, sequence).sequence for sequence in (5, 6)] == [0, 1]


def test_a_session_has_numbers_of_its_own(serve: Serve) -> None:
    """In stateful mode answers count from 0, whatever the sender's numbers are, and however many are missing."""
    with serve().client() as sock:
        assert [ask(sock, sequence).sequence for sequence in (10, 11, 15, 400, 2**31)] == [0, 1, 2, 3, 4]


def test_numbers_that_wrap_are_no_restart(serve: Serve) -> None:
    """0 after 2^32 - 1 (RFC 1982) continues the session."""
    with serve().client() as sock:
        assert [ask(sock, sequence).sequence for sequence in (2**32 - 2, 2**32 - 1, 0, 1)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(range(5), range(5), id="the-same-again"),
        pytest.param(range(2), range(9), id="longer"),
        pytest.param(range(9), range(2), id="shorter"),
        pytest.param(range(1), range(1), id="one-packet-each"),
        pytest.param(range(9), range(1, 5), id="its-first-is-lost"),
        pytest.param(range(9), (3, 4, 7), id="its-first-three-are-lost"),
        pytest.param(range(100, 109), range(100, 109), id="does-not-begin-at-0"),
        pytest.param(range(2**32 - 4, 2**32), range(4), id="not-a-wrap"),
    ],
)
def test_a_sender_that_begins_anew_begins_a_session(
    serve: Serve, first: Iterable[int], second: Iterable[int], request: pytest.FixtureRequest
) -> None:
    """From the same port, at once: the second run's answers count from 0, as the first run's did.

    A run that begins with 0 right after 2^32 - 1 cannot be told from one that goes on.
    """
    with serve().client() as sock:
        runs = [[ask(sock, sequence).sequence for sequence in run] for run in (first, second)]
    begun = 4 if "not-a-wrap" in request.node.name else 0
    assert runs == [list(range(len(list(first)))), list(range(begun, begun + len(list(second))))]


@pytest.mark.parametrize(
    "order",
    [
        pytest.param((0, 0, 1, 2), id="the-first-twice-at-once"),
        pytest.param((0, 1, 2, 0, 3), id="the-first-twice-and-late"),
        pytest.param((1, 0, 2, 3), id="the-first-overtaken"),
        pytest.param((1, 2, 3, 4, 5, 6, 7, 8, 0), id="the-first-comes-last"),
        pytest.param((8, 7, 6, 5, 4, 3, 2, 1, 0), id="backwards"),
        pytest.param((0, 5, 5, 1, 1, 6, 0), id="lost-and-twice-and-overtaken"),
    ],
)
def test_neither_a_duplicate_nor_an_overtaken_packet_begins_a_session(serve: Serve, order: tuple[int, ...]) -> None:
    """A duplicate and an overtaken packet do not begin a session.

    They were sent before the packet with the highest number.
    """
    begun = time.time_ns()
    with serve().client() as sock:
        numbers = [ask(sock, sequence, at=begun + sequence * 1_000_000).sequence for sequence in order]
    assert numbers == list(range(len(order)))


def test_a_straggler_of_the_first_run_does_not_end_the_second(serve: Serve) -> None:
    """A late packet of the first run takes a number, and the second run counts on after it."""
    begun = time.time_ns()
    with serve().client() as sock:
        for sequence in range(9):
            ask(sock, sequence, at=begun + sequence)
        assert [ask(sock, sequence, at=begun + SECOND + sequence).sequence for sequence in (0, 1)] == [0, 1]
        assert ask(sock, 8, at=begun + 8).sequence == 2
        assert [ask(sock, sequence, at=begun + SECOND + sequence).sequence for sequence in (2, 3)] == [3, 4]


def test_a_sender_without_a_clock_begins_anew_with_0(serve: Serve) -> None:
    """If all packets have the same time, only a 0 after another number shows a new run."""
    with serve().client() as sock:
        numbers = [ask(sock, sequence, at=SECOND).sequence for sequence in (0, 0, 1, 2, 1, 0, 1, 2)]
    assert numbers == [0, 1, 2, 3, 4, 0, 1, 2]


def test_a_sender_whose_clock_was_set_back_begins_anew_after_a_silence(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a silence a lower time begins a session, because no packet is overtaken by that much.

    A consecutive number continues it.
    """
    monkeypatch.setattr(stamp, "OVERTAKEN", -1.0)
    begun = time.time_ns()
    with serve().client() as sock:
        numbers = [ask(sock, sequence, at=begun - sequence * SECOND).sequence for sequence in (0, 1, 2, 0, 1)]
    assert numbers == [0, 1, 2, 0, 1]


def test_each_session_identifier_is_a_session(serve: Serve) -> None:
    """Each identifier has its own count, also from one address and port, and answers carry it (RFC 8972 section 3)."""
    with serve().client() as sock:
        asked = [(1, 0), (1, 1), (2, 0), (1, 2), (0xFFFF, 7), (2, 1), (0, 0), (0, 1), (0xFFFF, 8)]
        numbers = [ask(sock, sequence, ssid=ssid).sequence for ssid, sequence in asked]
    assert numbers == [0, 1, 0, 2, 0, 1, 0, 1, 1]


@pytest.mark.parametrize("length", [14, 15, 16, 22, 41, 43, 44, 100])
def test_random_padding_is_no_session_identifier(serve: Serve, length: int) -> None:
    """TWAMP's padding begins where STAMP has the identifier, and may change between packets (RFC 5357 4.1.2)."""
    chance = random.Random(length)
    with serve().client() as sock:
        for sequence in range(5):
            sock.send(pack_sender(SenderPacket(sequence, time.time_ns()))[:14] + chance.randbytes(length - 14))
            answer = unpack_reflector(sock.recv(1000))
            assert (answer.sequence, answer.ssid) == (sequence, 0)


@pytest.mark.parametrize("length", [14, 16, 22, 41, 43])
def test_a_short_packet_of_twamp_light_is_answered(serve: Serve, length: int) -> None:
    """A short packet gets the base packet of 44 octets (RFC 8762 section 4.6) with its 14 octets and no padding."""
    question = pack_sender(SenderPacket(3, time.time_ns(), 0x3FFF))[:14].ljust(length, b"\xaa")
    with serve().client() as sock:
        sock.send(question)
        answer = sock.recv(1000)
    assert len(answer) == LENGTH
    assert answer[24:38] == question[:14]
    assert (answer[14:16], answer[38:40], answer[41:]) == (bytes(2), bytes(2), bytes(3))


def test_sessions_are_independent(serve: Serve) -> None:
    """Another port, another address and another family are other sessions."""
    served = serve()
    with served.client() as one, served.client() as two, served.client("::1") as six:
        port = one.getsockname()[1]
        with served.client(port=port, source="127.0.0.5") as other:
            senders = enumerate((one, two, one, other, six, one, other))
            assert [ask(sock, number).sequence for number, sock in senders] == [0, 0, 1, 0, 0, 2, 1]


def test_the_oldest_session_is_forgotten(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the session that was silent for longest is forgotten, so memory is bounded."""
    monkeypatch.setattr(stamp, "SESSIONS", 2)
    served = serve()
    with served.client() as a, served.client() as b, served.client() as c:
        numbers = [ask(sock, number).sequence for number, sock in enumerate((a, b, a, c, a, b, a, c))]
    assert numbers == [0, 0, 1, 0, 2, 0, 3, 0]
    assert len(served.reflectors[0]._sessions) == 2


def test_a_flood_of_sessions_takes_no_more_memory(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred forged senders leave no more sessions than the limit."""
    monkeypatch.setattr(stamp, "SESSIONS", 10)
    served = serve()
    for _ in range(100):
        with served.client() as sock:
            ask(sock)
            assert len(served.reflectors[0]._sessions) <= 10


@pytest.mark.parametrize(("silence", "number"), [(899.0, 1), (901.0, 0)])
def test_after_refwait_a_session_begins_anew(serve: Serve, silence: float, number: int) -> None:
    """900 seconds of silence end a session (RFC 8762), fewer do not."""
    served = serve()
    sessions = served.reflectors[0]._sessions
    with served.client() as sock:
        assert ask(sock).sequence == 0
        for session in sessions.values():
            session.heard -= silence
        assert [ask(sock, sequence).sequence for sequence in (1, 2)] == [number, number + 1]


@pytest.mark.parametrize("length", [44, 45, 512, 8193, 65_507])
def test_an_answer_is_as_long_as_its_request(serve: Serve, length: int) -> None:
    """An answer is as long as its packet, and octets after the base packet, padding or TLVs, come back unchanged."""
    padding = bytes(i % 251 for i in range(length - LENGTH))
    with serve().client() as sock:
        sock.send(pack_sender(SenderPacket(9, 1)) + padding)
        answer = sock.recv(70_000)
    assert len(answer) == length
    assert answer[LENGTH:] == padding
    assert unpack_reflector(answer).sender_sequence == 9


def test_the_senders_octets_come_back_bit_by_bit(serve: Serve) -> None:
    """The sender's timestamp comes back bit by bit, also finer than a nanosecond or in PTP's format."""
    question = bytes.fromhex("fffffffe 00000001 00000001 c0ff") + bytes(30)
    with serve().client() as sock:
        sock.send(question)
        answer = sock.recv(100)
    assert answer[24:38] == question[:14]


@pytest.mark.parametrize("length", [0, 1, 13])
def test_a_short_packet_is_counted_and_not_answered(serve: Serve, length: int) -> None:
    """A packet that is too short is counted, not answered, and takes no number."""
    served = serve()
    with served.client() as sock:
        sock.send(bytes(length))
        assert ask(sock, 7).sequence == 0
        assert silent(sock)
    reflector = served.reflectors[0]
    assert (reflector.counts.refused["malformed"], reflector.counts.requests) == (1, 1)
    assert served.seen[0][1:] == (length, 0, f"{length} octets are too few for a STAMP packet, its fields have 14")


def test_the_observer_gets_each_answer(serve: Serve) -> None:
    """The observer gets the client, the octets in both directions, and no cause."""
    served = serve()
    with served.client() as sock:
        ask(sock, length=100)
        assert served.seen == [(sock.getsockname(), 100, 100, "")]


def test_two_reflectors_do_not_loop() -> None:
    """A forged packet from another reflector's port gets no answer and is reported."""
    seen: list[tuple[Any, ...]] = []
    port = free_port(socket.SOCK_DGRAM)
    sockets = [udp_sockets(host, port)[0] for host in ("127.7.7.7", "127.7.7.8")]
    first, other = (StampReflector(sock, observer=lambda *told: seen.append(told)) for sock in sockets)
    first.start()
    other.start()
    try:
        sockets[1].sendto(bytes(LENGTH), ("127.7.7.7", port))
        eventually("it is refused", lambda: seen)
        assert seen == [(("127.7.7.8", port), LENGTH, 0, "refused: it comes from the port of an echo or a reflector")]
        assert (first.counts.requests, first.counts.refused, other.counts.requests) == (0, {"echo_port": 1}, 0)
    finally:
        first.close()
        other.close()


def test_its_own_port_and_the_standard_echo_are_never_answered(serve: Serve) -> None:
    """By default packets from its own port on any host, and from RFC 862's port, get no answer."""
    served = serve()
    assert served.reflectors[0].never == {7, served.port}


def test_an_echo_and_a_reflector_do_not_loop(serve: Serve) -> None:
    """A forged datagram from the echo to the reflector gets no answer if the echo's port is in `never`."""
    evil = free_port(socket.SOCK_DGRAM)
    served = serve(never={evil})
    sock = udp_sockets("127.0.0.1", evil)[0]
    echo = UdpEcho(sock)
    echo.start()
    try:
        sock.sendto(bytes(LENGTH), ("127.0.0.1", served.port))
        eventually("it is refused", lambda: served.seen)
        assert (served.reflectors[0].counts.requests, echo.counts.requests) == (0, 0)
    finally:
        echo.close()


def test_timestamps_are_in_order(serve: Serve) -> None:
    """The four times of an exchange on one host are in order, because they use one clock."""
    with serve().client() as sock:
        for _ in range(20):
            begun = time.time_ns()
            answer = ask(sock)
            assert begun <= answer.sender_sent <= answer.received <= answer.sent <= time.time_ns()
            assert answer.residence == answer.sent - answer.received


def test_the_kernel_stamps_the_receive_time(serve: Serve) -> None:
    """A reflector that is held up reports when the packet arrived, and not when it read it."""
    with serve().client() as sock:

        def residence() -> int:
            sock.send(pack_sender(SenderPacket(0, 0)))
            _block(HELD_UP)
            return unpack_reflector(sock.recv(100)).residence

        # The kernel begins to stamp a moment after it was asked to: the first packet may be too early for it.
        eventually("the delay counts as time in the reflector", lambda: residence() >= HELD_UP * SECOND * 0.9)


@pytest.mark.parametrize("ttl", [1, 33, 64, 255])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_answer_carries_the_received_ttl(serve: Serve, host: str, ttl: int) -> None:
    """The answer has IPv4's TTL or IPv6's hop limit of the packet."""
    with serve().client(host) as sock:
        if ":" in host:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        assert ask(sock).sender_ttl == ttl


def test_a_flood_is_answered_in_batches_and_in_order(serve: Serve) -> None:
    """200 packets at once, more than a batch, are all answered, in order."""
    served = serve()
    with served.client() as sock:
        for sequence in range(200):
            sock.send(pack_sender(SenderPacket(sequence, 0)))
        answers = [unpack_reflector(sock.recv(100)) for _ in range(200)]
    assert [(answer.sequence, answer.sender_sequence) for answer in answers] == [(n, n) for n in range(200)]
    assert served.reflectors[0].counts.requests == 200


class Wrapped:
    """A socket of the reflector in which a test replaces one method."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def test_an_answer_that_cannot_be_sent_is_reported(serve: Serve) -> None:
    """An answer that cannot be sent is reported and keeps its number: for the sender it is a lost answer."""

    class Refusing(Wrapped):
        times = 1

        def sendmsg(self, *arguments: Any) -> Any:
            if self.times:
                self.times -= 1
                raise PermissionError(1, "Operation not permitted")
            return self._sock.sendmsg(*arguments)

    served = serve()
    reflector = served.reflectors[0]
    reflector._plain = Refusing(reflector._plain)  # type: ignore[assignment]
    with served.client() as sock:
        sock.send(pack_sender(SenderPacket(0, 0)))
        assert ask(sock, 1).sequence == 1
    assert served.seen[0][1:3] == (44, 0)
    assert served.seen[0][3].lower() == "the answer could not be sent: operation not permitted"
    assert reflector.counts.requests == 1


def test_a_datagram_that_cannot_be_read_is_reported(serve: Serve) -> None:
    """A datagram that cannot be read is reported, and the next one is served."""

    class Failing(Wrapped):
        times = 1

        def recvmsg_into(self, *arguments: Any) -> Any:
            if self.times:
                self.times -= 1
                raise OSError(105, "No buffer space available")
            return self._sock.recvmsg_into(*arguments)

    served = serve()
    reflector = served.reflectors[0]
    reflector._plain = Failing(reflector._plain)  # type: ignore[assignment]
    with served.client() as sock:
        assert ask(sock).sequence == 0
    assert served.seen[0][3].lower() == "the datagram could not be read: no buffer space available"


def test_without_kernel_timestamps_the_clock_is_used(serve: Serve) -> None:
    """Without the kernel's stamp, TTL and destination it answers with its clock and a TTL of 0."""

    class Telling(Wrapped):
        """Calls without an answer."""

        def recvmsg_into(self, *arguments: Any) -> Any:
            count, _ancillary, flags, client = self._sock.recvmsg_into(*arguments)
            return count, [], flags, client

    served = serve()
    reflector = served.reflectors[0]
    reflector._plain = Telling(reflector._plain)  # type: ignore[assignment]
    with served.client() as sock:
        answer = ask(sock)
    assert answer.sender_ttl == 0
    assert answer.sender_sent <= answer.received <= answer.sent


def test_a_kernel_without_these_options_is_supported() -> None:
    """A reflector on a kernel without these options works without them."""

    class Old:
        family = socket.AF_INET

        def setsockopt(self, *_: object) -> None:
            raise OSError(92, "Protocol not available")

    StampReflector._ask_for_time_and_ttl(Old())  # type: ignore[arg-type]


def test_the_reflector_is_ready_while_it_listens(serve: Serve) -> None:
    """It is ready while it listens, and never stuck."""
    reflector = serve().reflectors[0]
    assert (reflector.unready(), reflector.stuck()) == ("", "")
    reflector.close()
    assert reflector.unready() == "not listening"
