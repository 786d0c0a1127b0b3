"""The data of a look for a collector: failed results as records, roll-ups of nodes as gauges."""

from __future__ import annotations

from collections.abc import Iterator

from smoker_diagnosis.state import PEER, LastFailure, PathState, State
from smoker_hub import judge
from smoker_hub.collect import Key
from smoker_hub.history.rows import rollup
from smoker_hub.hub import Hub
from smoker_hub.notify.receiver import Notice
from smoker_hub.otlp.encode import Gauge, Record, Value

INFO, WARN, ERROR = 9, 13, 17  # OTLP's numbers of severities


class FailedResults:
    """Finds the failed results that the previous look did not have.

    A path carries its last failure, also where a later probe succeeded. Of several within one look the record has the
    last one and their number.
    """

    def __init__(self) -> None:
        self._states: dict[Key, State] = {}
        self._failures: dict[Key, dict[str, LastFailure]] = {}  # the last failure of each path that has one

    def look(self, hub: Hub) -> Iterator[Record]:
        """Yield a record for each new failed result."""
        states: dict[Key, State] = {(state.node, state.network): state for state in hub.collected.states}
        for gone in self._failures.keys() - states.keys() - hub.collected.silent.keys():
            del self._failures[gone]
        for key, state in states.items():
            if self._states.get(key) is not state:
                yield from self._of(hub, key, state)
        self._states = states

    def _of(self, hub: Hub, key: Key, state: State) -> Iterator[Record]:
        before, date = self._failures.get(key), hub.clock.wall_time()
        failures: dict[str, LastFailure] = {}
        for path in state.paths:
            failure = _last_failure(path)
            if failure is None:
                continue
            name = judge.identity(*key, path)
            failures[name] = failure
            known = None if before is None else before.get(name)
            if known is not None and known.at == failure.at:
                continue
            if before is None and not judge.fails(path):
                continue  # a prober seen for the first time: failures that are over ended before this hub started
            more = failure.count - (known.count if known is not None else failure.count - 1)
            ago = hub.collected.waited.get(key, 0.0) + state.at - failure.at
            about = _about(state, path, failure) | {"smoker.failures": max(more, 1)}
            body = f"{state.node} does not reach {path.target} ({path.probe} {path.plane}): {failure.outcome}"
            yield Record(date - ago, date, WARN, "smoker.result.failed", body, about)
        self._failures[key] = failures


def _last_failure(path: PathState) -> LastFailure | None:
    """Return the last failure of `path`. A prober of an older version says only what the last result is."""
    if path.last_failure is None and judge.fails(path):
        return LastFailure(path.at, path.last, 1, path.error)
    return path.last_failure


def _about(state: State, path: PathState, failure: LastFailure) -> dict[str, Value]:
    return {
        "smoker.source": state.node,
        "smoker.source.network": state.network,
        "smoker.source.zone": state.zone,
        "smoker.target": path.target,
        "smoker.target.zone": path.zone,
        "smoker.role": path.role,
        "smoker.plane": path.plane,
        "smoker.probe": path.probe,
        "network.type": path.family,
        "error.type": failure.outcome,
        "error.message": failure.error,
        "smoker.failures_in_a_row": path.streak,
        "smoker.offender": path.offender,
    }


def of_notice(notice: Notice, observed: float) -> Record:
    """Return the record of a finding that opened, became worse or closed. `observed`: the date of now."""
    view = notice.view
    finding = view.finding
    attributes: dict[str, Value] = {
        "smoker.finding.id": view.id,
        "smoker.finding.place": view.place,
        "smoker.finding.nodes": finding.scope.nodes,
        "smoker.finding.layer": finding.layer,
        "smoker.finding.kind": finding.kind,
        "smoker.finding.severity": finding.severity,
        "smoker.finding.confidence": finding.confidence,
        "smoker.finding.evidence": view.evidence,
        "smoker.finding.next": view.next,
    }
    if notice.event == "close":
        body = f"CLOSED {view.place}: {view.what}"
        return Record(view.closed or observed, observed, INFO, "smoker.finding.close", body, attributes)
    severity = {"critical": ERROR, "warning": WARN}.get(finding.severity, INFO)
    when = observed if notice.event == "escalate" else view.opened or observed
    return Record(when, observed, severity, f"smoker.finding.{notice.event}", view.headline, attributes)


def gauges(hub: Hub) -> list[Gauge]:
    """Return the roll-up of each node's paths to its peers, the open findings and the probers."""
    by_node: dict[str, list[State]] = {}
    for state in hub.collected.states:
        by_node.setdefault(state.node, []).append(state)
    found = {
        node: rollup(path for state in states for path in state.paths if path.role == PEER)
        for node, states in by_node.items()
    }
    about: dict[str, dict[str, Value]] = {
        node: {"smoker.node": node, "smoker.zone": states[0].zone} for node, states in by_node.items()
    }
    open_ones: dict[str, float] = dict.fromkeys(("critical", "warning", "info"), 0.0)
    for incident in hub.incidents.open:
        open_ones[incident.finding.severity] += 1
    silent = len(hub.collected.silent)
    probers = {"answering": hub.collected.asked - silent, "silent": silent}
    counts = "paths from a node to its peers, a probe, plane and family each"
    return [
        Gauge("smoker.node.paths", "{path}", counts, [(about[n], float(r.paths)) for n, r in found.items()]),
        Gauge(
            "smoker.node.paths.failing",
            "{path}",
            "paths whose last result is a failure",
            [(about[n], float(r.failing)) for n, r in found.items()],
        ),
        Gauge(
            "smoker.node.failure.ratio",
            "1",
            "failed results of the last rounds",
            [(about[n], r.failed / r.attempts) for n, r in found.items() if r.attempts],
        ),
        Gauge(
            "smoker.node.packet.loss.ratio",
            "1",
            "packets of the last trains without an answer",
            [(about[n], r.lost / r.sent) for n, r in found.items() if r.sent],
        ),
        Gauge(
            "smoker.node.rtt",
            "s",
            "median of the paths' median round-trip times",
            [(about[n], r.rtt / 1e6) for n, r in found.items() if r.rtt],
        ),
        Gauge(
            "smoker.findings.open",
            "{finding}",
            "open findings",
            [({"smoker.finding.severity": severity}, count) for severity, count in open_ones.items()],
        ),
        Gauge(
            "smoker.hub.probers",
            "{prober}",
            "probers that the hub asks",
            [({"state": word}, float(count)) for word, count in probers.items()],
        ),
    ]
