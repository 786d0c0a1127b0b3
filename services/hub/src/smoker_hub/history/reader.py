"""Reads the history: the state at a moment, and the events between two moments.

Each query opens the file itself, in a real thread, with a total deadline and a bounded answer.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from smoker_diagnosis.state import State
from smoker_hub.collect import Collected, Key
from smoker_hub.history import rows
from smoker_hub.history.threads import Threads
from smoker_hub.web.past_views import Event, PathChange
from smoker_hub.web.views import Summary, View

SECONDS = 5.0  # seconds for one query
THREADS = 2
STEPS = 10_000  # of SQLite's machine between two checks of the deadline
RECENT = 200  # findings that had closed

T = TypeVar("T")
_view, _summary = msgspec.json.Decoder(View), msgspec.json.Decoder(Summary)


class HistoryError(Exception):
    """The history cannot answer; the text says why."""


class Look(NamedTuple):
    """The last look before a moment."""

    at: float
    summary: Summary


class Findings(NamedTuple):
    """The findings that were open at a moment, and the closed ones, the newest first."""

    open: list[View]
    closed: list[View]


class Reader:
    """Answers from the file at `path`."""

    def __init__(self, path: Path, *, seconds: float = SECONDS) -> None:
        self._path, self._seconds = path, seconds
        self._threads = Threads(THREADS)

    @property
    def exists(self) -> bool:
        """Return whether there is a file."""
        return self._path.exists()

    def look(self, at: float) -> Look | None:
        """Return the last look before `at`. Raises `HistoryError`."""

        def find(db: sqlite3.Connection) -> Look | None:
            query = "SELECT at, summary FROM looks WHERE at <= ? ORDER BY at DESC LIMIT 1"
            found = db.execute(query, (at,)).fetchone()
            return Look(found[0], _summary.decode(found[1])) if found else None

        return self.ask(find)

    def oldest(self) -> float | None:
        """Return the date of the first look that is stored. Raises `HistoryError`."""

        def find(db: sqlite3.Connection) -> float | None:
            found: tuple[float | None] = db.execute("SELECT min(at) FROM looks").fetchone()
            return found[0]

        return self.ask(find)

    def finding(self, name: str) -> View | None:
        """Return the last finding with this id. Raises `HistoryError`."""

        def find(db: sqlite3.Connection) -> View | None:
            query = "SELECT last, closed FROM findings WHERE id = ? ORDER BY opened DESC LIMIT 1"
            found = db.execute(query, (name,)).fetchone()
            return _closed(_view.decode(found[0]), found[1]) if found else None

        return self.ask(find)

    def findings(self, at: float) -> Findings:
        """Return the findings of the moment `at`. Raises `HistoryError`."""

        def find(db: sqlite3.Connection) -> Findings:
            was_open = "SELECT first FROM findings WHERE opened <= ? AND (closed IS NULL OR closed > ?) ORDER BY opened"
            closed = "SELECT last, closed FROM findings WHERE closed <= ? ORDER BY closed DESC LIMIT ?"
            return Findings(
                [_view.decode(view) for (view,) in db.execute(was_open, (at, at))],
                [_closed(_view.decode(view), when) for view, when in db.execute(closed, (at, RECENT))],
            )

        return self.ask(find)

    def collected(self, at: float) -> Collected:
        """Return the states at the moment `at`, without counts and times. Raises `HistoryError`."""

        def find(db: sqlite3.Connection) -> Collected:
            query = (
                "SELECT p.node, p.network, s.layout, s.letters FROM probers AS p JOIN states AS s ON s.prober = p.id"
                " AND s.at = (SELECT max(at) FROM states WHERE prober = p.id AND at <= ?) ORDER BY p.node, p.network"
            )
            layouts, states, silent = _Layouts(db), list[State](), dict[Key, float]()
            for node, network, place, letters in db.execute(query, (at,)):
                if place is not None:
                    states.append(rows.rebuilt(node, network, layouts[place], rows.decoded(letters)))
                elif letters == rows.SILENT:
                    silent[node, network] = 0.0
            return Collected(states=states, silent=silent, asked=len(states) + len(silent))

        return self.ask(find)

    def events(self, since: float, until: float, most: int, subject: str | None = None) -> tuple[list[Event], int]:
        """Return the newest `most` events between two moments, and how many more there are. Raises `HistoryError`.

        `subject`: leave out events of others.
        """

        def find(db: sqlite3.Connection) -> tuple[list[Event], int]:
            wanted = "FROM events WHERE at >= ? AND at <= ? AND (? IS NULL OR subject = ?)"
            values = (since, until, subject, subject)
            (count,) = db.execute(f"SELECT count(*) {wanted}", values).fetchone()
            query = f"SELECT at, kind, subject, text {wanted} ORDER BY at DESC, rowid DESC LIMIT ?"
            found = [Event(*row) for row in db.execute(query, (*values, most))]
            return found, count - len(found)

        return self.ask(find)

    def path(self, of: rows.PathOf, since: float, until: float, most: int) -> tuple[list[PathChange], int]:
        """Return the newest `most` changes of a path, the oldest first, and how many more there are.

        The first is the state at `since`, where it is known. Raises `HistoryError`.
        """

        def find(db: sqlite3.Connection) -> tuple[list[PathChange], int]:
            query = (
                "SELECT s.at, s.layout, s.letters FROM states AS s JOIN probers AS p ON p.id = s.prober"
                " WHERE p.node = ? AND p.network = ? AND s.at <= ? AND s.at >= coalesce((SELECT max(at) FROM states"
                " WHERE prober = p.id AND at <= ?), 0) ORDER BY s.at"
            )
            layouts, found = _Layouts(db), list[PathChange]()
            for at, place, letters in db.execute(query, (of.node, of.network, until, since)):
                number = -1 if place is None else layouts.place(place, of.path)
                code = "" if number < 0 else rows.decoded(letters)[number]
                change = PathChange(max(at, since), *(rows.letter_of(code) if code else ("", "")))
                if not found or (found[-1].state, found[-1].outcome) != (change.state, change.outcome):
                    found.append(change)
            return found[-most:], max(len(found) - most, 0)

        return self.ask(find)

    def find_path(self, wanted: Callable[[rows.PathOf], bool]) -> rows.PathOf | None:
        """Return the first path that is `wanted`. Raises `HistoryError`."""

        def find(db: sqlite3.Connection) -> rows.PathOf | None:
            query = (
                "SELECT DISTINCT p.node, p.network, s.layout FROM states AS s JOIN probers AS p ON p.id = s.prober"
                " WHERE s.layout IS NOT NULL"
            )
            layouts = _Layouts(db)
            each = (
                rows.PathOf(node, network, path)
                for node, network, place in db.execute(query)
                for path in layouts[place].paths
            )
            return next(filter(wanted, each), None)

        return self.ask(find)

    def rollups(self, kind: str, name: str, since: float, until: float, most: int) -> list[tuple[int, ...]]:
        """Return the minutes of a node or zone between two moments, the oldest first. Raises `HistoryError`."""

        def find(db: sqlite3.Connection) -> list[tuple[int, ...]]:
            query = (
                "SELECT r.at, paths, failing, attempts, failed, sent, lost, rtt FROM rollups AS r JOIN names AS n"
                " ON n.id = r.name WHERE r.kind = ? AND n.name = ? AND r.at >= ? AND r.at <= ?"
                " ORDER BY r.at DESC LIMIT ?"
            )
            return list(db.execute(query, (kind, name, since, until, most)))[::-1]

        return self.ask(find)

    def ask(self, find: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `find` finds in the file. Raises `HistoryError`."""
        found: T = self._threads.call(self._answer, find)
        return found

    def _answer(self, find: Callable[[sqlite3.Connection], T]) -> T:
        until = time.monotonic() + self._seconds
        try:
            with _opened(self._path) as db:
                db.set_progress_handler(lambda: time.monotonic() > until, STEPS)
                return find(db)
        except sqlite3.Error as error:
            late = time.monotonic() > until
            why = f"no answer within {self._seconds:g} s" if late else str(error)
            raise HistoryError(f"the history cannot be read: {why}") from None


class _opened:  # noqa: N801  used as a function
    """A read-only connection that is closed at the end."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0, isolation_level=None)

    def __enter__(self) -> sqlite3.Connection:
        self._db.execute("BEGIN")  # one query sees one moment of the file
        return self._db

    def __exit__(self, *_: object) -> None:
        self._db.close()


class _Layouts(dict[int, rows.Layout]):
    """The layouts that a query has read."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__()
        self._db = db
        self._places: dict[tuple[int, rows.PathName], int] = {}

    def __missing__(self, place: int) -> rows.Layout:
        (paths,) = self._db.execute("SELECT paths FROM layouts WHERE id = ?", (place,)).fetchone()
        self[place] = found = rows.layout(paths)
        return found

    def place(self, place: int, path: rows.PathName) -> int:
        """Return the place of a path in a layout, or -1."""
        if (place, path) not in self._places:
            same = (
                number
                for number, each in enumerate(self[place].paths)
                if (each.target, each.plane, each.family, each.probe)
                == (path.target, path.plane, path.family, path.probe)
            )
            self._places[place, path] = next(same, -1)
        return self._places[place, path]


def _closed(view: View, when: float | None) -> View:
    """Return the view of a finding that closed at that moment, even if a restart of the hub closed it."""
    return (
        view if when is None or view.closed is not None else msgspec.structs.replace(view, phase="closed", closed=when)
    )
