"""Names to addresses, as every program on the node does it: by getaddrinfo, fresh each time.

A lookup whose servers are silent cannot be called off; it ends when the resolver's own retries do. So lookups have
threads of their own: however many hang there, everything else goes on, and the deadline frees whoever waits. Such a
thread needs CPU, and can be kept from it with the answer in its socket: what counts is how long it has slept.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from typing import Any, NamedTuple

import gevent
from gevent import monkey
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from smoker_prober.deadline import EVENT_LOOP, Deadline
from smoker_prober.failure import Unresolved, in_a_sentence
from smoker_prober.kernel.schedstat import Stopwatch, Thread
from smoker_prober.target import Target

THREADS = 16  # lookups under way at most; the rest wait
LONGEST = 5.0  # seconds that a look-up gets beyond its time at most
GLANCE = 0.02  # seconds between two looks at a thread whose time is over

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


def resolve(target: Target, deadline: Deadline) -> Address:
    """The first address of `target`, in the order of RFC 6724. Raises `Unresolved`, `DeadlineExceeded`."""
    try:
        return address(target.host, target.port)
    except ValueError:
        return _look_up(target, deadline)


def address(literal: str, port: int) -> Address:
    """An IP address, as it stands. Raises ValueError where it is none, OSError where its interface is not there."""
    found = ipaddress.ip_address(literal)
    if found.version == 4:
        return Address(socket.AF_INET, (literal, port))
    scope = getattr(found, "scope_id", None)
    index = (int(scope) if scope.isascii() and scope.isdigit() else socket.if_nametoindex(scope)) if scope else 0
    return Address(socket.AF_INET6, (literal.partition("%")[0], port, 0, index))


class _LookUp:
    """Asks the resolver, in a thread."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._thread: Thread | None = None  # while it runs
        self._asleep: Stopwatch | None = None
        self._took = 0.0

    def __call__(self) -> list[Any] | Exception:
        """What getaddrinfo says; its error is returned, for a thread that raises writes a traceback to stderr."""
        self._thread = Thread()
        self._asleep = asleep = Stopwatch(self._thread, EVENT_LOOP)  # for whose lock it may wait
        try:
            return _getaddrinfo(self._target.host, self._target.port, 0, socket.SOCK_STREAM)  # type: ignore[no-any-return]
        except (OSError, UnicodeError) as error:
            return error
        finally:
            self._took = asleep.seconds()
            self._asleep = self._thread = None

    def took(self) -> float:
        """Seconds for which it has waited for the resolver."""
        asleep = self._asleep
        return self._took if asleep is None else asleep.seconds()

    def busy(self) -> float | None:
        """Seconds in which it had something to do so far; None where it has so now."""
        thread = self._thread
        return None if thread is None or thread.runnable() else thread.busy()


def _look_up(target: Target, deadline: Deadline) -> Address:
    if not _threads:
        _threads.append(ThreadPool(THREADS))
    look_up = _LookUp(target)
    answer = gevent.with_timeout(deadline.left, _threads[0].spawn, look_up, timeout_value=None)  # all threads may hang
    if answer is None:
        deadline.exceeded()
    _await(look_up, answer, deadline)
    deadline.answered(look_up.took())
    found = answer.get()
    assert found is not None
    if isinstance(found, Exception):
        raise Unresolved(f"{target.host}: {in_a_sentence(getattr(found, 'strerror', None) or str(found))}") from found
    family, _kind, _protocol, _name, sockaddr = found[0]
    return Address(family, sockaddr)


def _await(look_up: _LookUp, answer: AsyncResult[Any], deadline: Deadline) -> None:
    """Until it ends, or has waited for the resolver as long as the deadline leaves. Raises `DeadlineExceeded`."""
    last = time.monotonic() + deadline.left + LONGEST
    before = None
    while not answer.ready():
        patience = deadline.left - look_up.took()
        if time.monotonic() > last:
            gevent.sleep(0)  # it may have ended, and we are late to know
            if not answer.ready():
                deadline.exceeded()
            return
        if patience <= 0:
            busy = look_up.busy()
            if busy is not None and busy == before:  # it slept from one look to the next, when our lock was free
                deadline.exceeded()
            before = busy
        answer.wait(max(patience, GLANCE))
