"""Names to addresses, as every program on the node does it: by getaddrinfo, fresh each time.

A lookup whose servers are silent cannot be called off; it ends when the resolver's own retries do. So lookups have
threads of their own: however many hang there, everything else goes on, and the deadline frees whoever waits. Such a
thread needs CPU, and a limit can hold it back with the answer in its socket: that time is given back to it.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, NamedTuple

import gevent
from gevent import monkey
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from smoker_prober.failure import Unresolved, in_a_sentence
from smoker_prober.kernel import cgroup
from smoker_prober.target import Target

THREADS = 16  # lookups under way at most; the rest wait
LONGEST = 5.0  # seconds that a look-up gets beyond its time at most

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
    before = cgroup.throttled()
    answer = _threads[0].spawn(_addresses, target.host, target.port)
    try:
        answer.wait()
    except gevent.Timeout:
        _await_throttled(answer, before)
        if not answer.ready():
            raise
    found = answer.get()
    assert found is not None
    if isinstance(found, Exception):
        raise Unresolved(f"{target.host}: {in_a_sentence(getattr(found, 'strerror', None) or str(found))}") from found
    family, _kind, _protocol, _name, sockaddr = found[0]
    return Address(family, sockaddr)


def _await_throttled(answer: AsyncResult[Any], before: float | None) -> None:
    """The time is over. Give the look-up's thread as much as the CPU limit has taken: that is not the resolver's.

    `before`: seconds for which the limit had held us back when the look-up began.
    """
    given = 0.0
    gevent.sleep(0)  # it may have ended, and we are late to know
    while not answer.ready() and before is not None:
        taken = min((cgroup.throttled() or 0.0) - before, LONGEST)
        if taken <= given:
            return
        answer.wait(taken - given)
        given = taken


def _addresses(host: str, port: int) -> list[Any] | Exception:
    """What getaddrinfo says; its error is returned, for a thread that raises writes a traceback to stderr."""
    try:
        return _getaddrinfo(host, port, 0, socket.SOCK_STREAM)  # type: ignore[no-any-return]
    except (OSError, UnicodeError) as error:
        return error
