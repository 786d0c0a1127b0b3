"""The state at a moment: now, or with `at` from the history."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar

import msgspec

from smoker_diagnosis import text
from smoker_hub.collect import Collected
from smoker_hub.history.reader import RECENT, HistoryError, Look, Reader
from smoker_hub.hub import Hub
from smoker_hub.web import now
from smoker_hub.web.router import Problem, Values
from smoker_hub.web.sources import Sources
from smoker_hub.web.views import Findings, Node, Summary, View

T = TypeVar("T")
GAP = 150.0  # seconds without a stored look after which the hub was down; it stores one per minute


class Moment(NamedTuple):
    """The states of one look. `at`: its date. `live`: whether it is the last one, with all counts and times."""

    at: float | None
    collected: Collected
    live: bool


def moment(sources: Sources, values: Values) -> Moment:
    """Return the states at the moment `at`. Raises `Problem`."""
    if values["at"] is None:
        return last_look(sources.hub)
    reader = history(sources)
    look = _look(reader, values["at"])
    return Moment(look.at, asked(reader.collected, values["at"]), live=False)


def last_look(hub: Hub) -> Moment:
    """Return the states of the last look."""
    return Moment(now.looked(hub), hub.collected, live=True)


def summary(sources: Sources, values: Values) -> Summary:
    """Return the answer of the moment `at`. Raises `Problem`."""
    at = values["at"]
    if at is None:
        return now.summary(sources.hub)
    look = _look(history(sources), at)
    found, age = look.summary, round(at - look.at, 3)
    if age > GAP:
        sentence = f"UNCLEAR the hub had not looked for {text.duration(age)}; then it said: {found.sentence}"
        return msgspec.structs.replace(found, sentence=sentence, state="unclear", age=age)
    return msgspec.structs.replace(found, age=age)


def findings(sources: Sources, values: Values) -> Findings:
    """Return the open and the closed findings at the moment `at`. Raises `Problem`."""
    if values["at"] is None:
        return _with_older(now.findings(sources.hub), sources)
    reader = history(sources)
    _look(reader, values["at"])
    return Findings(*asked(reader.findings, values["at"]))


def finding(sources: Sources, values: Values) -> View:
    """Return a finding by its id, also one that closed long ago. Raises `Problem`."""
    try:
        return now.finding(sources.hub, values["id"])
    except Problem:
        found = None if sources.reader is None else asked(sources.reader.finding, values["id"])
        if found is None:
            raise
        return found


def _with_older(found: Findings, sources: Sources) -> Findings:
    """Return `found` with findings from the history that closed before the hub started."""
    if sources.reader is None:
        return found
    hub = sources.hub
    try:
        older = sources.reader.findings(hub.clock.date(hub.began)).closed
    except HistoryError:
        return found
    return Findings(found.open, [*found.recent, *older][:RECENT])


def nodes(sources: Sources, values: Values) -> list[Node]:
    """Return the nodes of the moment `at`. Raises `Problem`."""
    if values["at"] is None:
        return now.nodes(sources.hub)
    found = findings(sources, values)
    named = {view.id: view.finding.scope.nodes for view in found.open}
    return now.nodes_of(moment(sources, values).collected, named)


def history(sources: Sources) -> Reader:
    """Return the history. Raises `Problem` where there is none."""
    if sources.reader is None:
        raise Problem(HTTPStatus.NOT_FOUND, "this hub keeps no history (hub.history.enabled)")
    return sources.reader


def asked(question: Callable[..., T], *values: Any) -> T:
    """Return the answer of the history. Raises `Problem`."""
    try:
        return question(*values)
    except HistoryError as why:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(why)) from None


def _look(reader: Reader, at: float) -> Look:
    look: Look | None = asked(reader.look, at)
    if look is None:
        oldest = asked(reader.oldest)
        since = "is empty" if oldest is None else f"begins at {oldest:.0f}"
        raise Problem(HTTPStatus.NOT_FOUND, f"the history {since}")
    return look
