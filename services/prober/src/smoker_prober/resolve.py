"""Names to addresses, as every program on the node does it: by getaddrinfo, fresh each time.

A lookup whose servers are silent cannot be called off; it ends when the resolver's own retries do. So lookups have
threads of their own: however many hang there, everything else goes on, and the deadline frees whoever waits.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, NamedTuple

from gevent import monkey
from gevent.threadpool import ThreadPool

from smoker_prober.failure import Unresolved, in_a_sentence
from smoker_prober.target import Target

THREADS = 16  # lookups under way at most; the rest wait

_getaddrinfo = monkey.get_original("socket", "getaddrinfo")
_threads: list[ThreadPool] = []  # made at the first lookup


class Address(NamedTuple):
    """Where a socket connects to."""

    family: int
    sockaddr: tuple[str, int] | tuple[str, int, int, int]

    @property
    def literal(self) -> str:
        """As text; a link-local address with its interface."""
        host = self.sockaddr[0].partition("%")[0]
        return f"{host}%{self.sockaddr[3]}" if len(self.sockaddr) == 4 and self.sockaddr[3] else host


def resolve(target: Target) -> Address:
    """The first address of `target`, in the order of RFC 6724. Raises `Unresolved`."""
    try:
        literal = ipaddress.ip_address(target.host)
    except ValueError:
        return _look_up(target)
    if literal.version == 4:
        return Address(socket.AF_INET, (target.host, target.port))
    scope = getattr(literal, "scope_id", None)
    index = (int(scope) if scope.isascii() and scope.isdigit() else socket.if_nametoindex(scope)) if scope else 0
    return Address(socket.AF_INET6, (target.host.partition("%")[0], target.port, 0, index))


def _look_up(target: Target) -> Address:
    if not _threads:
        _threads.append(ThreadPool(THREADS))
    found = _threads[0].apply(_addresses, (target.host, target.port))
    if isinstance(found, Exception):
        raise Unresolved(f"{target.host}: {in_a_sentence(getattr(found, 'strerror', None) or str(found))}") from found
    family, _kind, _protocol, _name, sockaddr = found[0]
    return Address(family, sockaddr)


def _addresses(host: str, port: int) -> list[Any] | Exception:
    """What getaddrinfo says; its error is returned, for a thread that raises writes a traceback to stderr."""
    try:
        return _getaddrinfo(host, port, 0, socket.SOCK_STREAM)  # type: ignore[no-any-return]
    except (OSError, UnicodeError) as error:
        return error
