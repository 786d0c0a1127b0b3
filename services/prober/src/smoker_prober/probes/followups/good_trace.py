"""Traces of paths that work: the trace after a failure is compared with the last one.

A path is traced after its first success, and again an hour later, or when its target has another address. However many
paths there are, one trace begins within `PAUSE` seconds, and none runs beside another one. A trace that does not reach
its target replaces none that did: TCP may work on a path that loses all UDP.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import NamedTuple

import gevent
from loguru import logger

from smoker_prober.probes.followups import trace
from smoker_prober.probes.trace import Details
from smoker_prober.result import Result
from smoker_prober.target import Path

AGAIN = 3600.0  # seconds after which a path is traced anew
PAUSE = 10.0  # seconds from the beginning of one trace to that of the next
MOST = 512  # paths


class _Known(NamedTuple):
    """A trace of a path that worked."""

    address: str  # of the target
    begun: float
    hops: tuple[str, ...]
    reached: bool  # whether the target answered the trace


class GoodTraces:
    """The last trace of each path that worked meanwhile."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Path, _Known] = {}
        self._begun = float("-inf")
        self._path: Path | None = None  # that is traced just now, and has not failed meanwhile
        self._running: gevent.Greenlet[..., None] | None = None

    def worked(self, result: Result, never: Collection[int]) -> None:
        """Trace the path of `result`, a success, if that is due. `never`: source ports to avoid."""
        for options in result.target.on_failure:
            if isinstance(options, trace.Options) and self._is_due(result):
                self._begun, self._path = self._clock(), result.target.path
                self._running = gevent.spawn(self._trace, options, result, never)

    def _is_due(self, result: Result) -> bool:
        now = self._clock()
        if now - self._begun < PAUSE or self._running or not result.address:
            return False
        known = self._known.get(result.target.path)
        if known is None:
            return len(self._known) < MOST
        return known.address != result.address or now - known.begun >= AGAIN

    def _trace(self, options: trace.Options, result: Result, never: Collection[int]) -> None:
        found = trace.of(options, result, never=never)
        if self._path != result.target.path or not isinstance(found.details, Details):
            return
        new = _Known(result.address, self._begun, found.details.addresses, found.details.reached)
        known = self._known.get(self._path)
        if known is not None and known.address == new.address and known.reached and not new.reached:
            new = known._replace(begun=new.begun)
        self._known[self._path] = new
        logger.debug("a path that works was traced", target=str(result.target), hops=found.details.last)

    def failed(self, path: Path) -> None:
        """Note that a probe of `path` has failed: a trace that runs is not one of a path that works."""
        if self._path == path:
            self._path = None

    def beside(self, found: Result) -> Result:
        """Return `found`, a trace after a failure, with the hops of the path while it worked, if they are known."""
        known = self._known.get(found.target.path)
        if known is None or known.address != found.address or not isinstance(found.details, Details):
            return found
        return replace(found, details=replace(found.details, before=known.hops))

    def forget(self, path: Path) -> None:
        """Forget a path that is probed no longer."""
        self.failed(path)
        self._known.pop(path, None)

    def close(self) -> None:
        """Trace nothing more."""
        if self._running is not None:
            self._running.kill(block=False)
