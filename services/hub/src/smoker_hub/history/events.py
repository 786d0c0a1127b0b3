"""Events between two looks, apart from findings: probers and nodes that appeared, left or fell silent; a blind hub.

What has become of a node in Kubernetes is an event, too, if the hub may read nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from smoker_hub import words
from smoker_hub.collect import Collected, Key
from smoker_hub.hub import Hub
from smoker_hub.nodes import NodeChange

MOST = 100  # events per look; one event sums up the rest


class HistoryEvent(NamedTuple):
    """One event. `subject`: a node, a prober as `node (network)`, a finding's id, or empty."""

    kind: str
    subject: str
    text: str


class HistoryEvents:
    """Compares each look with the one before."""

    def __init__(self) -> None:
        self._probers: frozenset[Key] | None = None
        self._lost: frozenset[Key] = frozenset()
        self._blind = False
        self._of_nodes: list[HistoryEvent] = []

    def note(self, change: NodeChange) -> None:
        """Have the next look return an event of a node that has changed in Kubernetes."""
        self._of_nodes.append(HistoryEvent(f"node_{change.word}", change.name, words.of_node(change)))

    def look(self, hub: Hub) -> list[HistoryEvent]:
        """Return the events since the last call."""
        collected = hub.collected
        found = [*self._of_nodes, *self._all(collected, blind=hub.blind)]
        self._of_nodes.clear()
        self._probers, self._lost, self._blind = _probers(collected), frozenset(collected.lost), hub.blind
        rest = len(found) - MOST
        return found if rest <= 0 else [*found[:MOST], HistoryEvent("more", "", f"{rest} more events in this look")]

    def _all(self, collected: Collected, *, blind: bool) -> Iterator[HistoryEvent]:
        now, before = _probers(collected), self._probers
        if before is None:
            yield HistoryEvent("hub_started", "", f"the hub looks at {len(now)} probers")
            before = now
        if blind != self._blind:
            cut = "the hub is cut off: fewer than half of the probers answer it"
            yield (
                HistoryEvent("hub_blind", "", cut)
                if blind
                else HistoryEvent("hub_sees", "", "the hub hears the probers")
            )
        nodes, nodes_before = ({node for node, _ in each} for each in (now, before))
        for node in sorted(nodes - nodes_before):
            yield HistoryEvent("node_appeared", node, f"{node} has a prober")
        for node in sorted(nodes_before - nodes):
            yield HistoryEvent("node_left", node, f"{node} no longer has a prober")
        for key in sorted(now - before):
            yield HistoryEvent("prober_appeared", _name(key), f"the prober on {_name(key)} is known")
        for key in sorted(before - now):
            yield HistoryEvent("prober_left", _name(key), f"the prober on {_name(key)} is gone")
        for key in sorted((collected.lost - self._lost) & now):
            why = collected.errors.get(key, "it does not answer")
            yield HistoryEvent("prober_silent", _name(key), f"the prober on {_name(key)} is silent: {why}")
        for key in sorted((self._lost - collected.lost) & now):
            yield HistoryEvent("prober_answers", _name(key), f"the prober on {_name(key)} answers again")


def _probers(collected: Collected) -> frozenset[Key]:
    return frozenset({(state.node, state.network) for state in collected.states} | collected.silent.keys())


def _name(key: Key) -> str:
    return f"{key[0]} ({key[1]})"
