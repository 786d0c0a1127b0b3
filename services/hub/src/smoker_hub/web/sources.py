"""The sources of the API's answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from smoker_hub.collect import Address
from smoker_hub.history.reader import Reader
from smoker_hub.hub import Hub
from smoker_hub.web.auth import Guard
from smoker_hub.web.views import Matrix


class Events(Protocol):
    """A source of events for clients."""

    def events(self, last: str) -> Iterator[bytes]:
        """Return the events after the one with the id `last`."""

    def close(self) -> None:
        """End every stream."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The hub and its other parts."""

    hub: Hub
    stream: Events
    reader: Reader | None = None  # of the history
    prometheus: str = ""  # its URL; empty: there is none
    matrices: dict[tuple[Any, ...], Matrix] = field(default_factory=dict)  # those of the last look, by parameters
    explained: dict[tuple[Any, ...], int] = field(default_factory=dict)  # paths that loss explains, of the last look
    guard: Guard | None = None  # None: no login
    addresses: Callable[[], Iterable[Address]] = tuple  # of the probers
