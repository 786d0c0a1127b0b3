"""The direction of a fault, by what the responders at both ends heard."""

from __future__ import annotations

import pytest

from smoker_diagnosis.text import headline
from tests.diagnosis.mesh import Cluster, Where, nodes


@pytest.mark.parametrize(
    ("unheard", "direction"),
    [
        pytest.param(lambda link: link.target == "node-2", "in", id="requests into it and replies to it are lost"),
        pytest.param(lambda link: link.source == "node-2", "out", id="requests and replies out of it are lost"),
        pytest.param(lambda link: True, "both", id="no request arrives"),
        pytest.param(lambda link: False, "both", id="no reply arrives"),
    ],
)
@pytest.mark.parametrize("host", [False, True])
def test_direction_by_the_far_end(unheard: Where, direction: str, *, host: bool) -> None:
    """A request that the far end heard has lost its reply. If it did not hear it, the request itself was lost."""
    mesh = Cluster(nodes(8), host=host, services=False).fail(lambda link: link.touches("node-2"))
    mesh.unheard(lambda link: link.touches("node-2") and unheard(link))
    (found,) = mesh.findings()
    assert (found.scope.nodes, found.direction) == (("node-2",), direction)


@pytest.mark.parametrize(
    ("unheard", "direction"),
    [
        pytest.param(lambda link: link.source == "node-4", "in", id="from node-4 to node-5"),
        pytest.param(lambda link: link.source == "node-5", "out", id="from node-5 to node-4"),
        pytest.param(lambda link: True, "both", id="in both directions"),
    ],
)
def test_direction_of_a_pair(unheard: Where, direction: str) -> None:
    """The direction of a pair is that into its second node, or out of it."""
    mesh = Cluster(nodes(8), services=False).fail(lambda link: link.between("node-4", "node-5"))
    mesh.unheard(lambda link: link.between("node-4", "node-5") and unheard(link))
    (found,) = mesh.findings()
    assert (found.scope.nodes, found.direction) == (("node-4", "node-5"), direction)


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize(
    ("fails", "place", "direction"),
    [
        pytest.param(lambda link: link.target == "node-2", "into node-2", "out", id="into a node"),
        pytest.param(lambda link: link.source == "node-2", "out of node-2", "in", id="out of a node"),
        pytest.param(lambda link: link[:2] == ("node-2", "node-3"), "from node-2 to node-3", "out", id="of a pair"),
    ],
)
def test_a_place_with_a_direction_is_not_told_as_the_other_one(
    fails: Where, place: str, direction: str, *, heard: bool
) -> None:
    """Only probes in one direction fail. Where the far end heard them, the sentence says that replies are lost."""
    mesh = Cluster(nodes(8), services=False).fail(lambda link: link.crosses and fails(link))
    if not heard:
        mesh.unheard(lambda link: link.crosses and fails(link))
    (found,) = mesh.findings()
    assert found.direction == (direction if heard else "")
    replies = ", requests arrive but replies do not" if heard else ""
    assert headline(found).startswith(
        f"FAULT {place}: no connection on the node network (below the pods){replies}, for 80 s, "
    )


@pytest.mark.parametrize(("heard", "direction"), [(False, ""), (True, "out")])
def test_direction_where_one_node_alone_probes_the_other(*, heard: bool, direction: str) -> None:
    """A request that did not arrive says nothing about replies: the direction is not known.

    One that did arrive has lost its reply. With bounded peers node-4 probes node-5, and not the other way round.
    """
    mesh = Cluster(nodes(12), services=False).fail(lambda link: link.between("node-4", "node-5"))
    assert not [link for link in mesh.paths if (link.source, link.target) == ("node-5", "node-4")]
    if not heard:
        mesh.unheard(lambda link: link.between("node-4", "node-5"))
    (found,) = mesh.findings()
    assert (found.scope.nodes, found.direction) == (("node-4", "node-5"), direction)
    assert ("in the direction from" in headline(found)) == heard
