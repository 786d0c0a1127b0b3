"""Every panel shows something: a real Prometheus answers its queries, from a real run with failures."""

from __future__ import annotations

import time

import pytest

from tests.conftest import eventually

from .grafana import LABEL_VALUES, Query, dashboards, queries, substituted, variables
from .prometheus import Series
from .scene import MEETINGS, NAMESPACE, NODES, PEER, PROBES, RELEASE, Scene

#: What Grafana would put there: all nodes, probes and targets; a step of 30 s on a range of a quarter of an hour.
WHOLE = {
    "namespace": NAMESPACE,
    "instance": RELEASE,
    **dict.fromkeys(("node", "probe", "target", "plane", "family"), ".*"),
    "window": "5m",
    "__interval": "30s",
    "__rate_interval": "2m",
    "__range": "900s",
}
#: Where a variable has one value at a time: a node in health, and its path by each probe, to the Service and to a peer.
ONE_PATH = [{**WHOLE, "node": "node-1", "probe": probe, "target": target} for probe, target in PROBES.items()]
TO_PEER = {"target": PEER, "plane": "pod", "family": "ipv4"}
ONE_PATH += [{**WHOLE, "node": "node-1", "probe": probe, **TO_PEER} for probe in ("tcp", "udp")]
#: Metrics that some probes alone have, by docs/metrics.md: trains are UDP's, segments are TCP's.
OF_TRAINS = (
    "smoker_probe_loss_ratio",
    "smoker_probe_jitter_seconds",
    "smoker_probe_packets_total",
    "smoker_probe_duplicates_total",
    "smoker_probe_reordered_total",
    "smoker_probe_unreadable_total",
)
OF_TCP = ("smoker_probe_retransmits_total",)
#: There only where the kernel counts it, which is not so outside of every cgroup with a CPU controller.
OF_CGROUPS = "smoker_prober_throttled_seconds_total"
#: There only with a mesh, which the probers of this scene do not have.
OF_A_MESH = ("smoker_prober_peers", "smoker_prober_discovery_stale_seconds")


def answer(scene: Scene, query: Query, values: dict[str, str]) -> list[Series]:
    """Return the data that a panel would get."""
    expr = query.with_values(values)
    if query.instant:
        return scene.prometheus.instant(expr)
    return scene.prometheus.over(expr, scene.began, time.time(), 1)


def wait_for_answer(scene: Scene, query: Query, values: dict[str, str]) -> None:
    """Wait until the answer is not empty; fail if it stays empty."""
    eventually(f"an answer to {query.with_values(values)}", lambda: answer(scene, query, values))


def label_values(scene: Scene, query: str) -> set[str]:
    """Return the result of Grafana's function of that name."""
    found = LABEL_VALUES.fullmatch(query)
    assert found, query
    return set(scene.prometheus.label_values(found["series"], found["label"]))


def is_throttled(scene: Scene) -> bool:
    """Return whether the probers here serve the metric that not every machine has."""
    return all(OF_CGROUPS in prober.get("/metrics")[1] for prober in scene.probers.values())


def has_it(probe: str, query: Query) -> bool:
    """Return whether results of this probe have the data that a query needs."""
    wanted = OF_TCP if probe == "udp" else OF_TRAINS
    return not any(metric in query.expr for metric in wanted)


@pytest.mark.parametrize("query", [q for q in queries() if q.dashboard != "path"], ids=str)
def test_all_nodes(scene: Scene, query: Query) -> None:
    """With everything selected every query has an answer, except throttling without a limit and a mesh."""
    if any(metric in query.expr for metric in OF_A_MESH):
        assert answer(scene, query, WHOLE) == []
        return
    if OF_CGROUPS in query.expr and not is_throttled(scene):
        assert not answer(scene, query, WHOLE)
        return
    wait_for_answer(scene, query, WHOLE)


@pytest.mark.parametrize("values", ONE_PATH, ids=lambda values: f"{values['probe']} {values['target']}")
@pytest.mark.parametrize("query", [q for q in queries() if q.dashboard == "path"], ids=str)
def test_one_path(scene: Scene, query: Query, values: dict[str, str]) -> None:
    """For one path every query has an answer, except data that its probe does not have."""
    if has_it(values["probe"], query):
        wait_for_answer(scene, query, values)
    else:
        assert not answer(scene, query, values)


@pytest.mark.parametrize("name", dashboards())
def test_variables(scene: Scene, name: str) -> None:
    """Each variable has values to select, and only existing ones."""
    expected = {"namespace": {NAMESPACE}, "instance": {RELEASE}, "node": set(NODES), "probe": set(PROBES)}
    expected["target"] = (
        {PROBES["tcp"], PEER} if name == "path" else {*PROBES.values(), *(target for _, target in MEETINGS)}
    )
    expected |= {"plane": {"pod"}, "family": {"ipv4"}}
    chosen = {**WHOLE, "node": "node-1", "probe": "tcp", "target": PEER}
    asked = {v["name"]: v["query"]["query"] for v in variables(dashboards()[name]) if v["type"] == "query"}

    def choices() -> dict[str, set[str]]:
        return {variable: label_values(scene, substituted(query, chosen)) for variable, query in asked.items()}

    eventually("every variable is complete", lambda: choices() == {variable: expected[variable] for variable in asked})


def test_the_matrix_shows_failing_pairs(scene: Scene) -> None:
    """The overview's table lists only the broken path."""
    (query,) = (q for q in queries() if q.panel == "Who fails to whom")

    def share() -> dict[tuple[str, str], float]:
        return {(of["node"], of["path"]): points[-1][1] for of, points in answer(scene, query, WHOLE)}

    paths = {(node, f"{probe} service") for node in NODES for probe in PROBES}
    paths |= {("node-1", f"{probe} host-service") for probe in PROBES}
    paths |= {(node, f"{probe} pod") for node, _ in MEETINGS for probe in PROBES}
    eventually("every path has its share", lambda: set(share()) == paths)
    broken = {("node-3", "tcp service"), ("node-3", "tcp pod")}
    assert {path for path, value in share().items() if value == 1} == broken


def test_the_alert(scene: Scene) -> None:
    """The chart's rules find the broken path, and the overview lists it."""
    (query,) = (q for q in queries() if (q.dashboard, q.panel) == ("overview", "Alerts"))
    fired = {"alertname": "SmokerProbeFailing", "alertstate": "firing", "severity": "warning", "node": "node-3"}
    fired |= {"probe": "tcp", "target": PROBES["tcp"]}
    eventually("it fires", lambda: fired in [labels for labels, _ in answer(scene, query, WHOLE)])


def test_node_by_node(scene: Scene) -> None:
    """The overview's matrix has exactly the cells of the nodes that probe another one."""
    (query,) = (q for q in queries() if q.panel == "Node by node")

    def cells() -> dict[tuple[str, str], float]:
        return {(of["node"], of["target"]): points[-1][1] for of, points in answer(scene, query, WHOLE)}

    eventually("every pair has its cell", lambda: set(cells()) == set(MEETINGS))
    eventually("one of them fails", lambda: cells() == {pair: float(pair == ("node-3", PEER)) for pair in MEETINGS})


def test_what_the_hub_finds(scene: Scene) -> None:
    """The overview names the hub's finding with its confidence, and counts it."""
    tile, *table = (q for q in queries() if q.panel in ("Findings", "Open findings"))
    eventually("the hub has found something", lambda: answer(scene, tile, WHOLE)[0][1][-1][1] >= 1)
    open_ones, sure = (answer(scene, query, WHOLE) for query in table)
    assert {of["finding"] for of, _ in open_ones} == {of["finding"] for of, _ in sure}
    assert all(of["scope"] and of["severity"] for of, _ in open_ones)


def test_paths_to_one_target(scene: Scene) -> None:
    """Two paths to one target are two lines, by plane and family; a pod's path to the Service has neither."""
    (query,) = (q for q in queries() if (q.dashboard, q.panel) == ("overview", "Slowest paths"))
    wanted = {("tcp", PROBES["tcp"]), ("tcp host-service", PROBES["tcp"]), ("tcp pod ipv4", PEER)}

    def ways() -> set[tuple[str, str]]:
        values = {**WHOLE, "node": "node-1", "probe": "tcp"}
        return {(of["way"], of["target"]) for of, _ in answer(scene, query, values)}

    eventually("every way has its line", lambda: ways() == wanted)
