"""Resolves names as every program on the node does: by getaddrinfo, anew each time.

A lookup whose servers are silent cannot be cancelled; it ends when the resolver's own retries do. So lookups run in
threads of their own. However many hang there, everything else goes on, and the deadline frees the probe that waits.
A thread may wait for a CPU with the answer in its socket already, so only the time for which it slept counts.
"""

from __future__ import annotations

import socket
import time
from typing import Any, NamedTuple

import gevent
from gevent import monkey
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from smoker_common.host import SockAddr, sockaddr, wire
from smoker_outcome.failure import ResolveError, in_a_sentence
from smoker_prober.kernel.schedstat import Stopwatch, Thread
from smoker_prober.network.deadline import EVENT_LOOP, Deadline
from smoker_prober.target import Target

THREADS = 16  # lookups that run at once; others wait
GLANCE = 0.02  # seconds between two checks of a thread whose time is over

_getaddrinfo = monkey.get_original("socket", "getaddrinfo")
_threads: list[ThreadPool] = []  # made at the first lookup
_running: set[_LookUp] = set()  # those that have a thread


class Address(NamedTuple):
    """The address that a socket connects to."""

    family: int
    sockaddr: SockAddr

    @property
    def literal(self) -> str:
        """The address as text; a link-local one with its interface."""
        host = self.sockaddr[0].partition("%")[0]
        return f"{host}%{self.sockaddr[3]}" if len(self.sockaddr) == 4 and self.sockaddr[3] else host


def resolve(target: Target, deadline: Deadline) -> Address:
    """Return the first address of `target`, in the order of RFC 6724. Raises `ResolveError`, `DeadlineExceeded`."""
    try:
        return address(target.host, target.port)
    except ValueError:
        return _look_up(target, deadline)


def address(literal: str, port: int) -> Address:
    """Return the address that `literal` is, without a lookup.

    Raises `ValueError` if it is no IP address, `OSError` if this host lacks its interface.
    """
    return Address(*sockaddr(literal, port))


class _LookUp:
    """One call of the resolver, in a thread."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._thread: Thread | None = None  # the thread that runs it
        self._waited: Stopwatch | None = None
        self.took = 0.0  # seconds of waiting for the resolver; set at the end

    def __call__(self) -> list[Any] | Exception:
        """Return the result of getaddrinfo, or its error: a thread that raises writes a traceback to stderr."""
        self._thread = thread = Thread()
        self._waited = Stopwatch(thread.busy)
        took = Stopwatch(thread.busy, EVENT_LOOP.busy)  # it may wait for a lock that the event loop holds
        _running.add(self)
        try:
            return _getaddrinfo(wire(self._target.host), self._target.port, 0, socket.SOCK_STREAM)  # type: ignore[no-any-return]
        except (OSError, UnicodeError) as error:
            return error
        finally:
            self.took = took.seconds()
            _running.discard(self)

    def waited(self) -> float | None:
        """Return the seconds for which its thread has slept; None before it has a thread."""
        return None if self._waited is None else self._waited.seconds()

    def waiting_marker(self) -> float | None:
        """Return a number that stays the same while this lookup waits for others; None while it has work to do.

        Others are the resolver and, while every thread waits for it, the lookups that came first.
        """
        if self not in _running:
            return 0.0 if self._thread is None and len(_running) >= THREADS else None
        assert self._thread is not None
        return None if self._thread.runnable() else self._thread.busy()


def _look_up(target: Target, deadline: Deadline) -> Address:
    if not _threads:
        _threads.append(ThreadPool(THREADS))
    look_up = _LookUp(target)
    found = _await(look_up, deadline)
    deadline.answered(look_up.took)
    if isinstance(found, Exception):
        raise ResolveError(f"{target.host}: {in_a_sentence(getattr(found, 'strerror', None) or str(found))}") from found
    family, _kind, _protocol, _name, sockaddr = found[0]
    return Address(family, sockaddr)


def _await(look_up: _LookUp, deadline: Deadline) -> list[Any] | Exception:
    """Return what `look_up` finds. Raises `DeadlineExceeded` once its wait for others has used up the deadline."""
    answer: AsyncResult[Any] | None = None
    began, seen = time.monotonic(), None
    while answer is None or not answer.ready():
        waited = look_up.waited()
        left = deadline.left - (time.monotonic() - began if waited is None else waited)
        if left <= 0:
            marker = look_up.waiting_marker()
            if (
                marker is not None and marker == seen
            ):  # nothing moved between two checks, and the interpreter lock was free
                deadline.exceeded()
            seen = marker
        if deadline.lasts <= 0:
            gevent.sleep(0)  # it may have ended without this greenlet having noticed
            if answer is None or not answer.ready():
                deadline.exceeded()
            break
        patience = min(max(left, GLANCE), deadline.lasts)
        if answer is None:
            answer = gevent.with_timeout(
                patience, _threads[0].spawn, look_up, timeout_value=None
            )  # every thread may be busy
        else:
            answer.wait(patience)
    found = answer.get()
    assert found is not None
    return found  # type: ignore[no-any-return]
