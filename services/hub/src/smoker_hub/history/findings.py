"""The stored findings: a row each, from its opening to its close.

A finding that comes back has the id that it had. Its outages are told apart by the date of their opening, which the
recorder gives each view of one outage unchanged. It is in the key of the row and, where a hub that started again found
the finding still open, in the row's last view.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

import msgspec

from smoker_hub.web.views import View

REOPENED = 600.0  # seconds within which a finding continues after a restart


class _Opened(msgspec.Struct):
    """The part of a stored view that tells outages apart."""

    opened: float | None


_opened = msgspec.json.Decoder(_Opened)


def cut(db: sqlite3.Connection, kept: Collection[str]) -> None:
    """Close the findings that are open in the file and do not go on (`kept`): at the last look that is stored.

    One goes on all the same if it opens again soon: at the start of a hub that means that it was open all the time.
    """
    _close(db, kept, cut=True)


def put(db: sqlite3.Connection, view: View) -> None:
    """Store a finding that opened, became worse or closed."""
    body = msgspec.json.encode(view)
    opened = view.opened if view.opened is not None else view.first_seen
    _close_earlier(db, view.id, opened)
    if view.closed is None:
        again = "SELECT opened FROM findings WHERE id = ? AND cut AND closed > ? ORDER BY opened DESC LIMIT 1"
        if found := db.execute(again, (view.id, opened - REOPENED)).fetchone():
            update = "UPDATE findings SET closed = NULL, cut = 0, last = ? WHERE id = ? AND opened = ?"
            db.execute(update, (body, view.id, found[0]))
            return
        worse = db.execute("UPDATE findings SET last = ? WHERE id = ? AND closed IS NULL", (body, view.id))
        if not worse.rowcount:
            db.execute("INSERT OR REPLACE INTO findings VALUES (?, ?, NULL, 0, ?, ?)", (view.id, opened, body, body))
        return
    closed = "UPDATE findings SET closed = ?, last = ? WHERE id = ? AND closed IS NULL"
    if not db.execute(closed, (view.closed, body, view.id)).rowcount:
        db.execute(
            "INSERT OR REPLACE INTO findings VALUES (?, ?, ?, 0, ?, ?)", (view.id, opened, view.closed, body, body)
        )


def put_open(db: sqlite3.Connection, views: Sequence[View]) -> None:
    """Store which findings are open, because the file is new, or a job with a finding was dropped."""
    _close(db, {view.id for view in views}, cut=False)
    for view in views:
        put(db, view)


def _close(db: sqlite3.Connection, kept: Collection[str], *, cut: bool) -> None:
    """Close the open findings that are not `kept` at the last look. `cut`: whether one goes on if it opens again."""
    (last,) = db.execute("SELECT max(at) FROM looks").fetchone()
    named = db.execute("SELECT DISTINCT id FROM findings WHERE closed IS NULL")
    ends = [name for (name,) in named if name not in kept]
    update = "UPDATE findings SET closed = max(opened, ?), cut = ? WHERE closed IS NULL AND id = ?"
    db.executemany(update, [(last or 0.0, cut, name) for name in ends])


def _close_earlier(db: sqlite3.Connection, name: str, opened: float) -> None:
    """Close an earlier outage whose close was dropped: at the last look before `opened`."""
    rows = db.execute("SELECT opened, last FROM findings WHERE id = ? AND closed IS NULL", (name,)).fetchall()
    earlier = [began for began, last in rows if opened not in (began, _opened.decode(last).opened)]
    (look,) = db.execute("SELECT max(at) FROM looks WHERE at < ?", (opened,)).fetchone()
    update = "UPDATE findings SET closed = max(opened, ?) WHERE id = ? AND opened = ?"
    db.executemany(update, [(look or 0.0, name, began) for began in earlier])
