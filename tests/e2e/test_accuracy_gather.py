"""Where the row "a drained node with the only echo and the hub" puts them; it needs no cluster."""

from __future__ import annotations

from typing import Any, cast

import pytest

from smoker_diagnosis.state import State
from tests.diagnosis.mesh import Cluster
from tests.e2e.accuracy import gather
from tests.e2e.accuracy.faults import drained_with_the_hub
from tests.e2e.accuracy.lab import DnsPod, Lab

NODES = ["node-1", "node-2", "node-3"]


def node(name: str, *effects: str) -> dict[str, Any]:
    """A node as the cluster writes it, with taints."""
    return {"metadata": {"name": name}, "spec": {"taints": [{"effect": each} for each in effects]} if effects else {}}


class Recorded:
    """A lab that notes what is done. Its echoes answer on the node to which they were moved."""

    nodes, victim = NODES, "node-2"

    def __init__(self, dns: str = "node-1") -> None:
        self.dns, self.done = dns, list[str]()

    def dns_pods(self) -> list[DnsPod]:
        return [DnsPod(self.dns, "10.0.0.1", "coredns")]

    def restart(self, *targets: str) -> None:
        self.done.append(f"restart {' '.join(targets)}")

    def drain(self, node: str) -> None:
        self.done.append(f"drain {node}")

    def await_pods(self, component: str) -> None:
        self.done.append(f"await {component}")

    def states(self) -> list[State]:
        cluster = Cluster(NODES)
        for each in NODES:
            cluster.change(each, echoes={"tcp": ["node-2"], "udp": ["node-2"], "http": ["node-2"]})
        return cluster.states()


@pytest.mark.parametrize(
    ("tainted", "dns", "wanted"),
    [((), "node-1", "node-2"), (("node-2",), "node-1", "node-3"), (("node-2", "node-3"), "node-1", "node-1")],
)
def test_the_node_of_the_drain(
    monkeypatch: pytest.MonkeyPatch, tainted: tuple[str, ...], dns: str, wanted: str
) -> None:
    """It is the victim, on which nothing stands afterwards; where it takes no pods, a node without a DNS server."""
    found = [node(each, *(["NoSchedule"] if each in tainted else ["PreferNoSchedule"])) for each in NODES]
    monkeypatch.setattr(gather, "items", lambda *_: found)
    assert gather.home(cast(Lab, Recorded(dns))) == wanted


def test_the_pods_are_gathered_and_drained_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other nodes take no pods while these move, and take them again before the drain."""
    lab = Recorded()
    monkeypatch.setattr(gather, "items", lambda *_: [node(each) for each in NODES])
    monkeypatch.setattr(gather, "run", lambda *command: lab.done.append(" ".join(command[1:])))
    drained_with_the_hub(cast(Lab, lab))
    assert lab.done == [
        "cordon node-1",
        "cordon node-3",
        "restart deployment/tcp-echo deployment/udp-echo deployment/http-echo deployment/hub",
        "uncordon node-3",
        "uncordon node-1",
        "drain node-2",
        "await hub",
    ]
