"""The bandwidth between two nodes, in the API and as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from smoker_diagnosis.state import Bandwidth
from smoker_hub.hub import Hub
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.stand_ins import ManualClock, hub_of, probers
from tests.hub.test_api import ask

MBIT = 125_000.0  # bytes per second


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub whose prober on node-1 measured node-2 ten minutes ago; the prober on node-2 measured node-1 later."""
    states = Cluster(nodes(3), host=False).states()
    for number, (node, ago, out, back) in enumerate((("node-2", 600.0, 940, 900), ("node-1", 60.0, 0, 500))):
        at = states[number].at - ago
        measured = Bandwidth(node, "pod", "ipv4", at, out * MBIT, back * MBIT, 0, 7)
        states[number] = msgspec.structs.replace(states[number], bandwidth=[measured])
    with probers(states) as found:
        made = hub_of(found, ManualClock())
        made.look()
        yield made


def bandwidth(hub: Hub, query: str) -> list[dict[str, Any]]:
    status, body, _ = ask(hub, "/api/v1/paths", query=query)
    assert status == 200
    found: list[dict[str, Any]] = json.loads(body)["bandwidth"]
    return found


def test_the_newest_transfer_of_a_direction_counts(hub: Hub) -> None:
    """Bytes from node-1 to node-2 are measured by both; a direction that only one measured keeps that rate."""
    (there,) = bandwidth(hub, "from=node-1&to=node-2")
    assert there == {
        "source": "node-1",
        "target": "node-2",
        "plane": "pod",
        "family": "ipv4",
        "rate": 500 * MBIT,
        "retransmits": 7,
        "age": 60.0,
        "measured_by": "node-2",
    }
    (back,) = bandwidth(hub, "from=node-2&to=node-1")
    assert (back["rate"], back["age"], back["measured_by"]) == (900 * MBIT, 600.0, "node-1")


def test_the_parameters_count(hub: Hub) -> None:
    """Bandwidth is between the ends, in the plane and family that are asked for, and belongs to no other probe."""
    assert [(each["source"], each["age"]) for each in bandwidth(hub, "")] == [("node-1", 60.0), ("node-2", 600.0)]
    assert len(bandwidth(hub, "limit=1")) == 1
    assert len(bandwidth(hub, "probe=bandwidth&plane=pod&family=ipv4&to=node-1")) == 1
    for query in ("from=node-3", "to=node-3", "plane=host", "family=ipv6", "probe=udp"):
        assert bandwidth(hub, query) == []


def test_as_text_it_is_a_line_below_the_paths(hub: Hub) -> None:
    """The line has both ends, the rate, its age and who measured: kubectl smoker path prints it."""
    _, body, _ = ask(hub, "/api/v1/paths", query="from=node-1&to=node-2&format=text")
    assert body.decode().splitlines()[-1] == (
        "Bandwidth node-1 to node-2, pod, ipv4: 500 Mbit/s, 7 segments sent again, measured 60 s ago by node-2"
    )
