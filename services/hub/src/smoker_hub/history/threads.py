"""Runs blocking calls in real threads, so that the event loop keeps running."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gevent.threadpool import ThreadPool

T = TypeVar("T")


class Threads:
    """Runs at most `count` calls at once; others wait."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPool(count)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call `function` in a thread and return its result, or raise its error, which gevent would also print."""
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
