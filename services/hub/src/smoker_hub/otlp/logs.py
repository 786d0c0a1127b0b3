"""The log records for a collector: the findings that the notifier sends, and failed results.

Record ─▶ bounded queue ─▶ batches ─▶ Sender
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from loguru import logger

from smoker_common.clock import Clock
from smoker_diagnosis.finding import Finding
from smoker_hub.notify.delivery import Message, Outlet
from smoker_hub.notify.receiver import Notice
from smoker_hub.otlp.collected import of_notice
from smoker_hub.otlp.encode import Record, Value, encode_logs
from smoker_hub.otlp.options import Options
from smoker_hub.otlp.sender import Sender
from smoker_hub.otlp.variables import RECEIVER

QUEUE = 4_096  # records that may wait; beyond that the oldest is dropped
BATCH = 512  # records of one request


class _Waiting(NamedTuple):
    """A record. `notice`: the change of a finding that it is about, None for a failed result."""

    record: Record
    notice: Notice | None = None


class Logs(Outlet):
    """Sends log records in order. `about`: the attributes of the resource. The notifier uses it like a receiver."""

    name = RECEIVER
    repeat = 0.0
    most = BATCH

    def __init__(self, options: Options, about: Mapping[str, Value], clock: Clock) -> None:
        super().__init__()
        self._about, self._clock = about, clock
        self._waiting: deque[_Waiting] = deque()
        self._in_flight = 0  # records of the batch that is being sent
        self.sender = Sender("logs", options, self._ending.wait)

    def wants(self, _finding: Finding) -> bool:
        """Return true: a collector gets findings of each severity."""
        return True

    def put(self, message: Message) -> None:
        """Send the findings of `message` soon."""
        observed = self._clock.wall_time()
        self._queue(_Waiting(of_notice(each, observed), each) for each in message.notices)

    def add(self, records: Iterable[Record]) -> None:
        """Send failed results soon."""
        self._queue(map(_Waiting, records))

    def _queue(self, records: Iterable[_Waiting]) -> None:
        self._waiting.extend(records)
        over = len(self._waiting) - QUEUE
        if over > 0:
            for _ in range(over):
                self._waiting.popleft()
            self.sender.counts["dropped"] += over
            logger.warning("records for the OTLP collector were dropped because too many were waiting", count=over)
        if self._waiting:
            self._idle.clear()
            self._news.set()

    def _send_waiting(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._in_flight = len(batch)
            try:
                self._send(batch)
            except Exception:
                self.sender.counts["failed"] += len(batch)
                logger.exception("sending to the OTLP collector failed unexpectedly", signal="logs")
            self._in_flight = 0

    def _send(self, batch: list[_Waiting]) -> None:
        notices = tuple(each.notice for each in batch if each.notice is not None)
        if self.sender.send(encode_logs(self._about, [each.record for each in batch]), len(batch)) and notices:
            self.settled(Message(notices))

    def _drop(self) -> int:
        left = len(self._waiting) + self._in_flight
        if left:
            self.sender.counts["dropped"] += left
            logger.warning("records for the OTLP collector were not sent before the hub ended", count=left)
        self._waiting.clear()
        return left
