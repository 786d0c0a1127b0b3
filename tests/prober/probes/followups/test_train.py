"""A train of STAMP packets, with the real reflector and a path that misbehaves."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent import monkey
from gevent.pool import Pool

from smoker_common.listen import udp_sockets
from smoker_diagnosis.train import Train
from smoker_echo.stamp import StampReflector
from smoker_echo.stamp_packet import (
    LENGTH,
    ReflectorPacket,
    pack_reflector,
    pack_sender,
    reflect,
    unpack_reflector,
    unpack_sender,
)
from smoker_prober.kernel import timestamping
from smoker_prober.network.resolve import Address
from smoker_prober.probes.datagram import connected
from smoker_prober.probes.followups import train
from smoker_prober.result import Outcome
from smoker_prober.round import Round
from tests.conftest import eventually
from tests.prober.targets import ENOUGH, HOST, PLENTY, Client, Made, hearing, settings_of, target
from tests.relay import refusing

HELD_UP = 0.15  # seconds
STEPPED = 3600 * 10**9  # ns
COUNTS = ("lost", "delayed", "duplicates", "reordered", "requests_lost", "replies_lost")

_block = monkey.get_original("time", "sleep")  # holds up the whole process, as a CPU quota does
_PlainSocket = monkey.get_original("socket", "socket")  # for a thread that goes on meanwhile


@pytest.fixture(autouse=True)
def _stamped() -> Iterator[None]:
    """Begin kernel stamps before the test and keep them until its end: the kernel starts them with a delay."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        timestamping.enable(sock)
        yield


def to(port: int, host: str = HOST) -> Address:
    if ":" in host:
        return Address(socket.AF_INET6, (host, port, 0, 0))
    return Address(socket.AF_INET, (host, port))


def sent(port: int, packets: int = 4, spread: float = 0.0, timeout: float = PLENTY, host: str = HOST) -> Train:
    """Return a train that a reflector answers."""
    found = train.run(to(port, host), packets, spread, timeout)
    assert found is not None
    return found


def counts(found: Train) -> dict[str, int]:
    """Return the counts that are not 0."""
    return {name: getattr(found, name) for name in COUNTS if getattr(found, name)}


@contextlib.contextmanager
def reflecting(host: str = HOST, port: int = 0) -> Iterator[StampReflector]:
    """The real reflector."""
    reflector = StampReflector(udp_sockets(host, port)[0])
    reflector.start()
    try:
        yield reflector
    finally:
        reflector.close()


def port_of(reflector: StampReflector) -> int:
    assert reflector.server_port
    return reflector.server_port


@dataclass(frozen=True)
class Path:
    """What a path does to packets, by their sequence numbers."""

    lose_requests: Collection[int] = ()
    lose_replies: Collection[int] = ()
    double_requests: Collection[int] = ()
    double_replies: Collection[int] = ()
    overtaken: Mapping[int, int] = field(default_factory=dict)  # this reply waits until that one has passed
    cut: Mapping[int, int] = field(default_factory=dict)  # replies that lose their end: how many octets are left


class Relay:
    """`path` between a port of its own and a target."""

    def __init__(self, path: Path, target: int, near: socket.socket, far: socket.socket) -> None:
        self._path, self._near, self._far = path, near, far
        near.bind((HOST, 0))
        far.connect((HOST, target))
        self.port: int = near.getsockname()[1]
        self._client: Any = None

    def requests(self) -> None:
        while True:
            data, self._client = self._near.recvfrom(65_535)
            sequence = unpack_sender(data).sequence
            if sequence not in self._path.lose_requests:
                for _ in range(1 + (sequence in self._path.double_requests)):
                    self._far.send(data)

    def replies(self) -> None:
        waiting: dict[int, bytes] = {}
        passed: set[int | None] = {None}
        while True:
            data = self._far.recv(65_535)
            sequence = unpack_reflector(data).sender_sequence
            if sequence in self._path.lose_replies:
                continue
            waiting[sequence] = data[: self._path.cut.get(sequence)]
            while ready := [n for n in waiting if self._path.overtaken.get(n) in passed]:
                self._pass(ready[0], waiting.pop(ready[0]))
                passed.add(ready[0])

    def _pass(self, sequence: int, data: bytes) -> None:
        for _ in range(1 + (sequence in self._path.double_replies)):
            self._near.sendto(data, self._client)


@contextlib.contextmanager
def relayed(path: Path) -> Iterator[int]:
    """Yield the port of a relay in front of the real reflector."""
    with (
        reflecting() as reflector,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        relay, greenlets = Relay(path, port_of(reflector), near, far), Pool()
        greenlets.spawn(relay.requests)
        greenlets.spawn(relay.replies)
        try:
            yield relay.port
        finally:
            greenlets.kill()


@pytest.mark.parametrize("host", [HOST, "::1"])
@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_all_are_answered(host: str, spread: float) -> None:
    """There is no loss, a round trip for each packet, and their jitter, over both families, at once or spread."""
    with reflecting(host) as reflector:
        found = sent(port_of(reflector), 10, spread, host=host)
    assert (found.sent, counts(found), found.loss_ratio) == (10, {}, 0.0)
    assert len(found.rtts) == 10
    assert all(0 < rtt < PLENTY for rtt in found.rtts)
    assert found.jitter is not None
    assert reflector.counts.requests == 10


def test_a_train_of_one() -> None:
    """A train of one packet has a round trip and no jitter."""
    with reflecting() as reflector:
        found = sent(port_of(reflector), 1)
    assert (found.sent, found.loss_ratio, len(found.rtts), found.jitter) == (1, 0.0, 1, None)


def test_each_train_is_a_session() -> None:
    """Each train comes from a port of its own, so the reflector counts from 0."""
    with relayed(Path(lose_replies={0})) as port:
        assert [counts(sent(port, 3, timeout=ENOUGH)) for _ in range(2)] == [{"lost": 1, "replies_lost": 1}] * 2


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(Path(lose_requests={0}), {"lost": 1, "requests_lost": 1}, id="first-request-lost"),
        pytest.param(Path(lose_requests={1, 3, 5}), {"lost": 3, "requests_lost": 3}, id="requests-lost"),
        pytest.param(Path(lose_replies={0}), {"lost": 1, "replies_lost": 1}, id="first-reply-lost"),
        pytest.param(Path(lose_replies={1, 2, 4}), {"lost": 3, "replies_lost": 3}, id="replies-lost"),
        pytest.param(
            Path(lose_requests={0, 4}, lose_replies={2}),
            {"lost": 3, "requests_lost": 2, "replies_lost": 1},
            id="both-directions",
        ),
        pytest.param(Path(lose_requests=range(6)), {"lost": 6, "requests_lost": 6}, id="nothing-gets-through"),
        pytest.param(Path(cut={1: 28, 2: 41}), {}, id="replies-without-their-end"),
        pytest.param(Path(double_replies={1, 5}), {"duplicates": 2}, id="replies-twice"),
        pytest.param(Path(double_requests={1, 4}), {"duplicates": 2}, id="requests-twice"),
        pytest.param(Path(double_requests={2}, double_replies={2}), {"duplicates": 3}, id="both-twice"),
        pytest.param(Path(overtaken={1: 2}), {"reordered": 1}, id="two-swapped"),
        pytest.param(Path(overtaken={0: 5}), {"reordered": 1}, id="the-first-comes-last"),
        pytest.param(Path(overtaken={0: 1, 1: 2}), {"reordered": 2}, id="three-backwards"),
        pytest.param(
            Path(lose_requests={0}, lose_replies={1}, double_replies={2}, overtaken={3: 4}),
            {"lost": 2, "requests_lost": 1, "replies_lost": 1, "duplicates": 1, "reordered": 1},
            id="all-of-it",
        ),
    ],
)
def test_the_counts_are_those_of_the_path(path: Path, expected: dict[str, int]) -> None:
    """The train reports exactly what the path does to six packets."""
    with relayed(path) as port:
        found = sent(port, 6, 0.03, ENOUGH if expected.get("lost") else PLENTY)
    assert counts(found) == expected
    assert len(found.rtts) == 6 - expected.get("lost", 0)
    assert found.loss_ratio == expected.get("lost", 0) / 6


@pytest.mark.parametrize(
    ("path", "doubts"), [(Path(lose_requests={1}), True), (Path(lose_replies={1}), True), (Path(), False)]
)
def test_only_a_train_that_lost_packets_is_asked_again(path: Path, doubts: bool) -> None:
    """The second train tells chance from packet loss before the next round."""
    with answering() as port, relayed(path) as relay:
        wanted = replace(target("udp", port, HOST), followups=(train.Options(relay, 4, 0.0),))
        one_round = Round((wanted,), source="node-1", timeout=ENOUGH)
        assert not one_round.doubts(wanted)
        (found,) = one_round.results()
        assert (found.outcome, one_round.doubts(wanted)) == (Outcome.SUCCESS, doubts)
        (again,) = one_round.again(wanted)
        assert (again.train is not None, one_round.doubts(wanted)) == (doubts, doubts)


@pytest.mark.parametrize("catch_up", [True, False])
def test_a_lost_ping_is_caught_up_with_a_train_once_the_probe_works(*, catch_up: bool) -> None:
    """Without an answer no train follows. If the repeated probe is answered, the path may lose packets: one follows."""
    with deaf_at_first() as port, reflecting() as reflector:
        wanted = replace(target("udp", port, HOST), followups=(train.Options(port_of(reflector), 4, 0.0),))
        one_round = Round((wanted,), source="node-1", timeout=ENOUGH)
        (failed,) = one_round.results()
        assert (failed.outcome, failed.train) == (Outcome.TIMEOUT, None)
        first, *more = one_round.again(wanted, catch_up=catch_up)
        assert (first.outcome, first.train) == (Outcome.SUCCESS, None)
        assert [each.train and each.train.sent for each in more] == [train.SECOND] * catch_up
        assert len(list(one_round.again(wanted, catch_up=True))) == 2 - catch_up  # once is enough


def test_nothing_is_caught_up_while_the_probe_fails() -> None:
    """A path that is broken gets no train."""
    with hearing(lambda *_: None) as port, reflecting() as reflector:
        wanted = replace(target("udp", port, HOST), followups=(train.Options(port_of(reflector), 4, 0.0),))
        one_round = Round((wanted,), source="node-1", timeout=ENOUGH)
        list(one_round.results())
        (again,) = one_round.again(wanted, catch_up=True)
    assert (again.outcome, again.train) == (Outcome.TIMEOUT, None)


def test_a_path_is_in_doubt_until_three_trains_in_a_row_lost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many second trains show soon that a loss is over. Where nothing reflects, there is nothing to doubt."""
    answers = [made_train(lost) for lost in (0, 2, 0, 0, 1, 0, 0, 0, 0, 3)] + [None]
    monkeypatch.setattr(train, "run", lambda *_: answers.pop(0))
    with answering() as port:
        wanted = replace(target("udp", port, HOST), followups=(train.Options(port, 10, 0.0),))
        one_round = Round((wanted,), source="node-1", timeout=ENOUGH)
        doubts = []
        while answers:
            list(one_round.results())
            doubts.append(one_round.doubts(wanted))
    assert doubts == [False, True, True, True, True, True, True, False, False, True, False]


def made_train(lost: int) -> Train:
    """Return what a train of ten packets found that lost so many requests."""
    return Train(10, lost, 0, 0, 0, lost, 0, (), None)


def test_the_prober_sends_the_second_train_before_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no round of its own."""
    monkeypatch.setattr("smoker_prober.prober.LATER", 0.1)
    with answering() as port, relayed(Path(lose_requests={1})) as relay:
        wanted = replace(target("udp", port, HOST), followups=(train.Options(relay, 4, 0.0),))
        made = Made(settings_of({"TEST_INTERVAL": "60", "TEST_TIMEOUT": "2"}), {"echo": (wanted,)})
        made.prober.start()
        eventually("both trains are counted", lambda: made.path(f"{HOST}:{port}").sent == 4 + train.SECOND)
        path = made.path(f"{HOST}:{port}")
        made.prober.close()
        made.prober.drain(0)
        assert (path.lost, path.past, path.lossy) == (2, 1, 1)


def test_the_prober_counts_the_train_that_catches_up() -> None:
    """The state has its packets soon after the lost PING, beside the failure of the only round."""
    with deaf_at_first() as port, relayed(Path(lose_requests={1, 2})) as relay:
        wanted = replace(target("udp", port, HOST), followups=(train.Options(relay, 4, 0.0),))
        made = Made(settings_of({"TEST_INTERVAL": "60", "TEST_TIMEOUT": "1"}), {"echo": (wanted,)})
        made.prober.start()
        eventually("the train is counted", lambda: made.path(f"{HOST}:{port}").sent == train.SECOND)
        path = made.path(f"{HOST}:{port}")
        made.prober.close()
        made.prober.drain(0)
        assert (path.last, path.streak, path.lost, path.attempts) == ("success", 0, 2, 1)
        assert path.failures == {"timeout": 1}


def deaf_at_first() -> contextlib.AbstractContextManager[int]:
    """Return a UDP echo that does not answer the first datagram, by its port."""
    heard: list[bytes] = []

    def answer(sock: socket.socket, data: bytes, client: Client) -> None:
        heard.append(data)
        if len(heard) > 1:
            sock.sendto(data, client)

    return hearing(answer)


def answering() -> contextlib.AbstractContextManager[int]:
    """Return a UDP echo, by its port."""

    def answer(sock: socket.socket, data: bytes, client: Client) -> None:
        sock.sendto(data, client)

    return hearing(answer)


def test_an_answer_that_cannot_be_read_is_not_lost() -> None:
    """One answer of six is cut and has no number, so one packet is neither answered nor lost."""
    with relayed(Path(cut={1: 27})) as port:
        found = sent(port, 6, 0.03, ENOUGH)
    assert (counts(found), found.unreadable, found.loss_ratio, len(found.rtts)) == ({}, 1, 0.0, 5)


def test_answers_that_cannot_be_read_and_packets_that_are_lost() -> None:
    """Both are counted separately, and the loss is that of the packets with a known fate."""
    with relayed(Path(cut={1: 0, 3: 27}, lose_requests={0})) as port:
        found = sent(port, 6, 0.03, ENOUGH)
    assert (counts(found), found.unreadable, found.loss_ratio) == ({"lost": 1, "requests_lost": 1}, 2, 0.25)


@pytest.mark.parametrize("length", [28, 36, 38, 40, 41, 43, 44, 500])
def test_a_reflector_of_twamp_light_is_read(length: int) -> None:
    """It answers every packet with 41 octets by RFC 5357 or fewer, without a session identifier."""

    def answer(sock: socket.socket, data: bytes, client: Any) -> None:
        now = time.time_ns()
        raw = reflect(data, ReflectorPacket(unpack_sender(data).sequence, now, now, 0, 0, 64))
        sock.sendto(raw.ljust(length, b"\xaa")[:length], client)

    with hearing(answer) as port:
        found = sent(port, 5, 0.02)
    assert (counts(found), found.unreadable, found.loss_ratio, len(found.rtts)) == ({}, 0, 0.0, 5)


@pytest.mark.parametrize("reply", [b"", b"PONG", bytes(27), bytes(LENGTH), None])
def test_where_no_answer_can_be_read_there_is_no_loss(reply: bytes | None) -> None:
    """If something else answers, an echo for example, the loss is unknown: None, neither 0 nor 1."""

    def answer(sock: socket.socket, data: bytes, client: Any) -> None:
        sock.sendto(data if reply is None else reply, client)

    with hearing(answer) as port:
        found = sent(port, 5, 0.02)
    assert (found.sent, counts(found), found.unreadable) == (5, {}, 5)
    assert (found.loss_ratio, found.rtts, found.jitter) == (None, (), None)


def test_trains_from_one_port_are_sessions_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reflector counts from 0 for each train from a reused port, so lost requests are not lost replies."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        near = probe.getsockname()

    def same(address: Address, **_never: object) -> socket.socket:
        sock = socket.socket(address.family, socket.SOCK_DGRAM)
        sock.bind(near)
        sock.connect(address.sockaddr)
        sock.setblocking(False)
        return sock

    monkeypatch.setattr(train, "connected", same)
    with reflecting() as reflector:
        first = sent(port_of(reflector), 5)
        monkeypatch.setattr(  # packet 3 does not reach the reflector as one
            train, "pack_sender", lambda packet, length: b"" if packet.sequence == 3 else pack_sender(packet, length)
        )
        second = sent(port_of(reflector), 5, timeout=ENOUGH)
    assert (counts(first), counts(second)) == ({}, {"lost": 1, "requests_lost": 1})


def test_an_answer_to_an_earlier_train_is_skipped() -> None:
    """By its session identifier it is neither an answer nor a duplicate of this train."""

    def answer(sock: socket.socket, data: bytes, client: Any) -> None:
        asked, now = unpack_sender(data), time.time_ns()
        assert asked.ssid
        for ssid in (asked.ssid % 0xFFFF + 1, asked.ssid):
            packet = ReflectorPacket(asked.sequence, now, now, 0, 0, 64, ssid=ssid)
            sock.sendto(reflect(data, packet), client)

    with hearing(answer) as port:
        found = sent(port, 4, 0.01)
    assert (counts(found), found.unreadable, len(found.rtts)) == ({}, 0, 4)


def test_an_answer_after_the_deadline_is_delayed() -> None:
    """A delayed answer is neither loss nor a round trip; each packet has its own deadline."""
    with relayed(Path(overtaken={0: 1})) as port:
        found = sent(port, 2, spread=0.8, timeout=0.2)  # the second leaves after 0.4 s
    assert counts(found) == {"delayed": 1, "reordered": 1}
    assert (len(found.rtts), found.loss_ratio) == (1, 0.0)


def test_a_closed_port_gives_no_train() -> None:
    """An ICMP error gives no train, without a wait until the deadline."""
    with refusing(socket.SOCK_DGRAM) as port:
        assert train.run(to(port), 5, 0.05, PLENTY) is None


def test_an_unreachable_target_gives_no_train() -> None:
    """If no packet can leave, here to a broadcast address, there is no train and no exception."""
    assert train.run(to(8062, "127.255.255.255"), 3, 0.0, PLENTY) is None


def test_silence_is_loss() -> None:
    """Without any answer all packets are lost."""
    with hearing(lambda *_: None) as port:
        found = sent(port, 5, 0.02, timeout=0.05)
    assert (found.sent, counts(found)) == (5, {"lost": 5, "requests_lost": 5})
    assert (found.loss_ratio, found.rtts, found.jitter) == (1.0, (), None)


def test_packets_that_are_not_answers_are_skipped() -> None:
    """Datagrams that are too short, and answers to packets that were never sent, are ignored."""

    def answer(sock: socket.socket, data: bytes, client: Any) -> None:
        sequence, now = unpack_sender(data).sequence, time.time_ns()
        for datagram in (b"", b"PING", bytes(LENGTH - 1)):
            sock.sendto(datagram, client)
        sock.sendto(pack_reflector(ReflectorPacket(9, now, now, 1000 + sequence, now, 64)), client)
        sock.sendto(reflect(data, ReflectorPacket(sequence, now, now, 0, 0, 64)), client)

    with hearing(answer) as port:
        found = sent(port, 4, 0.01)
    assert (counts(found), len(found.rtts)) == ({}, 4)


@pytest.mark.parametrize(("received", "answered"), [(0, -STEPPED), (0, STEPPED), (-STEPPED, 0), (STEPPED, 0)])
def test_a_stepped_reflector_clock_is_ignored(received: int, answered: int) -> None:
    """A time in the reflector that is negative, or longer than the round trip, is ignored."""

    def answer(sock: socket.socket, data: bytes, client: Any) -> None:
        sequence, now = unpack_sender(data).sequence, time.time_ns()
        packet = ReflectorPacket(sequence, now + answered, now + received, 0, 0, 64)
        sock.sendto(reflect(data, packet), client)

    with hearing(answer) as port:
        found = sent(port, 4)
    assert counts(found) == {}
    assert all(0 < rtt < PLENTY for rtt in found.rtts)


def test_a_reflector_with_another_clock_works() -> None:
    """Only differences of its own clock are used, so an error of an hour does not matter."""

    def answer(sock: socket.socket, data: bytes, client: Any) -> None:
        theirs = time.time_ns() - STEPPED
        _block(HELD_UP / 3)
        packet = ReflectorPacket(unpack_sender(data).sequence, theirs + int(HELD_UP / 3 * 1e9), theirs, 0, 0, 64)
        sock.sendto(reflect(data, packet), client)

    with hearing(answer) as port:
        found = sent(port, 1)
    assert counts(found) == {}
    assert all(0 < rtt < HELD_UP / 3 for rtt in found.rtts)


@pytest.mark.parametrize("step", [STEPPED, -STEPPED])
@pytest.mark.parametrize("first", [0, 2])
def test_our_own_wall_clock_steps_in_a_train(monkeypatch: pytest.MonkeyPatch, step: int, first: int) -> None:
    """From the answer `first` on the kernel's stamps are of another time.

    Nothing is late or lost, and they give no RTT.
    """
    stamp, looks = timestamping.stamp, iter(range(100))

    def stepped(ancillary: Any) -> int | None:
        found = stamp(ancillary)
        return None if found is None else found + step * (next(looks) >= first)

    monkeypatch.setattr(train, "timestamping", SimpleNamespace(**vars(timestamping) | {"stamp": stepped}))
    with reflecting() as reflector:
        found = sent(port_of(reflector), 4)
    assert (found.sent, counts(found), len(found.rtts)) == (4, {}, first)
    assert all(0 < rtt < PLENTY for rtt in found.rtts)


@pytest.mark.parametrize("packet", [0, 3, 5])
def test_a_sender_delayed_beyond_the_deadline(packet: int) -> None:
    """An answer that arrives while the process stands still is read, and by the kernel's stamp it was in time."""
    under_way: list[int] = []
    standing: list[bool] = []

    def reflect_all() -> None:
        """Reflect in a separate thread, which continues meanwhile."""
        while data := sock.recvfrom(100):
            question, client = data
            if not question:
                return
            asked, received = unpack_sender(question), time.time_ns()
            under_way.append(asked.sequence)
            while asked.sequence == packet and not standing:
                _block(0.001)
            answer = ReflectorPacket(asked.sequence, time.time_ns(), received, 0, 0, 64)
            sock.sendto(reflect(question, answer), client)

    def hold_up() -> None:
        while packet not in under_way:
            gevent.sleep(0.001)
        standing.append(True)
        _block(HELD_UP)

    with _PlainSocket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        thread = gevent.get_hub().threadpool.spawn(reflect_all)
        holding = gevent.spawn(hold_up)
        found = sent(sock.getsockname()[1], 6, 0.06, timeout=HELD_UP * 0.8)
        holding.join()
        sock.sendto(b"", sock.getsockname())
        thread.get()
    assert (found.sent, counts(found), len(found.rtts)) == (6, {}, 6)
    assert all(0 < rtt < HELD_UP for rtt in found.rtts)


class DelayingSocket:
    """A socket on which the process is held up around each send, and on which some sends fail."""

    def __init__(
        self,
        sock: socket.socket,
        before: float = 0.0,
        after: float = 0.0,
        fails: Collection[int] = (),
        number: int = 0,
    ) -> None:
        self._sock, self._before, self._after, self._fails, self._number = sock, before, after, fails, number
        self._calls = 0

    def __enter__(self) -> DelayingSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def send(self, data: bytes) -> int:
        _block(self._before)
        self._calls += 1
        if self._calls - 1 in self._fails:
            raise OSError(self._number, "")
        count = self._sock.send(data)
        _block(self._after)
        return count


@pytest.fixture
def delay_sends(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`delay_sends(fails={1}, number=ENOBUFS)`: trains have such a socket from now on."""
    made = connected

    def replace(**options: Any) -> None:
        monkeypatch.setattr(train, "connected", lambda address, never: DelayingSocket(made(address), **options))

    return replace


def test_a_sender_delayed_before_it_sends(delay_sends: Callable[..., None]) -> None:
    """The packet left when the kernel says so, and the round trip begins there."""
    delay_sends(before=HELD_UP / 3)
    with reflecting() as reflector:
        found = sent(port_of(reflector), 3)
    assert (counts(found), len(found.rtts)) == ({}, 3)
    assert all(0 < rtt < HELD_UP / 3 for rtt in found.rtts)


def test_both_ends_delayed_while_a_packet_is_in_flight(delay_sends: Callable[..., None]) -> None:
    """Sender and reflector in one process stand still: nothing is lost, and this time is not in the RTT."""
    delay_sends(after=HELD_UP / 3)
    with reflecting() as reflector:
        found = sent(port_of(reflector), 4, 0.04, timeout=ENOUGH)
    assert (found.sent, counts(found), len(found.rtts)) == (4, {}, 4)
    assert all(0 < rtt < HELD_UP / 3 for rtt in found.rtts)


def test_both_ends_delayed_in_the_middle() -> None:
    """After a halt longer than the train the remaining packets are sent and answered."""
    with reflecting() as reflector:
        gevent.spawn_later(0.03, _block, HELD_UP)
        found = sent(port_of(reflector), 10, 0.1)
    assert (found.sent, counts(found), len(found.rtts)) == (10, {}, 10)
    assert all(0 < rtt < HELD_UP for rtt in found.rtts)


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.EPERM, errno.ECONNREFUSED])
def test_a_packet_that_did_not_leave_is_not_lost(delay_sends: Callable[..., None], number: int) -> None:
    """A failed send is ours, and the kernel's later numbers do not give a packet another's round trip."""
    delay_sends(fails={1, 4}, number=number)
    with reflecting() as reflector:
        found = sent(port_of(reflector), 6, 0.06)
    assert (found.sent, counts(found), len(found.rtts)) == (4, {}, 4)
    assert all(0 < rtt < PLENTY for rtt in found.rtts)


def test_where_no_packet_leaves_there_is_no_train(delay_sends: Callable[..., None]) -> None:
    """If no packet leaves the result is None and not a train without loss."""
    delay_sends(fails=range(3), number=errno.EPERM)
    with reflecting() as reflector:
        assert train.run(to(port_of(reflector)), 3, 0.0, PLENTY) is None


def test_a_shortage_of_descriptors_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prober without free descriptors keeps running."""

    def refuse(_: Address, **_never: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(train, "connected", refuse)
    assert train.run(to(8062), 3, 0.0, PLENTY) is None


def test_a_reflector_that_is_briefly_unreachable() -> None:
    """One ICMP error between answers neither ends the train nor hurries it: later packets are sent in time."""

    def go_away() -> None:
        eventually("the first is answered", lambda: first.counts.requests)
        first.close()
        gevent.sleep(0.12)
        again.append(StampReflector(udp_sockets(HOST, port)[0]))
        again[0].start()

    again: list[StampReflector] = []
    with reflecting() as first:
        port = port_of(first)
        away = gevent.spawn(go_away)
        found = sent(port, 8, 0.4, timeout=ENOUGH)
        away.get()
        again[0].close()
    assert again[0].counts.requests
    assert found.sent - found.lost == first.counts.requests + again[0].counts.requests
    assert found.lost


def test_a_timeout_of_other_code_is_not_swallowed() -> None:
    """A timeout that the caller has set is passed on."""
    theirs = gevent.Timeout(0.05)
    with hearing(lambda *_: None) as port, pytest.raises(gevent.Timeout) as caught, theirs:
        train.run(to(port), 3, 0.03, PLENTY)
    assert caught.value is theirs


def test_it_says_whether_the_kernel_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without stamps the clock measures the whole train, and the method says so."""
    with reflecting() as reflector:
        assert sent(port_of(reflector), 5, 0.01).stamped
        monkeypatch.setattr(timestamping, "enable", lambda _sock: False)
        found = sent(port_of(reflector), 5, 0.01)
    assert (found.stamped, found.lost, len(found.rtts)) == (False, 0, 5)
