"""Probers and nodes that are silent: a process that hangs, a node that Kubernetes has given up."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from smoker_diagnosis.state import Left, State
from tests.bench.diagnosis.faults import Fault, a_node, kind
from tests.bench.diagnosis.truth import Accept
from tests.bench.diagnosis.world import INTERVAL, NOW, PROBES, World


@kind("hung prober")
def hung(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """A prober answers its peers and serves its state, but probes no longer."""
    node = a_node(world, chance, taken)
    if node is None:
        return None

    def edit(_world: World, state: State, _chance: random.Random) -> State:
        if state.node != node or state.network != "pod":
            return state
        old = [msgspec.structs.replace(path, at=path.at - 6 * INTERVAL) for path in state.paths]
        return msgspec.structs.replace(state, paths=old)

    return Fault(f"prober of {node} hangs", [Accept("node", (node,), what="silent")], edit=edit)


@kind("prober accepts and does not answer")
def mute(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """A prober whose kernel completes handshakes, but which answers nothing and serves no state."""
    node = a_node(world, chance, taken)
    if node is None:
        return None

    def change(world: World, paths: Any, _chance: random.Random) -> None:
        for link in world.of_node[node]:
            if link.target == node and link.ends[1] == "pod":
                place = world.place[link.source, link.ends[0]]
                state = world.states[place]
                for offset, probe in enumerate(PROBES):
                    path = state.paths[link.place + offset]
                    paths.setdefault(place, {})[link.place + offset] = msgspec.structs.replace(
                        path,
                        last="timeout",
                        failures={"timeout": 3},
                        streak=3,
                        since=path.at - 2 * INTERVAL,
                        connected=probe != "udp",
                    )

    accept = [Accept("node", (node,), what="silent")]
    return Fault(f"prober of {node} accepts and does not answer", accept, gone=frozenset({node}), change=change)


@kind("silent prober")
def silent(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """Peers reach the prober, but the hub gets no state from it."""
    node = a_node(world, chance, taken)
    if node is None:
        return None
    return Fault(f"prober of {node} is silent", [Accept("node", (node,), what="silent")], gone=frozenset({node}))


@kind("node NotReady and gone from the mesh")
def not_ready(world: World, chance: random.Random, taken: set[str]) -> Fault | None:
    """The node's peers saw it fail and then stopped probing it."""
    node = a_node(world, chance, taken)
    if node is None:
        return None
    accept = [Accept("node", (node,), layers=frozenset({"network", "overlay"}))]
    lost = frozenset({node})
    return Fault(
        f"{node} is not ready", accept, gone=lost, not_ready=lost, change=leaving(node), edit=left(node, failing=True)
    )


def leaving(node: str) -> Any:
    """Return the change of a mesh in which nobody probes `node` any longer."""

    def change(world: World, paths: Any, _chance: random.Random) -> None:
        for link in world.of_node[node]:
            if link.target == node:
                place = world.place[link.source, link.ends[0]]
                for offset in range(3):
                    paths.setdefault(place, {})[link.place + offset] = None

    return change


def left(node: str, *, failing: bool) -> Any:
    """Return the edit of the states of the probers that probed `node`."""

    def edit(world: World, state: State, chance: random.Random) -> State:
        probed = {
            link.ends[1]
            for link in world.of_node[node]
            if link.target == node and (link.source, link.ends[0]) == (state.node, state.network)
        }
        if not probed or state.node == node:
            return state
        ago = chance.uniform(20.0, 90.0)
        clock = world.clocks[state.node, state.network]
        gone = [Left(node, network, NOW + clock - ago, failing) for network in sorted(probed)]
        return msgspec.structs.replace(state, left=gone)

    return edit
