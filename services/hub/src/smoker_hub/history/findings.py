"""The stored findings: a row each, from its opening to its close."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

import msgspec

from smoker_hub.web.views import View

REOPENED = 600.0  # seconds within which a finding continues after a restart


def cut(db: sqlite3.Connection, kept: Collection[str]) -> None:
    """Close the findings that are open in the file and do not go on (`kept`): at the last look that is stored.

    One goes on all the same if it opens again soon: at the start of a hub that means that it was open all the time.
    """
    (last,) = db.execute("SELECT max(at) FROM looks").fetchone()
    named = db.execute("SELECT DISTINCT id FROM findings WHERE closed IS NULL")
    ends = [name for (name,) in named if name not in kept]
    update = "UPDATE findings SET closed = max(opened, ?), cut = 1 WHERE closed IS NULL AND id = ?"
    db.executemany(update, [(last or 0.0, name) for name in ends])


def put(db: sqlite3.Connection, view: View) -> None:
    """Store a finding that opened, became worse or closed."""
    body = msgspec.json.encode(view)
    opened = view.opened if view.opened is not None else view.first_seen
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
    cut(db, {view.id for view in views})
    for view in views:
        put(db, view)
