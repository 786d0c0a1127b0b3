"""What a prober notes of the echo services' pods."""

from __future__ import annotations

from smoker_diagnosis.state import EchoMove
from smoker_prober.peers.echo_places import EchoPlaces, Pods


def pods(**nodes: str) -> dict[str, Pods]:
    """Return one pod of each probe's echo service, on this node."""
    return {probe: frozenset({(node, f"{probe} on {node}")}) for probe, node in nodes.items()}


def test_the_first_list_is_no_move() -> None:
    """A prober that starts does not know where the pods were, nor whether they are new."""
    places = EchoPlaces()
    places.see(pods(tcp="node-1"), 10.0)
    assert (places.now, places.moves, places.replaced) == ({"tcp": ["node-1"]}, {}, {"tcp": 10.0})


def test_a_move_begins_when_the_pods_leave_and_ends_when_they_are_ready() -> None:
    """While no pod is ready the move goes on; its nodes are those before. Other echoes have not moved."""
    places = EchoPlaces()
    places.see(pods(tcp="node-1", udp="node-2"), 10.0)
    places.see(pods(udp="node-2"), 20.0)
    assert places.moves == {"tcp": EchoMove(20.0, 20.0, ["node-1"])}
    places.see(pods(udp="node-2"), 22.0)
    assert places.moves == {"tcp": EchoMove(20.0, 20.0, ["node-1"])}
    places.see(pods(tcp="node-3", udp="node-2"), 25.0)
    assert places.moves == {"tcp": EchoMove(25.0, 20.0, ["node-1"])}


def test_the_next_move_replaces_the_last_one() -> None:
    """A second drain is a move from the second node."""
    places = EchoPlaces()
    for at, node in enumerate(("node-1", "node-2", "", "node-3")):
        places.see(pods(tcp=node) if node else {}, float(at))
    assert places.moves == {"tcp": EchoMove(3.0, 2.0, ["node-2"])}


def test_pods_that_start_after_the_prober_have_no_node_before() -> None:
    """The instant counts: what failed before it failed because there was no pod."""
    places = EchoPlaces()
    places.see({}, 10.0)
    places.see(pods(tcp="node-1"), 20.0)
    assert places.moves == {"tcp": EchoMove(20.0, 20.0, [])}


def test_a_pod_that_is_replaced_on_its_node_has_not_moved() -> None:
    """Its address is another one: that is no move, but connections to the old pod are lost."""
    places = EchoPlaces()
    for at, address in ((10.0, "10.0.0.1"), (20.0, "10.0.0.2"), (30.0, "10.0.0.2")):
        places.see({"udp": frozenset({("node-1", address)})}, at)
    assert (places.moves, places.replaced) == ({}, {"udp": 20.0})
