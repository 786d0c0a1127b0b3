"""Hosts as people write them: normal forms, refusals, the forms on the wire and for sockets."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from smoker_common.host import InvalidHost, address, authority, host, host_and_port, is_address, sockaddr, wire
from smoker_common.kinds import InvalidValue
from smoker_common.kinds import host as kind
from tests.hosts import BAD, BAD_BY_IDNA, BAD_BY_NUMBER, GOOD


@pytest.mark.parametrize(("text", "normal"), GOOD.items())
def test_a_host_has_one_normal_form(text: str, normal: str) -> None:
    """The normal form is lower case, without brackets, IPv6 as in RFC 5952; normalizing it again changes nothing."""
    assert host(text) == host(host(text)) == normal


@pytest.mark.parametrize("text", ["", " a", "a\n", *BAD, *BAD_BY_IDNA, *BAD_BY_NUMBER], ids=ascii)
def test_an_invalid_host_is_refused(text: str) -> None:
    """Names, addresses, brackets and zones with any mistake are refused, with what is allowed and what is wrong."""
    with pytest.raises(InvalidHost):
        host(text)
    with pytest.raises(InvalidValue, match=r"^a host, which is a name, an IPv4 or an IPv6 address, without .*: .+"):
        kind(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://x", "it is a URL"),
        ("a/b", "it has a path"),
        ("a:80", "it has a port"),
        ("[::1]:80", "it has a port"),
        ("[::1", "a bracket has no counterpart"),
        ("1.2.3", "it is not an IPv4 address, and a name cannot end with a number"),
        ("a..b", "one of its labels is empty"),
        ("☃.net", "IDNA 2008 does not allow it: codepoint U+2603 at position 1 of '☃' not allowed"),
        ("fe80::1", "a link-local address needs its interface, as in fe80::1%eth0"),
    ],
)
def test_a_refusal_says_why(text: str, why: str) -> None:
    """The end of the sentence names the mistake."""
    with pytest.raises(InvalidHost) as refused:
        host(text)
    assert str(refused.value) == why


NO_HOST_AND_PORT = ["", "web", "::1", "[::1]", "::1:80", "fe80::1%eth0:80", "[::1:80", "::1]:80", "[::1]80", "[web]:80"]
NO_HOST_AND_PORT += [":80", "1.2.3:80", "-a:80", "web :80", "http://web:80", "web:80/x", "web:80:80"]
NO_HOST_AND_PORT += [f"web:{port}" for port in ("", "0", "65536", "+1", "1_0", "\u0663", "http", "9" * 5000)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web:80", ("web", 80)),
        ("1.2.3.4:65535", ("1.2.3.4", 65535)),
        ("[::1]:1", ("::1", 1)),
        ("[fe80::1%eth0]:80", ("fe80::1%eth0", 80)),
        ("Bücher.test:080", ("bücher.test", 80)),
    ],
)
def test_a_host_with_its_port(text: str, found: tuple[str, int]) -> None:
    """An IPv6 address stands in brackets, as in a URL."""
    assert host_and_port(text) == found


@pytest.mark.parametrize(
    "text",
    NO_HOST_AND_PORT,
    ids=lambda text: ascii(text)[:20],
)
def test_an_invalid_host_with_port_is_refused(text: str) -> None:
    """No port, a port of 0 or above 65535, no host, and an IPv6 address without brackets are refused."""
    with pytest.raises(InvalidHost):
        host_and_port(text)


def test_an_address_is_not_a_name() -> None:
    """If only an address is allowed, brackets and a zone are accepted and a name is refused."""
    assert [address(text) for text in ("[::1]", "1.2.3.4", "fe80::1%eth0")] == ["::1", "1.2.3.4", "fe80::1%eth0"]
    for text in ("web", "localhost", "bücher.test", "a.0x1"):
        with pytest.raises(InvalidHost):
            address(text)


@pytest.mark.parametrize("normal", GOOD.values())
def test_names_and_addresses_are_distinguished(normal: str) -> None:
    """Names and addresses are distinguished by the rule of the sockets."""
    try:
        sockaddr(normal.partition("%")[0], 1)
    except ValueError:
        assert not is_address(normal)
    else:
        assert is_address(normal)


@pytest.mark.parametrize(
    ("normal", "sent"),
    [
        ("web.example.", "web.example."),
        ("bücher.test", "xn--bcher-kva.test"),
        ("_x.straße.de.", "_x.xn--strae-oqa.de."),  # IDNA 2003, Python's own, would make strasse.de of it
        ("b。ü", "b.xn--tda"),
        ("日本語.jp", "xn--wgv71a119e.jp"),
        ("1.2.3.4", "1.2.3.4"),
        ("fe80::1%eth0", "fe80::1"),
        ("::1", "::1"),
    ],
)
def test_the_host_header_is_ascii_without_a_zone(normal: str, sent: str) -> None:
    """On the wire a name has A-labels by IDNA 2008, and no zone, which only this host knows."""
    assert wire(normal) == sent


def test_the_tables_of_unicode_are_read_when_a_name_needs_them() -> None:
    """A process whose names are all ASCII does not import idna."""
    text = "import sys; from smoker_common.host import *; host('web'), wire('a.'); print('idna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, check=True).stdout == b"False\n"


def test_an_authority_has_brackets_where_a_colon_would_mislead() -> None:
    """An authority has IPv6 in brackets, with its zone inside."""
    assert authority("web", 80) == "web:80"
    assert authority("fe80::1%eth0", 80) == "[fe80::1%eth0]:80"


def test_a_socket_address_has_the_scope_of_its_zone() -> None:
    """The name or number of an interface becomes the scope id; the address itself has no zone."""
    index = socket.if_nametoindex("lo")
    assert sockaddr("1.2.3.4", 80) == (socket.AF_INET, ("1.2.3.4", 80))
    assert sockaddr("fd00::1", 80) == (socket.AF_INET6, ("fd00::1", 80, 0, 0))
    assert sockaddr("fe80::1%lo", 80) == (socket.AF_INET6, ("fe80::1", 80, 0, index))
    assert sockaddr(f"fe80::1%{index}", 80) == (socket.AF_INET6, ("fe80::1", 80, 0, index))


@pytest.mark.parametrize("zone", ["no-such-one", "4294967296", "9" * 30])
def test_a_missing_interface_is_an_error(zone: str) -> None:
    """An unknown interface is an error of this host, in words."""
    with pytest.raises(OSError, match=f"this host has no interface {zone}"):
        sockaddr(f"fe80::1%{zone}", 80)
