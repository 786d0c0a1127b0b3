"""Calls in real threads, for what blocks: the event loop goes on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gevent.threadpool import ThreadPool

T = TypeVar("T")


class Threads:
    """At most `count` calls at one time; others wait."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPool(count)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what `function` returns, or raise what it raises. gevent alone would print each exception, too."""
        found: T | None
        found, error = self._pool.apply(_caught, (function, arguments))
        if error is not None:
            raise error
        return found  # type: ignore[return-value]


def _caught(function: Callable[..., T], arguments: tuple[Any, ...]) -> tuple[T | None, Exception | None]:
    try:
        return function(*arguments), None
    except Exception as error:
        return None, error
