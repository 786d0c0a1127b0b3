"""Helpers of the history's tests: a hub with a history, and a function that waits until it is written."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from smoker_hub.history.reader import Reader
from smoker_hub.history.recorder import History
from smoker_hub.hub import Hub
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from tests.conftest import eventually
from tests.hub.stand_ins import ManualClock, Prober, hub_of
from tests.hub.test_api import ask_of

RENEWED = "a new one begins"  # is logged with each new file


class Kept(NamedTuple):
    """A hub with a history, and the clock that a test moves."""

    hub: Hub
    history: History
    reader: Reader
    clock: ManualClock

    @property
    def at(self) -> float:
        """Return the present date."""
        return self.clock.wall_time()

    def look(self, seconds: float = 5.0) -> float:
        """Look once, after so many seconds. Return the date of the look once it is written."""
        self.clock.instant += seconds
        self.hub.look()
        self.written()
        return self.at

    def written(self) -> None:
        eventually("the history is written", self.history._idle.is_set)

    def ask(self, path: str, query: str = "", accept: str = "") -> tuple[int, bytes, dict[str, str]]:
        return ask_of(
            Sources(hub=self.hub, stream=Stream(self.hub), reader=self.reader),
            f"/api/v1/{path}",
            query=query,
            accept=accept,
        )

    def get(self, path: str, query: str = "") -> Any:
        status, body, _ = self.ask(path, query)
        assert status == 200, body
        return json.loads(body)


@contextlib.contextmanager
def keeping(
    folder: Path, found: list[Prober], clock: ManualClock | None = None, *, begins: bool = True, **options: Any
) -> Iterator[Kept]:
    """Run a hub that asks these probers and writes to `folder`; from the start, if it `begins`."""
    clock = clock or ManualClock()
    hub = hub_of(found, clock)
    history = History(hub, folder, **options)
    hub.follow(history.tell, history.look)
    if begins:
        history.start()
    try:
        yield Kept(hub, history, Reader(history.path), clock)
    finally:
        history.drain(5.0)
