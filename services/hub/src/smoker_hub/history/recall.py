"""Read the findings that were open when the hub stopped, and those that each receiver was sent, before the first look.

An open finding continues: the next looks confirm or close it. If the hub was down for longer than `AWAY` seconds, the
finding counts as closed when the hub stopped, and a finding of now is new.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import gevent
import msgspec
from loguru import logger

from smoker_common.clock import Clock
from smoker_hub.history.reader import HistoryError, Reader
from smoker_hub.incident import Incident, Phase
from smoker_hub.notify.notifier import Known
from smoker_hub.resume import AWAY, instant, resumed
from smoker_hub.web.views import View

SECONDS = 10.0  # for reading it
MOST = 10_000  # rows that are read
SAME = 0.5  # seconds between the dates of one opening in two tables; the same finding cannot open twice within them

_view = msgspec.json.Decoder(View)


class Recalled(NamedTuple):
    """Incidents that go on, those that have lapsed, and by receiver what it was sent, by the id of the finding."""

    open: list[Incident]
    lapsed: list[Incident]
    sent: dict[str, dict[str, Known]]


class _Stored(NamedTuple):
    """What the file has. `closed`: views of findings that have closed and that a receiver still has as open."""

    last: float
    open: list[View]
    sent: list[tuple[str, View]]
    closed: list[View]


def recall(reader: Reader, clock: Clock) -> Recalled:
    """Return what the history has of the time before this start; nothing where it cannot be read."""
    if not reader.exists:
        return Recalled([], [], {})
    try:
        with gevent.Timeout(SECONDS, HistoryError(f"the history cannot be read within {SECONDS:g} s")):
            stored = reader.ask(_read)
    except (HistoryError, msgspec.DecodeError) as error:
        logger.warning("the findings that were open before the start are unknown", cause=str(error))
        return Recalled([], [], {})
    return _recalled(stored, clock)


def _recalled(stored: _Stored, clock: Clock) -> Recalled:
    away = clock.wall_time() - stored.last > AWAY
    found = [_incident(view, clock, "clearing") for view in stored.open]
    if away:
        for incident in found:
            incident.end(instant(clock, max(stored.last, incident.opened_date or 0.0)))
    by_id = {each.id: each for each in found}
    sent: dict[str, dict[str, Known]] = {}
    for receiver, view in stored.sent:
        known = by_id.get(view.id)
        goes_on = known is not None and _same(known.opened_date, view.opened)
        incident = known if known is not None and goes_on else _closed(view, stored, clock)
        sent.setdefault(receiver, {})[view.id] = Known(incident, view.escalations, view)
    return Recalled([] if away else found, found if away else [], sent)


def _closed(sent: View, stored: _Stored, clock: Clock) -> Incident:
    """Return an incident that has closed, whose close its receiver has not got."""
    last = next((each for each in stored.closed if each.id == sent.id and _same(each.opened, sent.opened)), sent)
    incident = _incident(last, clock, "closed")
    incident.closed = instant(clock, stored.last if last.closed is None else last.closed)
    return incident


def _same(one: float | None, other: float | None) -> bool:
    return abs((one or 0.0) - (other or 0.0)) < SAME


def _incident(view: View, clock: Clock, phase: Phase) -> Incident:
    return resumed(
        view.finding,
        clock,
        phase,
        first_seen=view.first_seen,
        last_seen=view.last_seen,
        opened=view.first_seen if view.opened is None else view.opened,
        escalations=view.escalations,
    )


def _read(db: sqlite3.Connection) -> _Stored:
    (last,) = db.execute("SELECT max(at) FROM looks").fetchone()
    query = "SELECT last, opened FROM findings WHERE closed IS NULL ORDER BY opened LIMIT ?"
    was_open = {view.id: view for view in _views(db.execute(query, (MOST,)))}
    (known,) = db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'sent'").fetchone()  # since version 2
    rows = db.execute("SELECT receiver, view FROM sent LIMIT ?", (MOST,)).fetchall() if known else []
    sent = [(receiver, _view.decode(body)) for receiver, body in rows]
    query = "SELECT last, opened FROM findings WHERE closed IS NOT NULL AND id = ? ORDER BY opened DESC LIMIT 5"
    closed = [view for name in {view.id for _, view in sent} for view in _views(db.execute(query, (name,)))]
    return _Stored(last or 0.0, list(was_open.values()), sent, closed)


def _views(rows: sqlite3.Cursor) -> Iterator[View]:
    """Yield the views of rows of the table `findings`, each with the date of its opening there."""
    for body, opened in rows:
        yield msgspec.structs.replace(_view.decode(body), opened=opened)
