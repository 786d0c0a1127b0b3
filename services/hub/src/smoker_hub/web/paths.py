"""Single paths: those between two ends, and the failing ones of a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus

import gevent
import msgspec

from smoker_diagnosis.state import PEER, PathState, State
from smoker_hub import judge
from smoker_hub.collect import Collected
from smoker_hub.web import bandwidth, now, then
from smoker_hub.web.router import Problem, Values
from smoker_hub.web.sources import Sources
from smoker_hub.web.views import Bandwidth, NodeDetail, Path, Paths

USUAL, MOST = 500, 2_000  # paths of one answer
BANDWIDTH = "bandwidth"  # the probe whose results are no paths
FAILING = 100  # paths that a node lists
BATCH = 50  # probers after which other greenlets may run

Found = tuple[State, PathState]


def answer(sources: Sources, values: Values) -> Paths:
    """Return the paths that the parameters name. Raises `Problem`."""
    moment = then.moment(sources, values)
    filters = {"target": values["to"]} | {name: values[name] for name in ("plane", "family", "probe")}
    wanted = {name: value for name, value in filters.items() if value is not None}
    found = all_of(moment.collected, values["from"])
    for name, value in wanted.items():
        found = _only(found, name, value)
    rates: list[Bandwidth] = []
    if wanted.pop("probe", BANDWIDTH) == BANDWIDTH:
        ends = wanted if values["from"] is None else {**wanted, "source": values["from"]}
        rates = bandwidth.newest(moment, ends, values["limit"])
    return Paths(moment.at, *listed(moment, found, values["limit"]), rates)


def node(sources: Sources, values: Values) -> NodeDetail:
    """Return the details of the node `name`. Raises `Problem`."""
    name, found = values["name"], then.moment(sources, values)
    open_ones = then.findings(sources, values).open
    named = {view.id: view.finding.scope.nodes for view in open_ones}
    one = next((each for each in now.nodes_of(found.collected, named) if each.node == name), None)
    if one is None:
        raise Problem(HTTPStatus.NOT_FOUND, "there is no prober on a node of that name")
    leaving = list(all_of(found.collected, name))
    entering = [each for each in _only(all_of(found.collected), "target", name) if each[1].role == PEER]
    failing = [each for each in leaving if judge.fails(each[1])]
    failing += [each for each in entering if judge.fails(each[1]) and each[0].node != name]
    worst, left_out = listed(found, failing, FAILING)
    return NodeDetail(
        node=name,
        zone=one.zone,
        probers=one.probers,
        findings=[view for view in open_ones if view.id in one.findings],
        paths_from=sum(path.role == PEER for _, path in leaving),
        paths_to=len(entering),
        failing=worst,
        left_out=left_out,
    )


def all_of(collected: Collected, source: str | None = None) -> Iterator[Found]:
    """Yield every path, or those from the node `source`. Other requests get their turn in between."""
    for number, state in enumerate(collected.states, 1):
        if source in (None, state.node):
            for path in state.paths:
                yield state, path
        if not number % BATCH:
            gevent.sleep(0)


def _only(found: Iterator[Found], name: str, value: str) -> Iterator[Found]:
    """Yield the paths whose attribute `name` is `value`."""
    return (each for each in found if getattr(each[1], name) == value)


def listed(moment: then.Moment, found: Iterable[Found], most: int) -> tuple[list[Path], int]:
    """Return the worst `most` of `found`, and the number of others. Equally bad ones keep their order."""
    waited, count = moment.collected.waited, 0
    by_letter: dict[str, list[Found]] = {letter: [] for letter in judge.WORST}
    for state, path in found:
        count += 1
        alike = by_letter[judge.letter(path, state, waited.get((state.node, state.network), 0.0))]
        if len(alike) < most:
            alike.append((state, path))
    worst = [each for alike in by_letter.values() for each in alike][:most]
    zones = {state.node: state.zone for state in moment.collected.states}
    records = [record(state, path, waited.get((state.node, state.network), 0.0), zones.get) for state, path in worst]
    if not moment.live:
        records = [msgspec.structs.replace(each, age=None) for each in records]
    return records, count - len(records)


def record(state: State, path: PathState, late: float, zone: Callable[[str], str | None]) -> Path:
    """Return the record of `path`, of the prober `state`, which was made `late` seconds ago."""
    passed = state.at + late
    return Path(
        id=judge.identity(state.node, state.network, path),
        source=state.node,
        network=state.network,
        source_zone=state.zone,
        role=path.role,
        target=path.target,
        target_zone=path.zone or zone(path.target) or "",
        plane=path.plane,
        family=path.family,
        probe=path.probe,
        state=judge.letter(path, state, late),
        outcome=path.last,
        age=round(passed - path.at, 3) if path.last else None,
        attempts=path.attempts,
        failed=path.failed,
        failures=path.failures,
        failing_seconds=round(passed - path.since, 3) if path.streak else 0.0,
        sent=path.sent,
        lost=path.lost,
        requests_lost=path.requests_lost,
        replies_lost=path.replies_lost,
        large=path.large,
        mtu=path.mtu,
        passes=path.passes,
        rtt_p50=path.rtt_p50,
        rtt_p99=path.rtt_p99,
        offender=path.offender,
    )
