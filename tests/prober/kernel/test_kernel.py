"""The kernel's data about a socket: TCP_INFO, time stamps, the error queue."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import random
import select
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from gevent import monkey
from hypothesis import given
from hypothesis import strategies as st

from smoker_prober.kernel import error_queue, tcp_info, timestamping, ttl
from smoker_prober.kernel.error_queue import Drained, IcmpError
from smoker_prober.kernel.tcp_info import TcpInfo
from tests.conftest import eventually
from tests.prober.targets import PLENTY, echo

HOSTS = ["127.0.0.1", "::1"]
TIMESTAMPING = 4  # SO_EE_ORIGIN_TIMESTAMPING

_poll = monkey.get_original("select", "poll")


def udp(host: str) -> socket.socket:
    """Return a non-blocking socket on loopback."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.setblocking(False)
    return sock


@contextlib.contextmanager
def pair(host: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return two connected UDP sockets with all socket options that the kernel offers."""
    with udp(host) as one, udp(host) as other:
        one.connect(other.getsockname())
        other.connect(one.getsockname())
        for sock in (one, other):
            assert timestamping.enable(sock)
            assert error_queue.enable(sock)
        yield one, other


@contextlib.contextmanager
def refused(host: str) -> Iterator[socket.socket]:
    """Return a socket connected to a port without a listener; another socket, connected to itself, holds that port."""
    with udp(host) as deaf, udp(host) as sock:
        deaf.connect(deaf.getsockname())
        sock.connect(deaf.getsockname())
        assert error_queue.enable(sock)
        yield sock


def events(sock: socket.socket) -> int:
    """Return the events for which the kernel would wake us."""
    poll = _poll()
    poll.register(sock.fileno(), select.POLLIN)
    return sum(found for _, found in poll.poll(0))


def drained(sock: socket.socket, count: int) -> Drained:
    """Return `count` stamps or errors from the queue."""
    found = Drained()

    def enough() -> bool:
        queue = error_queue.drain(sock)
        found.sent.update(queue.sent)
        found.errors.extend(queue.errors)
        return len(found.sent) + len(found.errors) >= count

    eventually(f"{count} on the error queue", enough)
    return found


# TCP_INFO


def raw_info(length: int = 232, state: int = 1, rtt: int = 0, retransmits: int = 0, least: int = 0xFFFFFFFF) -> bytes:
    """Return a struct tcp_info (linux/tcp.h). Other fields are all ones, so that a wrong read shows."""
    raw = bytearray(b"\xff" * 300)
    raw[0] = state
    raw[68:72] = struct.pack("=I", rtt)
    raw[100:104] = struct.pack("=I", retransmits)
    raw[148:152] = struct.pack("=I", least)
    return bytes(raw[:length])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (raw_info(rtt=1500, least=1200), TcpInfo(established=True, rtt=0.0015, min_rtt=0.0012, retransmits=0)),
        (raw_info(rtt=1, least=1), TcpInfo(established=True, rtt=1e-6, min_rtt=1e-6, retransmits=0)),
        (raw_info(rtt=1500, least=0), TcpInfo(established=True, rtt=0.0015, min_rtt=0.0, retransmits=0)),
        (raw_info(rtt=9, least=9, retransmits=3), TcpInfo(established=True, rtt=9e-6, min_rtt=9e-6, retransmits=3)),
        (raw_info(), TcpInfo(established=True, rtt=None, min_rtt=None, retransmits=0)),
        (raw_info(least=77), TcpInfo(established=True, rtt=None, min_rtt=None, retransmits=0)),
        (raw_info(rtt=1500), TcpInfo(established=True, rtt=0.0015, min_rtt=None, retransmits=0)),
        (raw_info(state=2, retransmits=1), TcpInfo(established=False, rtt=None, min_rtt=None, retransmits=1)),
        (raw_info(state=8, rtt=5, least=5), TcpInfo(established=False, rtt=5e-6, min_rtt=5e-6, retransmits=0)),
    ],
)
def test_tcp_info_is_read_from_its_offsets(raw: bytes, expected: TcpInfo) -> None:
    """An RTT of 0, and a least RTT of all ones, are no sample: None and not 0."""
    assert tcp_info.decode(raw) == expected


@pytest.mark.parametrize(("length", "least"), [(104, None), (151, None), (152, 0.0012), (232, 0.0012), (300, 0.0012)])
def test_an_older_kernels_tcp_info_is_shorter(length: int, least: float | None) -> None:
    """The struct only grew at its end: present fields are read, missing ones are unknown."""
    assert tcp_info.decode(raw_info(length, rtt=1500, least=1200)) == TcpInfo(
        established=True, rtt=0.0015, min_rtt=least, retransmits=0
    )


@pytest.mark.parametrize("length", [0, 1, 71, 103])
def test_a_tcp_info_without_the_needed_fields_is_none(length: int) -> None:
    """Half a struct is None."""
    assert tcp_info.decode(raw_info(length, rtt=1500)) is None


@pytest.mark.parametrize("host", HOSTS)
def test_a_real_connection_has_a_sample(host: str) -> None:
    """The handshake alone gives a sample."""
    with echo("tcp", host) as port, socket.create_connection((host, port)) as sock:
        info = tcp_info.read(sock)
    assert info is not None
    assert (info.established, info.retransmits) == (True, 0)
    assert info.rtt is not None
    assert info.min_rtt is not None
    assert 0 < info.min_rtt <= info.rtt < PLENTY


def test_a_socket_that_is_not_connected_has_none() -> None:
    """Its struct contains no sample."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        assert tcp_info.read(sock) == TcpInfo(established=False, rtt=None, min_rtt=None, retransmits=0)


def test_no_tcp_no_tcp_info() -> None:
    """A datagram socket and a closed socket have None."""
    with udp("127.0.0.1") as sock:
        assert tcp_info.read(sock) is None
    assert tcp_info.read(sock) is None


# Stamps


@pytest.mark.parametrize("host", HOSTS)
def test_a_datagram_leaves_before_it_arrives(host: str) -> None:
    """Both stamps are the kernel's by one clock, between two readings of it."""
    with pair(host) as (one, other):
        other.settimeout(PLENTY)
        numbers = iter(range(1_000_000))

        def stamps() -> tuple[int, int, int, int] | None:
            begun = time.time_ns()
            one.send(b"PING")
            sent = drained(one, 1).sent[next(numbers)]
            _data, ancillary, _flags, _address = other.recvmsg(10, timestamping.CMSG_SPACE)
            received = timestamping.stamp(ancillary)
            return None if received is None else (begun, sent, received, time.time_ns())

        # The kernel begins to stamp what arrives a moment after it was asked to.
        for found in [eventually("both stamps", stamps) for _ in range(5)]:
            assert list(found) == sorted(found)


@pytest.mark.parametrize("host", HOSTS)
def test_stamps_are_numbered_from_0(host: str) -> None:
    """Each sent datagram has the next number, and left after the one before it."""
    with pair(host) as (one, _other):
        for _ in range(20):
            one.send(b"x")
        sent = drained(one, 20).sent
    assert sorted(sent) == list(range(20))
    assert sorted(sent.values()) == [sent[n] for n in range(20)]


def test_each_socket_has_numbers_of_its_own() -> None:
    """Each socket counts its own datagrams, and received ones do not count."""
    with pair("127.0.0.1") as (one, other):
        for _ in range(3):
            one.send(b"x")
        other.send(b"y")
        assert sorted(drained(one, 3).sent) == [0, 1, 2]
        assert sorted(drained(other, 1).sent) == [0]


def test_an_empty_error_queue_wakes_no_waiter() -> None:
    """A time stamp on the queue ends a wait. After the drain it does not, and there is no second stamp."""
    with pair("127.0.0.1") as (one, _other):
        one.send(b"x")
        eventually("the stamp is there", lambda: events(one) & select.POLLERR)
        assert sorted(error_queue.drain(one).sent) == [0]
        assert events(one) == 0
        assert error_queue.drain(one) == Drained()


def timespecs(*values: int) -> bytes:
    """Return three struct timespec, the first of which is the software stamp."""
    return struct.pack("=6q", *(*values, 0, 0, 0, 0, 0, 0)[:6])


@pytest.mark.parametrize(
    ("ancillary", "expected"),
    [
        ([], None),
        ([(socket.SOL_SOCKET, 37, timespecs(3, 5))], 3_000_000_005),
        ([(socket.SOL_SOCKET, 37, timespecs(3, 5)[:16])], 3_000_000_005),
        ([(socket.SOL_SOCKET, 37, timespecs(3, 5)[:15])], None),
        ([(socket.SOL_SOCKET, 37, b"")], None),
        ([(socket.SOL_SOCKET, 37, timespecs(0, 0, 0, 0, 3, 5))], None),  # the hardware's alone
        ([(socket.SOL_SOCKET, 35, timespecs(3, 5))], None),
        ([(socket.IPPROTO_IP, 37, timespecs(3, 5))], None),
        ([(socket.IPPROTO_IP, 2, b"@\0\0\0"), (socket.SOL_SOCKET, 37, timespecs(1, 0))], 1_000_000_000),
    ],
)
def test_the_stamp_among_control_messages(ancillary: list[tuple[int, int, bytes]], expected: int | None) -> None:
    """The stamp is nanoseconds, or None if there is none: a stamp of 0 is none."""
    assert timestamping.stamp(ancillary) == expected


@pytest.mark.parametrize("host", HOSTS)
def test_an_option_that_the_kernel_refuses_is_reported(host: str) -> None:
    """A socket without the option, here a closed one, is reported and is no failure."""
    with udp(host) as sock:
        pass
    assert not timestamping.enable(sock)
    assert not error_queue.enable(sock)
    assert error_queue.drain(sock) == Drained()


# ICMP


@pytest.mark.parametrize(
    ("host", "error"),
    [
        ("127.0.0.1", IcmpError(errno.ECONNREFUSED, 3, 3, "127.0.0.1")),
        ("::1", IcmpError(errno.ECONNREFUSED, 1, 4, "::1")),
    ],
)
def test_an_icmp_error_names_who_sent_it(host: str, error: IcmpError) -> None:
    """Port unreachable is read in both families, with type, code and sender."""
    with refused(host) as sock:
        sock.send(b"x")
        assert drained(sock, 1) == Drained(errors=[error])
        assert events(sock) == 0


@pytest.mark.parametrize("host", HOSTS)
def test_an_icmp_error_and_a_timestamp_are_distinguished(host: str) -> None:
    """Both are on one queue and are distinguished."""
    with refused(host) as sock:
        assert timestamping.enable(sock)
        sock.send(b"x")
        found = drained(sock, 2)
    assert (sorted(found.sent), [error.errno for error in found.errors]) == ([0], [errno.ECONNREFUSED])


def test_what_was_drained_does_not_fail_the_next_call() -> None:
    """After the drain the error is off the socket, and it can send again."""
    with refused("127.0.0.1") as sock:
        for _ in range(3):
            sock.send(b"x")
            assert len(drained(sock, 1).errors) == 1


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (IcmpError(errno.ECONNREFUSED, 3, 3, "10.0.0.1"), "connection refused (ICMP 3/3 from 10.0.0.1)"),
        (IcmpError(errno.EHOSTUNREACH, 1, 3, "fd00::1"), "no route to host (ICMP 1/3 from fd00::1)"),
        (IcmpError(errno.EHOSTUNREACH, 3, 1, ""), "no route to host (ICMP 3/1)"),
        (IcmpError(errno.ECONNREFUSED, 3, 3, "10.0.0.9"), "connection refused (ICMP 3/3 from the target itself)"),
        (IcmpError(4000, 3, 9, "10.0.0.1"), "error 4000 (ICMP 3/9 from 10.0.0.1)"),
    ],
)
def test_an_icmp_error_in_words(error: IcmpError, text: str) -> None:
    """The words are the kernel's, then ICMP's numbers and the sender."""
    assert error.text("10.0.0.9") == text


V4, V6 = (socket.IPPROTO_IP, 11), (socket.IPPROTO_IPV6, 25)


def extended(number: int, origin: int, kind: int = 3, code: int = 1, data: int = 0) -> bytes:
    """Return a struct sock_extended_err (linux/errqueue.h)."""
    return struct.pack("=IBBBBII", number, origin, kind, code, 0, 0, data)


def offender(host: str) -> bytes:
    """Return a struct sockaddr_in or sockaddr_in6."""
    if ":" in host:
        return struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, host), 0)
    return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(host))


@pytest.mark.parametrize(
    ("level", "data", "expected"),
    [
        (V4, extended(113, 2) + offender("10.1.2.3"), IcmpError(113, 3, 1, "10.1.2.3")),
        (V6, extended(113, 3) + offender("fd00::1"), IcmpError(113, 3, 1, "fd00::1")),
        (V6, extended(113, 2) + offender("10.1.2.3"), IcmpError(113, 3, 1, "10.1.2.3")),
        (V4, extended(113, 2) + bytes(16), IcmpError(113, 3, 1, "")),  # AF_UNSPEC: no sender
        (V4, extended(113, 2) + offender("10.1.2.3")[:7], IcmpError(113, 3, 1, "")),
        (V6, extended(113, 3) + offender("fd00::1")[:23], IcmpError(113, 3, 1, "")),
        (V4, extended(113, 2), IcmpError(113, 3, 1, "")),
        (V4, extended(113, 2) + b"\2", IcmpError(113, 3, 1, "")),
        (V4, extended(113, 2)[:15], None),  # not a whole struct
        (V4, b"", None),
        (V4, extended(90, 1), None),  # ours: SO_EE_ORIGIN_LOCAL
        (V4, extended(0, 0), None),
        (V4, extended(0, 5), None),  # SO_EE_ORIGIN_ZEROCOPY
        (V4, extended(42, TIMESTAMPING), None),  # a stamp without its stamp
        ((socket.IPPROTO_IP, 25), extended(113, 2) + offender("10.1.2.3"), None),
        ((socket.IPPROTO_IPV6, 11), extended(113, 3) + offender("fd00::1"), None),
        ((socket.SOL_SOCKET, 11), extended(113, 2) + offender("10.1.2.3"), None),
    ],
)
def test_the_errors_among_control_messages(level: tuple[int, int], data: bytes, expected: IcmpError | None) -> None:
    """Anything but a whole ICMP error is skipped."""
    found = Drained()
    error_queue.sort([(*level, data)], found)
    assert found == Drained(errors=[expected] if expected else [])


@pytest.mark.parametrize("level", [V4, V6])
def test_a_stamp_is_found_wherever_it_stands(level: tuple[int, int]) -> None:
    """A stamp is found before and after the message with its number, and among others."""
    stamp = (socket.SOL_SOCKET, 37, timespecs(1, 2))
    number = (*level, extended(42, TIMESTAMPING, data=7))
    other = (socket.IPPROTO_IP, 8, bytes(12))
    for messages in ([stamp, number], [number, stamp], [other, stamp, other, number]):
        found = Drained()
        error_queue.sort(messages, found)
        assert found == Drained(sent={7: 1_000_000_002})


def test_garbage_is_passed_over() -> None:
    """Control messages with any content, in any order, raise nothing."""
    chance = random.Random(2)
    levels = (V4, V6, (socket.SOL_SOCKET, 37), (socket.SOL_SOCKET, 1), (99, 99))
    for _ in range(3000):
        messages = [
            (*chance.choice(levels), chance.randbytes(chance.choice((0, 1, 15, 16, 17, 24, 44, 60)))) for _ in "ab"
        ]
        found = Drained()
        error_queue.sort(messages, found)
        for error in found.errors:
            assert str(error)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([socket.IPPROTO_IP, socket.IPPROTO_IPV6, socket.SOL_SOCKET, 99]),
            st.sampled_from([11, 25, 37, 2, 52]),
            st.binary(max_size=60)
            | st.builds(
                lambda origin, kind, code, sender: extended(113, origin, kind, code) + sender,
                st.integers(0, 6),
                st.integers(0, 255),
                st.integers(0, 255),
                st.sampled_from([offender("10.0.0.1"), offender("fd00::1")]) | st.binary(max_size=30),
            ),
        ),
        max_size=6,
    ),
    st.binary(max_size=64),
)
def test_any_messages_with_a_quotation(messages: list[tuple[int, int, bytes]], quoted: bytes) -> None:
    """No exception, at most one error a message, each with the quotation; an offender is an address or nothing."""
    found = Drained()
    error_queue.sort(messages, found, quoted)
    assert len(found.errors) <= len(messages)
    for error in found.errors:
        assert error.quoted == quoted
        assert not error.offender or ipaddress.ip_address(error.offender)


@pytest.mark.parametrize(
    ("kind", "code", "six", "expected"),
    [(11, 0, False, True), (3, 0, True, True), (3, 0, False, False), (11, 0, True, False), (11, 1, False, False)],
)
def test_a_ttl_that_expired(kind: int, code: int, *, six: bool, expected: bool) -> None:
    """ICMP 11/0, ICMPv6 3/0; "fragment reassembly time exceeded" and "net unreachable" are others."""
    assert IcmpError(errno.EHOSTUNREACH, kind, code, "", six=six).expired is expected


@pytest.mark.parametrize("host", HOSTS)
def test_the_ttl_of_what_arrives(host: str) -> None:
    """The TTL is the sender's, for IPv6 the hop limit; other control messages do not matter."""
    with pair(host) as (one, other):
        assert ttl.enable(other)
        six = ":" in host
        one.setsockopt(
            *((socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if six else (socket.IPPROTO_IP, socket.IP_TTL)), 17
        )
        one.send(b"x")
        eventually("it has arrived", lambda: events(other) & select.POLLIN)
        _data, ancillary, _flags, _address = other.recvmsg(1, timestamping.CMSG_SPACE + ttl.CMSG_SPACE)
        assert ttl.received(ancillary) == 17
        assert timestamping.stamp(ancillary) is not None


def test_no_ttl_is_none() -> None:
    """Without a TTL the result is None and not 0."""
    assert ttl.received([]) is None
    assert ttl.received([(socket.IPPROTO_IP, ttl.IP_TTL, b"\x01")]) is None
