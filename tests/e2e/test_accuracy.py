"""The diagnosis on a real cluster: some faults of `make e2e-accuracy`, each named right and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.accuracy.__main__ import await_health, one
from tests.e2e.accuracy.lab import Lab
from tests.e2e.accuracy.rows import ROWS, Row
from tests.e2e.cluster import fresh_namespace
from tests.e2e.release import Release

VALUES = {"hostNetwork.enabled": True, "prober.intervalSeconds": 5, "prober.timeoutSeconds": 1}
LEAST = 12  # faults in the gate
IN_THE_GATE = (
    "overlay of a node",
    "overlay of a pair, one way",
    "overlay between zones",
    "loss of 20 % into a node",
    "UDP alone at a node",
    "large packets of a pair",
    "Services on a node",
    "host firewall of a node",
    "policy: into all probers",
    "policy: one pod",
    "an echo without pods",
    "one DNS replica",
    "IPv6 alone at a node",
)


@pytest.fixture(scope="module")
def lab(images: dict[str, object], helm: str, nodes: set[str]) -> Iterator[Lab]:
    """A release on the pod and the host network."""
    assert len(nodes) >= 4, "these tests need four nodes"
    with fresh_namespace(level="privileged") as namespace:
        release = Release("smoker", namespace, helm, {**VALUES, **images})
        release.install()
        yield Lab(release, nodes)


@pytest.mark.cluster
@pytest.mark.parametrize("row", [row for row in ROWS if row.name in IN_THE_GATE], ids=lambda row: row.name)
def test_the_hub_names_the_fault_and_closes_it(lab: Lab, row: Row) -> None:
    """The hub opens a finding that names the fault with place and layer, names nothing else, and closes it."""
    assert await_health(lab), "the mesh was not healthy before"
    outcome = one(row, lab, patience=60 if row.right else 20)
    assert outcome.word == "right", "\n".join([outcome.word, *outcome.said, *outcome.seen])
    assert outcome.closed is not None, "the finding stayed open"


def test_the_gate_runs_at_least_twelve_faults() -> None:
    """Each name above is a row, and at least twelve of these rows break something. This needs no cluster."""
    rows = {row.name: row for row in ROWS}
    assert set(IN_THE_GATE) <= rows.keys()
    assert len({name for name in IN_THE_GATE if rows[name].right}) >= LEAST
