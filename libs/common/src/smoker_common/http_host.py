"""The Host field of a request and the authority of its target, checked without any I/O (RFC 9112 section 3.2).

HTTP/1.1 needs one Host field, no request has two, and its value is a host with or without a port, or empty: a server
may apply a default where a target has no authority (RFC 9112 section 3.3), and the servers here answer for every name.
A target in absolute form overrides the field (RFC 9112 section 3.2.2), which is still needed and still checked. Its
authority is not empty and names no user (RFC 9110 sections 4.2.1 and 4.2.4).
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Sequence

# RFC 3986 section 3.2: host [ ":" port ]. A host is an IPv6 address in brackets, or a name (or IPv4 address).
_AUTHORITY = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|((?:[-A-Za-z0-9._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*))(?::[0-9]{0,5})?", re.ASCII
)
_ABSOLUTE = re.compile(r"[A-Za-z][-A-Za-z0-9+.]*://([^/?#]*)", re.ASCII)


def fault(version: str, target: str, headers: Sequence[tuple[str, str]]) -> str:
    """Return what is wrong with the host of a request, or an empty string."""
    hosts = [value for name, value in headers if len(name) == 4 and name.lower() == "host"]
    if not hosts and version == "1.1":
        return "HTTP/1.1 needs a Host field"
    if len(hosts) > 1:
        return "there is more than one Host field"
    if hosts and not _is_authority(hosts[0].strip(" \t")):
        return "the Host field is not a valid host"
    if not target.startswith("/") and (absolute := _ABSOLUTE.match(target)):
        authority = absolute[1]
        if not authority or authority.startswith(":") or not _is_authority(authority):
            return "the request target names no host"
    return ""


@functools.lru_cache(maxsize=256)
def _is_authority(text: str) -> bool:
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        return False
    if found[1] is None:
        return bool(found[2]) or not text  # a port alone is no authority
    try:
        ipaddress.IPv6Address(found[1])
    except ValueError:
        return False
    return True
