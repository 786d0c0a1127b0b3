"""Listeners and the names of addresses."""

from __future__ import annotations

import errno
import socket

import pytest

from smoker_common import listen
from smoker_common.listen import bind_error_text, endpoint, tcp_listener, udp_sockets
from tests.conftest import free_port


def test_an_empty_host_serves_both_families() -> None:
    """One TCP listener accepts IPv4 and IPv6, and its connections do not use Nagle's algorithm."""
    with tcp_listener("", 0) as listener:
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, listener.getsockname()[1]), timeout=5):
                listener.settimeout(5)
                accepted = listener.accept()[0]
                with accepted:
                    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_udp_has_one_socket_per_family_on_one_port() -> None:
    """UDP serves both families with the same port number."""
    sockets = udp_sockets("", 0)
    try:
        assert {sock.family for sock in sockets} == {socket.AF_INET, socket.AF_INET6}
        assert len({sock.getsockname()[1] for sock in sockets}) == 1
    finally:
        for sock in sockets:
            sock.close()


def test_a_host_without_ipv6_is_served_over_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service starts on a kernel without IPv6."""
    monkeypatch.setattr(listen, "_has_ipv6", lambda: False)
    (only,) = udp_sockets("", 0)
    with tcp_listener("", 0) as listener, only:
        assert (listener.family, only.family) == (socket.AF_INET, socket.AF_INET)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_host_is_the_only_one_served(host: str) -> None:
    """With LISTEN_ADDRESS no other address is served."""
    (sock,) = udp_sockets(host, 0)
    with tcp_listener(host, 0) as listener, sock:
        assert listener.getsockname()[0] == sock.getsockname()[0] == host


def test_a_link_local_host_is_bound_with_its_scope() -> None:
    """A link-local address is bound with a scope id, without which the kernel refuses it."""
    for listener in (tcp_listener, udp_sockets):
        with pytest.raises(OSError) as refused:  # noqa: PT011  the number is what counts
            listener("fe80::5eed%lo", 0)
        assert refused.value.errno == errno.EADDRNOTAVAIL


def test_a_taken_port_is_an_error_and_leaves_nothing_open() -> None:
    """If the IPv6 port is taken, the IPv4 port of the pair is free again."""
    port = free_port(socket.SOCK_DGRAM)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as taken:
        taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taken.bind(("::", port))
        with pytest.raises(OSError, match="in use"):
            udp_sockets("", port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("0.0.0.0", port))


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (("10.0.0.1", 80), "10.0.0.1:80"),
        (("fd00::1", 80, 0, 0), "[fd00::1]:80"),
        (("::ffff:10.0.0.1", 80, 0, 0), "10.0.0.1:80"),
        (("::ffff:0:1", 80, 0, 0), "[::ffff:0:1]:80"),
    ],
)
def test_endpoints_read_as_people_write_them(address: tuple[object, ...], name: str) -> None:
    """Endpoints have IPv6 in brackets, and IPv4 seen through a dual-stack socket as IPv4."""
    assert endpoint(address) == name


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EADDRINUSE, "taken"),
        (errno.EACCES, "privilege"),
        (errno.EADDRNOTAVAIL, "LISTEN_ADDRESS"),
        (errno.EAFNOSUPPORT, "cannot be opened"),
    ],
)
def test_an_error_says_why_a_port_cannot_be_opened(number: int, words: str) -> None:
    """Each reason why a port cannot be opened has its own words."""
    assert words in bind_error_text(OSError(number, "text"))
