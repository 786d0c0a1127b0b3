"""What happened between two moments: events, the states of a path, the minutes of a node or zone."""

from __future__ import annotations

from http import HTTPStatus

from smoker_hub import judge
from smoker_hub.history.rows import PathName, PathOf
from smoker_hub.web import paths
from smoker_hub.web.past_views import Events, PathHistory, Rollups
from smoker_hub.web.router import Problem, Values
from smoker_hub.web.sources import Sources
from smoker_hub.web.then import asked, history

DAY = 86_400.0  # seconds that an answer covers without `since`
USUAL, MOST = 500, 5_000  # events or changes of one answer
MINUTES = 10_080  # of one answer: a week


def events(sources: Sources, values: Values) -> Events:
    """Return what happened. Raises `Problem`."""
    reader = history(sources)
    since, until = between(sources, values)
    return Events(since, until, *asked(reader.events, since, until, values["limit"], values["subject"]))


def path(sources: Sources, values: Values) -> PathHistory:
    """Return the states of a path. Raises `Problem`."""
    reader = history(sources)
    since, until = between(sources, values)
    name = values["id"]
    found = find(sources, name)
    changes, left_out = asked(reader.path, found, since, until, values["limit"])
    return PathHistory(
        id=name,
        source=found.node,
        network=found.network,
        target=found.path.target,
        plane=found.path.plane,
        family=found.path.family,
        probe=found.path.probe,
        since=since,
        until=until,
        changes=changes,
        left_out=left_out,
    )


def rollups(sources: Sources, values: Values) -> Rollups:
    """Return the roll-ups of a node or zone, minute by minute. Raises `Problem`."""
    reader = history(sources)
    since, until = between(sources, values)
    found = asked(reader.rollups, values["by"], values["name"], since, until, MINUTES)
    columns = [list(column) for column in zip(*found, strict=True)] or [[] for _ in range(8)]
    names = ("at", "paths", "failing", "attempts", "failed", "sent", "lost", "rtt")
    by_name = dict(zip(names, columns, strict=True))
    return Rollups(by=values["by"], name=values["name"], since=since, until=until, **by_name)


def find(sources: Sources, name: str) -> PathOf:
    """Return the path with the id `name`, of now or of the history. Raises `Problem`."""
    found = _live(sources, name)
    if found is None and sources.reader is not None:
        found = asked(sources.reader.find_path, lambda each: judge.identity(*each) == name)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no path {name}")
    return found


def between(sources: Sources, values: Values) -> tuple[float, float]:
    """Return the moments `since` and `until`, by default the last day. Raises `Problem`."""
    until = sources.hub.clock.wall_time() if values["until"] is None else values["until"]
    since = max(until - DAY, 0.0) if values["since"] is None else values["since"]
    if since > until:
        raise Problem(HTTPStatus.BAD_REQUEST, "the parameter since is after until")
    return round(since, 3), round(until, 3)


def _live(sources: Sources, name: str) -> PathOf | None:
    """Return a path that is probed now."""
    for state, each in paths.all_of(sources.hub.collected):
        if judge.identity(state.node, state.network, each) == name:
            name_of = PathName(each.role, each.target, each.plane, each.family, each.probe, each.zone)
            return PathOf(state.node, state.network, name_of)
    return None
