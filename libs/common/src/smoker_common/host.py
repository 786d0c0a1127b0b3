"""Hosts as people write them: a name, an IPv4 address, or an IPv6 address with or without brackets and zone.

text ─▶ host(text) ─▶ normal form: lower case, no brackets, addresses as RFC 5952 writes them
                        ├─ sockaddr(): what a socket binds or connects to, the zone as its scope id
                        ├─ wire(): what leaves this host: A-labels (RFC 5890) instead of letters beyond ASCII, no zone
                        └─ authority(): `host:port`, an IPv6 address in brackets

Invalid hosts are refused here, once, before a resolver fails on them in each round.
"""

from __future__ import annotations

import errno
import functools
import ipaddress
import re
import socket

LONGEST_NAME, LONGEST_LABEL = 253, 63  # octets (RFC 1035 section 3.1), without the dot of the root
_LABEL = re.compile(
    r"[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?"
)  # RFC 1123 section 2.1, and the underscore that some names have
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # inet_aton(3) takes 127.1, 80 and 0x7f.1 for addresses
_ZONE = re.compile(r"[-\w.~@+]{1,15}", re.ASCII)  # an interface's name (IFNAMSIZ) or number
_LAST_INDEX = 2**32 - 1  # of an interface

SockAddr = tuple[str, int] | tuple[str, int, int, int]


class InvalidHost(ValueError):
    """The text is not a valid host. The message says why, as the end of a sentence."""


def host(text: str) -> str:
    """Return the normal form of a name or an address. Raises `InvalidHost`."""
    if not text:
        raise InvalidHost("it is empty")
    if "://" in text:
        raise InvalidHost("it is a URL")
    if "/" in text:
        raise InvalidHost("it has a path")
    if text.startswith("[") or text.endswith("]"):
        return _in_brackets(text)
    if text.count(":") > 1:
        return _ipv6(text)
    if ":" in text:
        raise InvalidHost("it has a port")
    return _name_or_ipv4(text)


def host_and_port(text: str) -> tuple[str, int]:
    """Return the normal form of a host, and the port that follows it after a colon. Raises `InvalidHost`."""
    if "/" in text:
        host(text)  # says what is wrong with it
    before, colon, number = text.rpartition(":")
    if not colon or before.startswith("[") != before.endswith("]") or text.endswith("]"):
        host(text)
        raise InvalidHost("it has no port")
    if ":" in before and not before.startswith("["):
        raise InvalidHost("an IPv6 address needs brackets before a port")
    if not (number.isascii() and number.isdigit() and 1 <= int(number[:6]) <= 65535):
        raise InvalidHost("its port is not a number from 1 to 65535")
    return host(before), int(number)


def address(text: str) -> str:
    """Return the normal form of an IPv4 or IPv6 address. Raises `InvalidHost`."""
    found = host(text)
    if not is_address(found):
        raise InvalidHost("it is a name")
    return found


def is_address(normal: str) -> bool:
    """Return whether a host in its normal form is an address: no name has a colon, or a number as its last label."""
    return ":" in normal or normal.rpartition(".")[2].isdigit()


def authority(normal: str, port: int) -> str:
    """Return `host:port`, an IPv6 address in brackets."""
    return f"[{normal}]:{port}" if ":" in normal else f"{normal}:{port}"


@functools.lru_cache(maxsize=1024)
def wire(normal: str) -> str:
    """Return a host as it is sent to other hosts: A-labels, and no zone (RFC 6874 section 4)."""
    return normal.partition("%")[0] if ":" in normal else _a_labels(normal)


def sockaddr(literal: str, port: int) -> tuple[socket.AddressFamily, SockAddr]:
    """Return the address family and the address for bind() or connect().

    Raises `ValueError` if `literal` is not an address, `OSError` if this host lacks the zone's interface.
    """
    found = ipaddress.ip_address(literal)
    if found.version == 4:
        return socket.AF_INET, (literal, port)
    bare, _, zone = literal.partition("%")
    return socket.AF_INET6, (bare, port, 0, _index(zone) if zone else 0)


def _index(zone: str) -> int:
    if not (zone.isascii() and zone.isdigit()):
        try:
            return socket.if_nametoindex(zone)
        except OSError:
            raise OSError(errno.ENODEV, f"this host has no interface {zone}") from None
    if len(zone) > 10 or int(zone) > _LAST_INDEX:
        raise OSError(errno.ENODEV, f"this host has no interface {zone}")
    return int(zone)


def _in_brackets(text: str) -> str:
    if not (text.startswith("[") and text.endswith("]")):
        raise InvalidHost("it has a port" if re.search(r"\]:[0-9]*$", text) else "a bracket has no counterpart")
    return _ipv6(text[1:-1])


def _ipv6(text: str) -> str:
    bare, percent, zone = text.partition("%")
    try:
        found = ipaddress.IPv6Address(bare)
    except ValueError:
        raise InvalidHost("it is not an IPv6 address") from None
    if percent and not (_ZONE.fullmatch(zone) and not (zone.isdigit() and not 0 < int(zone) <= _LAST_INDEX)):
        raise InvalidHost("what follows % is not the name of an interface")
    if found.is_link_local and not zone:
        raise InvalidHost(f"a link-local address needs its interface, as in {found}%eth0")
    return f"{socket.inet_ntop(socket.AF_INET6, found.packed)}{percent}{zone}"


def _name_or_ipv4(text: str) -> str:
    name = text.lower()
    labels = _a_labels(name).removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):  # no top-level domain is a number
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise InvalidHost("it is not an IPv4 address, and a name cannot end with a number") from None
    if sum(map(len, labels)) + len(labels) - 1 > LONGEST_NAME:
        raise InvalidHost(f"it has more than {LONGEST_NAME} characters")
    for label in labels:
        if not label:
            raise InvalidHost("one of its labels is empty")
        if len(label) > LONGEST_LABEL:
            raise InvalidHost(f"one of its labels has more than {LONGEST_LABEL} characters")
        if label[0] == "-" or label[-1] == "-":
            raise InvalidHost("one of its labels begins or ends with a hyphen")
        if not _LABEL.fullmatch(label):
            raise InvalidHost("a name may contain only letters, digits, hyphens, underscores and dots")
    return name


def _a_labels(name: str) -> str:
    """Return `name` as it is looked up: internationalised labels by IDNA 2008, as UTS 46 prepares them.

    Raises `InvalidHost`.
    """
    if name.isascii():
        return name
    if len(name) > LONGEST_NAME:
        raise InvalidHost(f"it has more than {LONGEST_NAME} characters")
    import idna  # noqa: PLC0415  its tables take 1 to 2 MB, and few names need them

    try:
        prepared = idna.uts46_remap(name, std3_rules=False)
        labels = [label if label.isascii() else idna.alabel(label).decode() for label in prepared.split(".")]
    except idna.IDNAError as error:
        raise InvalidHost(f"IDNA 2008 does not allow it: {str(error)[:1].lower()}{str(error)[1:]}") from None
    return ".".join(labels)
