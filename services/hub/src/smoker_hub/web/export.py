"""Everything for a bug report in one file, without secrets: no tokens, receivers or their addresses."""

from __future__ import annotations

from importlib.metadata import version

import gevent
import msgspec

from smoker_diagnosis.state import State
from smoker_hub import judge
from smoker_hub.web import matrix, now, past
from smoker_hub.web.past_views import Event
from smoker_hub.web.router import Problem, Values
from smoker_hub.web.sources import Sources
from smoker_hub.web.views import Export

VERSION = 1
STATES = 16 * 1024 * 1024  # bytes of all states together
EVENTS = 1_000
ALL = {"at": None, "plane": None, "family": None, "probe": None, "from": None, "to": None}


def answer(sources: Sources, values: Values) -> Export:  # noqa: ARG001  a route has values, this one none
    """Return the hub's answers, and the states with which the diagnosis can be repeated."""
    hub = sources.hub
    states, left_out = _states(hub.collected.states)
    silent = {f"{node} ({network})": why for (node, network), why in hub.collected.errors.items()}
    return Export(
        version=VERSION,
        program=version("smoker-hub"),
        at=now.looked(hub),
        summary=now.summary(hub),
        findings=now.findings(hub),
        nodes=now.nodes(hub),
        zones=matrix.answer(sources, {**ALL, "by": "zone", "limit": matrix.USUAL}),
        matrix=matrix.answer(sources, {**ALL, "by": "node", "limit": matrix.USUAL}),
        events=_events(sources),
        errors=silent,
        states=states,
        states_left_out=left_out,
    )


def _events(sources: Sources) -> list[Event]:
    try:
        return past.events(sources, {"since": None, "until": None, "subject": None, "limit": EVENTS}).events
    except Problem:  # no history, or one that cannot be read: the rest is worth having
        return []


def _states(states: list[State]) -> tuple[list[msgspec.Raw], int]:
    """Return the states as they came, those with most failing paths first, and how many are left out."""
    found: list[msgspec.Raw] = []
    left = STATES
    for number, state in enumerate(sorted(states, key=lambda state: -sum(map(judge.fails, state.paths)))):
        body = msgspec.json.encode(state)
        left -= len(body)
        if left < 0:
            return found, len(states) - number
        found.append(msgspec.Raw(body))
        if not number % matrix.BATCH:
            gevent.sleep(0)
    return found, 0
