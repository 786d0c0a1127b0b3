"""Places that fail some of their probes: packets are lost there, and nothing is broken."""

from __future__ import annotations

import pytest

from tests.diagnosis.mesh import Cluster, Link, nodes

NODE = "node-2"


def some(link: Link) -> bool:
    """Return whether `link` is one of half of the paths through the overlay to or from the node."""
    peer = link.target if link.source == NODE else link.source
    return link.touches(NODE) and link.plane == "pod" and (peer == "node-1" or link.source == NODE)


def mesh(*, rounds: int, ago: float) -> Cluster:
    """Return a mesh of four nodes in which UDP fails on these paths for so many rounds, the last time so long ago."""
    return Cluster(nodes(4), services=False).fail(some, ["udp"], rounds=rounds, ago=ago)


def faults(cluster: Cluster) -> set[tuple[str, ...]]:
    """Return the nodes of the places that are named."""
    return {each.scope.nodes for each in cluster.findings() if each.kind == "fault"}


def test_a_place_that_answers_other_probes_since_is_not_broken() -> None:
    """Four of twelve paths failed once, and probes of the others were answered since."""
    assert faults(mesh(rounds=1, ago=25.0)) == set()


@pytest.mark.parametrize(("rounds", "ago"), [(2, 25.0), (1, 5.0)], ids=["repeated", "no answer since"])
def test_a_place_is_named_where_no_loss_explains_the_failures(rounds: int, ago: float) -> None:
    """A repeated probe would be answered where packets get through, and answers from before say nothing."""
    assert faults(mesh(rounds=rounds, ago=ago))
