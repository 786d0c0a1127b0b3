"""Records the history: after each look a few jobs for the writer's thread.

look, change ─▶ jobs ─▶ bounded queue ─▶ one real thread, one transaction ─▶ the file

The event loop never waits for the disk. If the file is corrupt or full, the hub logs one line and begins a new file.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import gevent
import msgspec
from gevent.event import Event
from loguru import logger

from smoker_common.work import BaseWork
from smoker_hub import incidents
from smoker_hub.changes import PathsChange, letters_of
from smoker_hub.collect import Key
from smoker_hub.history import findings, rows
from smoker_hub.history.events import HistoryEvent, HistoryEvents
from smoker_hub.history.store import Job, Size, Store, is_busy
from smoker_hub.history.threads import Threads
from smoker_hub.hub import Hub
from smoker_hub.incident import Incident
from smoker_hub.web import now
from smoker_hub.web.views import View

WAITING = 200  # jobs that may wait; beyond that the oldest is dropped
MINUTE = 60.0  # seconds between two roll-ups, and between two stored looks without a change
AGAIN = 60.0  # seconds after which creating the file is tried again
BUSY = 1.0  # seconds after which a file locked by another process is tried again


#: The kind of event by what happened to a finding.
EVENTS = {"open": "finding_opened", "escalate": "finding_escalated", "close": "finding_closed"}


class History(BaseWork):
    """Follows `hub` and writes to `folder`."""

    def __init__(self, hub: Hub, folder: Path, *, days: float = 7.0, mebibytes: int = 256) -> None:
        self._hub, self._store = hub, Store(folder, days=days, mebibytes=mebibytes)
        self.path = self._store.path
        self._jobs: deque[Job] = deque()
        self._news, self._idle = Event(), Event()
        self._idle.set()
        self._thread = Threads(1)
        self._happenings = HistoryEvents()
        self.tell_node = self._happenings.note
        self._summary, self._stored, self._minute = b"", 0.0, 0
        self._silent: frozenset[Key] = frozenset()
        self._whole = False  # whether the next look must be stored completely: the file is new, or jobs were dropped
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._kept: frozenset[str] = frozenset()  # ids of the findings that go on from before the start
        self._opened: dict[tuple[str, float | None], float | None] = {}  # by incident: the stored date of its opening
        self._last: list[Event] = []  # what is set when others have put their last jobs
        self.works = False  # whether the file can be written
        self.size = Size(0, None)
        self.counts: Counter[str] = Counter()  # "dropped" jobs, times that the file "began" anew

    def tell(self, change: incidents.Change) -> None:
        """Record a finding that opened, became worse or closed, and the event."""
        view = self._view(change.incident)
        if change.kind == "close":
            del self._opened[_key(change.incident)]
        self.put(partial(findings.put, view=view))
        kind, text = EVENTS[change.kind], f"{view.place}: {view.what}"
        if change.kind == "escalate":
            text += f", now {view.finding.severity}"
        at = self._hub.clock.date(self._hub.clock.now())
        self.put(partial(_put_events, at=at, found=[HistoryEvent(kind, view.id, text)]))

    def look(self, changes: Sequence[PathsChange]) -> None:
        """Record the changes of the last look, and once a minute the roll-ups."""
        hub = self._hub
        at = now.looked(hub)
        if at is None:
            return
        if self._whole:
            self._whole, self._summary, changes = False, b"", _everything(hub)
            self.put(partial(findings.put_open, views=[self._view(each) for each in hub.incidents.open]))
        silent = frozenset(hub.collected.silent)
        left = self._silent - silent - {(state.node, state.network) for state in hub.collected.states}
        changes = [*changes, *(PathsChange(key, None, "", (), layout=True) for key in sorted(left))]
        self._silent = silent
        if changes:
            self.put(partial(rows.put_states, at=at, changes=changes, silent=silent))
        if found := self._happenings.look(hub):
            self.put(partial(_put_events, at=at, found=found))
        summary = msgspec.json.encode(msgspec.structs.replace(now.summary(hub), age=0.0))
        if summary != self._summary or at - self._stored >= MINUTE:
            self._summary, self._stored = summary, at
            self.put(partial(_put_look, at=at, summary=summary))
        if at // MINUTE != self._minute:
            self._minute = int(at // MINUTE)
            self.put(partial(rows.put_rollups, at=at, states=list(hub.collected.states)))
            self.put(self._prune(at))

    def _view(self, incident: Incident) -> View:
        """Return the incident as it is stored: a step of the wall clock does not change the date of its opening."""
        view = now.view(self._hub, incident)
        return msgspec.structs.replace(view, opened=self._opened.setdefault(_key(incident), view.opened))

    def go_on(self, resumed: Iterable[Incident]) -> None:
        """Record findings that are open and that another hub opened."""
        for incident in resumed:
            self.put(partial(findings.put, view=self._view(incident)))

    def keep_open(self, names: Iterable[str]) -> None:
        """Leave the findings with these ids open when the file is opened: the hub goes on with them."""
        self._kept = frozenset(names)

    def wait_for(self, last: Event) -> None:
        """At the end, write until `last` is set: then another part of the hub has put its last job."""
        self._last.append(last)

    def start(self) -> None:
        """Begin to write."""
        self._greenlet = gevent.spawn(self._run)

    def drain(self, seconds: float) -> int:
        """Write what waits, for `seconds` at most. Return how many jobs were not written."""
        gevent.with_timeout(seconds, self._written, timeout_value=None)
        if self._greenlet is not None:
            self._greenlet.kill()
        gevent.with_timeout(seconds, self._thread.call, self._store.close, timeout_value=None)
        return len(self._jobs)

    def _written(self) -> None:
        for last in self._last:
            last.wait()
        self._idle.wait()

    def put(self, job: Job) -> None:
        """Have the writer's thread do `job` soon."""
        self._jobs.append(job)
        if len(self._jobs) > WAITING:
            self._jobs.popleft()
            self.counts["dropped"] += 1
            self._whole = True
            if self.works and self.counts["dropped"] == 1:
                logger.error("the history cannot be written fast enough; the oldest entries are dropped")
        self._idle.clear()
        self._news.set()

    def _run(self) -> None:
        self._begin()
        while True:
            self._news.wait()
            self._news.clear()
            jobs = list(self._jobs)
            self._jobs.clear()
            try:
                self._thread.call(self._store.run, jobs)
            except Exception as error:
                self._failed(error, jobs)
            jobs.clear()  # they have the states of a look, which would stay until the next jobs come
            if not self._jobs:
                self._idle.set()

    def _failed(self, error: Exception, jobs: list[Job]) -> None:
        if is_busy(error):
            self._jobs.extendleft(reversed(jobs))
            gevent.sleep(BUSY)
            self._news.set()
            return
        logger.error("the history cannot be written; a new one begins", cause=str(error) or type(error).__name__)
        self._anew()

    def _begin(self) -> None:
        try:
            self._thread.call(self._store.open)
            self._thread.call(self._store.run, [partial(findings.cut, kept=self._kept)])
            self.works = True
        except (sqlite3.Error, OSError) as error:
            logger.error("the history cannot be read; a new one begins", cause=str(error))
            self._anew()

    def _anew(self) -> None:
        """Create a new file; if that fails, try again after a while."""
        logged = False
        while True:
            try:
                self._thread.call(self._store.replace_file)
            except (sqlite3.Error, OSError) as error:
                self.works = False
                if not logged:
                    logger.error("the history is off: no file can be created", path=str(self.path), cause=str(error))
                logged = True
                self._idle.set()
                gevent.sleep(AGAIN)
                continue
            self.counts["began"] += 1
            self.works = self._whole = True
            return

    def _prune(self, at: float) -> Job:
        """Return the job that keeps the file within its bounds."""

        def job(db: sqlite3.Connection) -> None:
            self.size = self._store.prune(db, at)

        return job


def _key(incident: Incident) -> tuple[str, float | None]:
    return incident.id, incident.opened


def _everything(hub: Hub) -> list[PathsChange]:
    """Return all probers as if they had just appeared."""
    found: list[PathsChange] = []
    for state in hub.collected.states:
        key = state.node, state.network
        late = hub.collected.waited.get(key, 0.0)
        found.append(PathsChange(key, state, letters_of(state, late), (), layout=True))
    return found


def _put_events(db: sqlite3.Connection, at: float, found: Sequence[HistoryEvent]) -> None:
    db.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", [(at, *each) for each in found])


def _put_look(db: sqlite3.Connection, at: float, summary: bytes) -> None:
    db.execute("INSERT OR REPLACE INTO looks VALUES (?, ?)", (at, summary))
