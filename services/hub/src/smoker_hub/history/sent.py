"""What each receiver was sent of the open findings: after a restart nothing is repeated, and no close is forgotten."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial

import msgspec

from smoker_hub.history.store import Job
from smoker_hub.notify.receiver import Notice


class SentRecord:
    """Records messages that are settled: taken by their receiver, or refused by it for good. `put` queues a job."""

    def __init__(self, put: Callable[[Job], None]) -> None:
        self._put = put

    def settled(self, receiver: str, notice: Notice) -> None:
        """Record that `receiver` knows of a finding, or that it need not be told more of it once that has closed."""
        if notice.event == "close":
            self._put(partial(_drop, receiver=receiver, name=notice.view.id))
        else:
            body = msgspec.json.encode(notice.view)
            self._put(partial(_keep, receiver=receiver, name=notice.view.id, body=body))

    def forget(self) -> None:
        """Forget all: another hub notifies."""
        self._put(_clear)


def _keep(db: sqlite3.Connection, receiver: str, name: str, body: bytes) -> None:
    db.execute("INSERT OR REPLACE INTO sent VALUES (?, ?, ?)", (receiver, name, body))


def _drop(db: sqlite3.Connection, receiver: str, name: str) -> None:
    db.execute("DELETE FROM sent WHERE receiver = ? AND id = ?", (receiver, name))


def _clear(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM sent")
