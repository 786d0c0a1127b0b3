"""The file of the history: its tables, its bounds, and its replacement if it is corrupt or full.

SQLite in WAL mode: a process that is killed at any instant leaves a file that opens again. Every method runs in the
writer's thread. Readers open connections of their own (reader.py).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

NAME = "history.db"
VERSION = 2
PAGE = 4096  # bytes
WAIT = 10.0  # seconds for another process that writes
WAL = 8 * 1024 * 1024  # bytes of the write-ahead log that stay after a checkpoint
FULL, ROOMY = 0.9, 0.8  # shares of the size above which old rows are deleted, and down to which
STEPS = 20  # seconds of pruning by size at a time
DAY = 86_400.0  # seconds
BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")

SCHEMA = """
CREATE TABLE looks (at REAL PRIMARY KEY, summary BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE findings (id TEXT NOT NULL, opened REAL NOT NULL, closed REAL, cut INTEGER NOT NULL DEFAULT 0,
  first BLOB NOT NULL, last BLOB NOT NULL, PRIMARY KEY (id, opened)) WITHOUT ROWID;
CREATE TABLE events (at REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX events_at ON events (at);
CREATE TABLE probers (id INTEGER PRIMARY KEY, node TEXT NOT NULL, network TEXT NOT NULL, UNIQUE (node, network));
CREATE TABLE layouts (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, paths BLOB NOT NULL);
CREATE TABLE states (prober INTEGER NOT NULL, at REAL NOT NULL, layout INTEGER, letters BLOB NOT NULL,
  PRIMARY KEY (prober, at)) WITHOUT ROWID;
CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE rollups (kind TEXT NOT NULL, name INTEGER NOT NULL, at INTEGER NOT NULL, paths INTEGER NOT NULL,
  failing INTEGER NOT NULL, attempts INTEGER NOT NULL, failed INTEGER NOT NULL, sent INTEGER NOT NULL,
  lost INTEGER NOT NULL, rtt INTEGER NOT NULL, PRIMARY KEY (kind, name, at)) WITHOUT ROWID;
"""

SENT = """
CREATE TABLE sent (receiver TEXT NOT NULL, id TEXT NOT NULL, view BLOB NOT NULL,
  PRIMARY KEY (receiver, id)) WITHOUT ROWID;
"""  # since version 2

Job = Callable[[sqlite3.Connection], None]


class Size(NamedTuple):
    """Bytes of the file and its log, and the date of the oldest look, None without one."""

    bytes: int
    oldest: float | None


class Store:
    """The history in `folder`, of at most `days` days and `mebibytes` MiB."""

    def __init__(self, folder: Path, *, days: float, mebibytes: int) -> None:
        self.path, self._days, self._pages = folder / NAME, days, mebibytes * 1024 * 1024 // PAGE
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, or create it. Raises `sqlite3.Error` and `OSError`."""
        self.close()
        db = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None, check_same_thread=False)
        try:
            db.execute(f"PRAGMA page_size = {PAGE}")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA temp_store = MEMORY")
            db.execute(f"PRAGMA journal_size_limit = {WAL}")
            db.execute(f"PRAGMA max_page_count = {self._pages}")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version not in (0, 1, VERSION):
                raise sqlite3.DatabaseError(f"the file has version {version}, this program writes version {VERSION}")
            if version < VERSION:
                made = SENT if version else SCHEMA + SENT
                db.executescript(f"BEGIN;{made}PRAGMA user_version = {VERSION};COMMIT;")
        except BaseException:
            db.close()
            raise
        self._db = db

    def replace_file(self) -> None:
        """Delete the file and create a new one. Raises `sqlite3.Error` and `OSError`."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(NAME + suffix).unlink(missing_ok=True)
        self.open()

    def run(self, jobs: Sequence[Job]) -> None:
        """Run `jobs` in one transaction. Raises `sqlite3.Error`."""
        assert self._db is not None
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for job in jobs:
                job(self._db)
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # some errors have rolled back already
                self._db.execute("ROLLBACK")
            raise

    def prune(self, db: sqlite3.Connection, now: float) -> Size:
        """Delete old rows, and the oldest ones if the file is nearly full. Return the size."""
        _delete_before(db, now - self._days * DAY)
        enough = FULL
        for _ in range(STEPS):
            (oldest,) = db.execute("SELECT min(at) FROM looks").fetchone()
            if oldest is None or _used(db) < enough * self._pages:
                break
            enough = ROOMY
            _delete_before(db, oldest + max((now - oldest) / 10, 1.0))
        (oldest,) = db.execute("SELECT min(at) FROM looks").fetchone()
        files = [self.path, self.path.with_name(NAME + "-wal")]
        return Size(sum(file.stat().st_size for file in files if file.exists()), oldest)

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None


def is_busy(error: Exception) -> bool:
    """Return whether another process holds the file: the next attempt may succeed."""
    return getattr(error, "sqlite_errorname", "") in BUSY


def _delete_before(db: sqlite3.Connection, cutoff: float) -> None:
    """Delete rows that no moment from `cutoff` on needs."""
    names = db.execute("SELECT id FROM names").fetchall()
    for kind in ("node", "zone"):  # by the key: an index by date would be half as large as the table
        gone = "DELETE FROM rollups WHERE kind = ? AND name = ? AND at < ?"
        db.executemany(gone, [(kind, name, cutoff) for (name,) in names])
    db.execute("DELETE FROM events WHERE at < ?", (cutoff,))
    db.execute("DELETE FROM looks WHERE at < (SELECT max(at) FROM looks WHERE at <= ?)", (cutoff,))
    db.execute("DELETE FROM findings WHERE closed < ?", (cutoff,))
    db.execute(
        "DELETE FROM states WHERE at < (SELECT max(at) FROM states AS later WHERE later.prober = states.prober"
        " AND later.at <= ?)",
        (cutoff,),
    )
    db.execute("DELETE FROM states WHERE at < ? AND layout IS NULL", (cutoff,))
    db.execute("DELETE FROM layouts WHERE id NOT IN (SELECT layout FROM states WHERE layout IS NOT NULL)")
    db.execute("DELETE FROM probers WHERE id NOT IN (SELECT prober FROM states)")


def _used(db: sqlite3.Connection) -> int:
    """Return the number of used pages."""
    (pages,), (free,) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count"))
    return int(pages) - int(free)
