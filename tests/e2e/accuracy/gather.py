"""Move the only pod of each echo and the hub to one node, as in a small cluster, so that one drain ends them all."""

from __future__ import annotations

from contextlib import ExitStack

from smoker_diagnosis.state import SERVICE
from tests.e2e.accuracy.lab import ADMIN, Lab
from tests.e2e.cluster import Object, eventually, items
from tests.images.command import run

GATHERED = ("tcp-echo", "udp-echo", "http-echo", "hub")


def home(lab: Lab) -> str:
    """Return a node to which pods can be scheduled: the victim, otherwise one without a DNS server."""
    dns = {each.node for each in lab.dns_pods()}
    tainted = {each["metadata"]["name"] for each in items("nodes") if is_tainted(each)}
    return min((each for each in lab.nodes if each not in tainted), key=lambda node: (node != lab.victim, node in dns))


def gather(lab: Lab, node: str) -> None:
    """Move the pods to `node`, and wait until every prober reaches the echoes there."""
    with ExitStack() as undo:
        for other in lab.nodes:
            if other != node:
                undo.callback(run, "kubectl", "uncordon", other)
                run("kubectl", "cordon", other)
        lab.restart(*(f"deployment/{each}" for each in GATHERED))
    eventually(f"the echoes on {node} answer", 90, lambda: _answer_on(lab, node))


def _answer_on(lab: Lab, node: str) -> None:
    states = lab.states()
    assert len(states) == len(ADMIN) * len(lab.nodes), "not every prober answers"
    for state in states:
        places = {each for places in state.echoes.values() for each in places}
        assert places == {node}, f"the echoes are on {places}"
        failing = [path.probe for path in state.paths if path.role == SERVICE and path.streak]
        assert not failing, f"{failing} fail from {state.node}"


def is_tainted(node: Object) -> bool:
    """Return whether Kubernetes schedules no ordinary pod to the node."""
    return any(taint["effect"] in ("NoSchedule", "NoExecute") for taint in node["spec"].get("taints", ()))
