"""An export that runs: the exporter, and the notifier that gives it the findings; and what a collector got."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from smoker_hub.hub import Hub
from smoker_hub.notify.handover import take_over
from smoker_hub.notify.memory import LeaseMemory
from smoker_hub.notify.notifier import Notifier
from smoker_hub.otlp.exporter import Exporter
from smoker_hub.otlp.logs import Logs
from smoker_hub.otlp.options import Options, Otlp
from smoker_hub.otlp.sender import Sender
from smoker_hub.otlp.variables import RECEIVER
from tests.hub.notify.receivers import Receiver

from .messages import attributes, records


class Export:
    """An exporter and a notifier. The notifier compares after each look, and keeps what was sent in `memory`."""

    def __init__(self, hub: Hub, otlp: Otlp, may_notify: Callable[[], bool] = lambda: True) -> None:
        self.exporter = Exporter(hub, otlp, may_notify=may_notify)
        self.memory = LeaseMemory([RECEIVER], hub.clock)
        logs = self.exporter.logs
        self.notifier = Notifier(
            hub,
            [],
            others=[] if logs is None else [logs],
            may_notify=may_notify,
            records=[self.memory],
            take_over=partial(take_over, hub, self.memory),
        )
        hub.follow(look=lambda _changed: self.notifier.compare())
        hub.follow(look=self.exporter.look)

    @property
    def logs(self) -> Logs:
        assert self.exporter.logs is not None
        return self.exporter.logs

    @property
    def senders(self) -> list[Sender]:
        found = [self.logs.sender if self.exporter.logs else None, self.exporter._metrics]
        return [each for each in found if each is not None]

    def start(self) -> None:
        if self.exporter.logs is not None:
            self.logs.start()
        self.exporter.start()

    def drain(self, seconds: float) -> int:
        return self.notifier.drain(seconds) + self.exporter.drain(seconds)


@contextlib.contextmanager
def running(hub: Hub, otlp: Otlp, may_notify: Callable[[], bool] = lambda: True, left: str = "") -> Iterator[Export]:
    """Yield an export that follows the hub. `left`: what the holder before it wrote into the Lease."""
    export = Export(hub, otlp, may_notify)
    export.memory.load(left, 0, hub.clock.wall_time())
    export.start()
    try:
        yield export
    finally:
        export.drain(0.0)


def exporting(
    hub: Hub,
    there: Receiver,
    *,
    metrics: bool = False,
    may_notify: Callable[[], bool] = lambda: True,
    left: str = "",
) -> contextlib.AbstractContextManager[Export]:
    """Return an export of one signal."""
    options = Options(there.url)
    return running(hub, Otlp(None, options, 0.01) if metrics else Otlp(options, None), may_notify, left)


def all_records(there: Receiver) -> list[Any]:
    return [record for request in there.got for record in records(request)]


def of_event(there: Receiver, event: str) -> list[Any]:
    return [record for record in all_records(there) if record.event_name == event]


def findings(there: Receiver) -> list[tuple[str, Any]]:
    """Return the records of findings, and the place of each."""
    of_findings = [each for each in all_records(there) if each.event_name.startswith("smoker.finding.")]
    return [
        (each.event_name.removeprefix("smoker.finding."), attributes(each)["smoker.finding.place"])
        for each in of_findings
    ]
