"""The current state of the hub, as the records of `views`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Literal

from smoker_diagnosis import text
from smoker_diagnosis.state import State
from smoker_hub import judge
from smoker_hub.collect import Collected, Key
from smoker_hub.hub import Hub, paths_of
from smoker_hub.incident import Incident
from smoker_hub.web.router import Problem
from smoker_hub.web.views import Findings, Health, Node, Prober, Summary, View


def looked(hub: Hub) -> float | None:
    """Return the date of the last look, None before the first."""
    return None if hub.looked is None else round(hub.clock.date(hub.looked), 3)


def summary(hub: Hub) -> Summary:
    """Return the answer."""
    collected, found = hub.collected, [each.finding for each in hub.incidents.open]
    age = None if hub.looked is None else round(hub.clock.now() - hub.looked, 3)
    paths, heard = paths_of(collected), collected.asked - len(collected.silent)
    state: Health
    if hub.looked is None or not collected.asked:
        state, sentence = "starting", "STARTING no prober is known yet"
    elif hub.blind:
        state, sentence = "blind", f"BLIND the hub is cut off: {heard} of {collected.asked} probers answer it"
    elif not found and (silent := len(collected.silent)):
        state = "unclear"
        sentence = (
            f"UNCLEAR {silent} of {collected.asked} probers do not answer the hub; no fault is found by the others"
        )
    elif not found and hub.incidents.lasting:
        state, sentence = "unclear", text.unclear(hub.incidents.lasting[0].finding, paths, heard)
    else:
        sentence = text.summary(found, paths, heard, hub.failing)
        unknown = any(each.kind == "unknown" for each in found)
        state = "faults" if any(map(text.is_fault, found)) else "unclear" if unknown else "healthy"
    return Summary(
        sentence=sentence,
        state=state,
        cluster=hub.cluster,
        open=len(found),
        probers=collected.asked,
        silent=len(collected.silent),
        paths=paths,
        age=age,
    )


def view(hub: Hub, incident: Incident) -> View:
    """Return a finding with its life and its sentences."""
    finding, date = incident.finding, hub.clock.date
    return View(
        id=incident.id,
        phase=incident.phase,
        cluster=hub.cluster,
        headline=text.headline(finding),
        place=text.place(finding),
        what=text.what(finding),
        evidence=tuple(text.evidence(finding)),
        next=tuple(text.next_steps(finding)),
        first_seen=round(date(incident.first_seen), 3),
        last_seen=round(date(incident.last_seen), 3),
        opened=None if incident.opened is None else incident.opened_date or round(date(incident.opened), 3),
        closed=None if incident.closed is None else round(date(incident.closed), 3),
        escalations=incident.escalations,
        finding=finding,
    )


def findings(hub: Hub) -> Findings:
    """Return the open findings, those that have closed, and those that are not sure yet."""
    incidents = hub.incidents
    open_, recent, suspected = (
        [view(hub, each) for each in of] for of in (incidents.open, incidents.recent(), incidents.suspected)
    )
    return Findings(open_, recent, suspected)


def finding(hub: Hub, name: str) -> View:
    """Return the open or closed finding with this id. Raises `Problem`."""
    for each in [*hub.incidents.open, *hub.incidents.recent()]:
        if each.id == name:
            return view(hub, each)
    raise Problem(HTTPStatus.NOT_FOUND, f"there is no finding {name}")


def nodes(hub: Hub) -> list[Node]:
    """Return every node with a prober, by name."""
    return nodes_of(hub.collected, {each.id: each.finding.scope.nodes for each in hub.incidents.open})


def nodes_of(collected: Collected, findings: Mapping[str, Iterable[str]]) -> list[Node]:
    """Return every node of `collected`; `findings`: the nodes that each open finding names, by its id."""
    states: dict[Key, State] = {(state.node, state.network): state for state in collected.states}
    named: dict[str, list[str]] = {}
    for finding, blamed in findings.items():
        for node in blamed:
            named.setdefault(node, []).append(finding)
    found: dict[str, list[Prober]] = {}
    zones = {state.node: state.zone for state in collected.states}
    if silent := {node for node, _ in collected.silent} - zones.keys():  # the others know the zone of a dead node
        peers = (path for state in collected.states for path in state.paths)
        zones |= {path.target: path.zone for path in peers if path.zone and path.target in silent}
    for node, network in sorted(states.keys() | collected.silent.keys()):
        found.setdefault(node, []).append(_prober(collected, (node, network), states.get((node, network))))
    return [Node(node, zones.get(node, ""), probers, named.get(node, [])) for node, probers in found.items()]


def _prober(collected: Collected, key: Key, state: State | None) -> Prober:
    silent = key in collected.silent
    paths = [] if state is None else state.paths
    word: Literal["answering", "silent"] = "silent" if silent else "answering"
    age, error = collected.silent.get(key, 0.0), collected.errors.get(key, "")
    return Prober(key[1], word, round(age, 3), error, len(paths), sum(judge.fails(path) for path in paths))
