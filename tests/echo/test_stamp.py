"""The STAMP reflector: each packet, from the address that was asked, with numbers and times of its own."""

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
    """A running reflector on all addresses, and what its observer was told."""

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
        """A socket connected to the reflector: the kernel drops what comes from elsewhere."""
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
    """Do one exchange; the answer must be this question's. `at`: ns since the epoch, 0 for now."""
    question = SenderPacket(sequence, at or time.time_ns(), 0x8123, ssid)
    sock.send(pack_sender(question, length))
    answer = unpack_reflector(sock.recv(70_000))
    assert answer.sender_sequence == sequence
    assert answer.sender_sent == question.sent
    assert answer.sender_error_estimate == 0x8123
    assert answer.ssid == ssid
    return answer


def silent(sock: socket.socket) -> bool:
    """Whether nothing has come."""
    sock.setblocking(False)
    try:
        sock.recv(10)
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.77", "127.200.3.4", "::1"])
def test_the_answer_comes_from_the_address_that_was_asked(serve: Serve, host: str) -> None:
    """Several addresses on one host, both families: a connected client hears its answers."""
    with serve().client(host) as sock:
        assert [ask(sock, sequence).sequence for sequence in (5, 6)] == [0, 1]


def test_a_session_has_numbers_of_its_own(serve: Serve) -> None:
    """Stateful mode: answers count from 0, whatever the sender's numbers are and whichever never came."""
    with serve().client() as sock:
        assert [ask(sock, sequence).sequence for sequence in (10, 11, 15, 400, 2**31)] == [0, 1, 2, 3, 4]


def test_numbers_that_wrap_are_no_restart(serve: Serve) -> None:
    """After 2^32 - 1 comes 0 (RFC 1982), and the session goes on."""
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
    """They were sent before the packet with the highest number: the answers count on."""
    begun = time.time_ns()
    with serve().client() as sock:
        numbers = [ask(sock, sequence, at=begun + sequence * 1_000_000).sequence for sequence in order]
    assert numbers == list(range(len(order)))


def test_a_straggler_of_the_first_run_does_not_end_the_second(serve: Serve) -> None:
    """It takes a number, and the second run counts on after it."""
    begun = time.time_ns()
    with serve().client() as sock:
        for sequence in range(9):
            ask(sock, sequence, at=begun + sequence)
        assert [ask(sock, sequence, at=begun + SECOND + sequence).sequence for sequence in (0, 1)] == [0, 1]
        assert ask(sock, 8, at=begun + 8).sequence == 2
        assert [ask(sock, sequence, at=begun + SECOND + sequence).sequence for sequence in (2, 3)] == [3, 4]


def test_a_sender_without_a_clock_begins_anew_with_0(serve: Serve) -> None:
    """All its packets have one time: its 0 after another number is all that tells."""
    with serve().client() as sock:
        numbers = [ask(sock, sequence, at=SECOND).sequence for sequence in (0, 0, 1, 2, 1, 0, 1, 2)]
    assert numbers == [0, 1, 2, 3, 4, 0, 1, 2]


def test_a_sender_whose_clock_was_set_back_begins_anew_after_a_silence(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No packet is overtaken by that much; a number that goes on is the same session still."""
    monkeypatch.setattr(stamp, "OVERTAKEN", -1.0)
    begun = time.time_ns()
    with serve().client() as sock:
        numbers = [ask(sock, sequence, at=begun - sequence * SECOND).sequence for sequence in (0, 1, 2, 0, 1)]
    assert numbers == [0, 1, 2, 0, 1]


def test_each_session_identifier_is_a_session(serve: Serve) -> None:
    """RFC 8972 section 3: the same address and port, another identifier, another count; the answer carries it."""
    with serve().client() as sock:
        asked = [(1, 0), (1, 1), (2, 0), (1, 2), (0xFFFF, 7), (2, 1), (0, 0), (0, 1), (0xFFFF, 8)]
        numbers = [ask(sock, sequence, ssid=ssid).sequence for ssid, sequence in asked]
    assert numbers == [0, 1, 0, 2, 0, 1, 0, 1, 1]


@pytest.mark.parametrize("length", [14, 15, 16, 22, 41, 43, 44, 100])
def test_random_padding_is_no_session_identifier(serve: Serve, length: int) -> None:
    """TWAMP's padding begins where STAMP has the identifier, and may differ from packet to packet (RFC 5357 4.1.2)."""
    chance = random.Random(length)
    with serve().client() as sock:
        for sequence in range(5):
            sock.send(pack_sender(SenderPacket(sequence, time.time_ns()))[:14] + chance.randbytes(length - 14))
            answer = unpack_reflector(sock.recv(1000))
            assert (answer.sequence, answer.ssid) == (sequence, 0)


@pytest.mark.parametrize("length", [14, 16, 22, 41, 43])
def test_a_short_packet_of_twamp_light_is_answered(serve: Serve, length: int) -> None:
    """With the base packet of 44 octets (RFC 8762 section 4.6), the sender's 14 copied, none of its padding."""
    question = pack_sender(SenderPacket(3, time.time_ns(), 0x3FFF))[:14].ljust(length, b"\xaa")
    with serve().client() as sock:
        sock.send(question)
        answer = sock.recv(1000)
    assert len(answer) == LENGTH
    assert answer[24:38] == question[:14]
    assert (answer[14:16], answer[38:40], answer[41:]) == (bytes(2), bytes(2), bytes(3))


def test_sessions_are_independent(serve: Serve) -> None:
    """Another port or another address is another session; IPv4 and IPv6 too."""
    served = serve()
    with served.client() as one, served.client() as two, served.client("::1") as six:
        port = one.getsockname()[1]
        with served.client(port=port, source="127.0.0.5") as other:
            senders = enumerate((one, two, one, other, six, one, other))
            assert [ask(sock, number).sequence for number, sock in senders] == [0, 0, 1, 0, 0, 2, 1]


def test_the_oldest_session_is_forgotten(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: beyond the limit the session that was silent for longest is forgotten."""
    monkeypatch.setattr(stamp, "SESSIONS", 2)
    served = serve()
    with served.client() as a, served.client() as b, served.client() as c:
        numbers = [ask(sock, number).sequence for number, sock in enumerate((a, b, a, c, a, b, a, c))]
    assert numbers == [0, 0, 1, 0, 2, 0, 3, 0]
    assert len(served.reflectors[0]._sessions) == 2


def test_a_flood_of_sessions_takes_no_more_memory(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred forged senders leave behind no more than the limit."""
    monkeypatch.setattr(stamp, "SESSIONS", 10)
    served = serve()
    for _ in range(100):
        with served.client() as sock:
            ask(sock)
            assert len(served.reflectors[0]._sessions) <= 10


@pytest.mark.parametrize(("silence", "number"), [(899.0, 1), (901.0, 0)])
def test_after_refwait_a_session_begins_anew(serve: Serve, silence: float, number: int) -> None:
    """RFC 8762: 900 seconds of silence end a session, fewer do not."""
    served = serve()
    sessions = served.reflectors[0]._sessions
    with served.client() as sock:
        assert ask(sock).sequence == 0
        for session in sessions.values():
            session.heard -= silence
        assert [ask(sock, sequence).sequence for sequence in (1, 2)] == [number, number + 1]


@pytest.mark.parametrize("length", [44, 45, 512, 8193, 65_507])
def test_an_answer_is_as_long_as_its_question(serve: Serve, length: int) -> None:
    """And the octets after the packet, be they padding or TLVs, come back as they went."""
    padding = bytes(i % 251 for i in range(length - LENGTH))
    with serve().client() as sock:
        sock.send(pack_sender(SenderPacket(9, 1)) + padding)
        answer = sock.recv(70_000)
    assert len(answer) == length
    assert answer[LENGTH:] == padding
    assert unpack_reflector(answer).sender_sequence == 9


def test_the_senders_octets_come_back_bit_by_bit(serve: Serve) -> None:
    """A timestamp finer than a nanosecond, or of PTP's format, is not ours to round."""
    question = bytes.fromhex("fffffffe 00000001 00000001 c0ff") + bytes(30)
    with serve().client() as sock:
        sock.send(question)
        answer = sock.recv(100)
    assert answer[24:38] == question[:14]


@pytest.mark.parametrize("length", [0, 1, 13])
def test_what_is_too_short_is_counted_and_not_answered(serve: Serve, length: int) -> None:
    """Nor does it take a number: the packet after it has the first."""
    served = serve()
    with served.client() as sock:
        sock.send(bytes(length))
        assert ask(sock, 7).sequence == 0
        assert silent(sock)
    reflector = served.reflectors[0]
    assert (reflector.counts.refused["malformed"], reflector.counts.requests) == (1, 1)
    assert served.seen[0][1:] == (length, 0, f"{length} octets are too few for a STAMP packet, its fields have 14")


def test_the_observer_is_told(serve: Serve) -> None:
    """The observer gets the client, the octets in both directions, and no cause."""
    served = serve()
    with served.client() as sock:
        ask(sock, length=100)
        assert served.seen == [(sock.getsockname(), 100, 100, "")]


def test_two_reflectors_do_not_talk_for_ever() -> None:
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
    """The default: the port it listens on itself, on whatever host, and RFC 862's."""
    served = serve()
    assert served.reflectors[0].never == {7, served.port}


def test_an_echo_and_a_reflector_do_not_talk_for_ever(serve: Serve) -> None:
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


def test_times_are_in_their_order(serve: Serve) -> None:
    """Sent, received there, answered there, here: one clock on one host, so none is before the one before it."""
    with serve().client() as sock:
        for _ in range(20):
            begun = time.time_ns()
            answer = ask(sock)
            assert begun <= answer.sender_sent <= answer.received <= answer.sent <= time.time_ns()
            assert answer.residence == answer.sent - answer.received


def test_the_receive_time_is_the_kernels(serve: Serve) -> None:
    """A reflector that is held up says when the packet arrived, not when it got round to it."""
    with serve().client() as sock:

        def residence() -> int:
            sock.send(pack_sender(SenderPacket(0, 0)))
            _block(HELD_UP)
            return unpack_reflector(sock.recv(100)).residence

        # The kernel begins to stamp a moment after it was asked to: the first packet may be too early for it.
        eventually("the delay counts as time in the reflector", lambda: residence() >= HELD_UP * SECOND * 0.9)


@pytest.mark.parametrize("ttl", [1, 33, 64, 255])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_ttl_it_arrived_with_is_told(serve: Serve, host: str, ttl: int) -> None:
    """IPv4's TTL and IPv6's hop limit: the hops between are the sender's to count."""
    with serve().client(host) as sock:
        if ":" in host:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        assert ask(sock).sender_ttl == ttl


def test_a_flood_is_answered_in_batches_and_in_order(serve: Serve) -> None:
    """200 packets at once, more than a batch: all are answered, in order."""
    served = serve()
    with served.client() as sock:
        for sequence in range(200):
            sock.send(pack_sender(SenderPacket(sequence, 0)))
        answers = [unpack_reflector(sock.recv(100)) for _ in range(200)]
    assert [(answer.sequence, answer.sender_sequence) for answer in answers] == [(n, n) for n in range(200)]
    assert served.reflectors[0].counts.requests == 200


class Wrapped:
    """A socket of the reflector's, of which a test replaces one method."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def test_an_answer_that_cannot_be_sent_is_told(serve: Serve) -> None:
    """It has its number all the same: to the sender it is an answer that was lost, not a question."""

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


def test_a_datagram_that_cannot_be_read_is_told(serve: Serve) -> None:
    """And the next one is served."""

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


def test_where_the_kernel_tells_nothing_the_clock_stands_in(serve: Serve) -> None:
    """No stamp, no TTL, no destination: it answers with its clock and a TTL of 0."""

    class Telling(Wrapped):
        """Nothing."""

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


def test_a_kernel_without_these_options_is_no_reason_to_fail() -> None:
    """It reflects without them."""

    class Old:
        family = socket.AF_INET

        def setsockopt(self, *_: object) -> None:
            raise OSError(92, "Protocol not available")

    StampReflector._ask_for_time_and_ttl(Old())  # type: ignore[arg-type]


def test_it_says_whether_it_serves(serve: Serve) -> None:
    """Ready while it listens, never stuck."""
    reflector = serve().reflectors[0]
    assert (reflector.unready(), reflector.stuck()) == ("", "")
    reflector.close()
    assert reflector.unready() == "not listening"
