"""Computes findings from one look at the probers, and from what the hub knows in addition.

Collected ─▶ smoker_diagnosis ─▶ without deleted and new nodes ─▶ findings
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from smoker_common.clock import Clock
from smoker_diagnosis.component import INTO, NODE, OUT_OF
from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.finding import Finding, identity
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.newcomers import Newcomers, is_starting, nodes_of, touches
from smoker_hub import words
from smoker_hub.collect import Collected
from smoker_hub.nodes import Inventory, Node

OF_A_NODE = {NODE, INTO, OUT_OF}


class Diagnosis:
    """Computes the findings of each look. `nodes`: the cluster's nodes, if the hub may read them."""

    def __init__(self, nodes: Inventory | None = None, clock: Clock | None = None) -> None:
        self._nodes, self._clock = nodes, clock or Clock()
        self._evidence = Evidence()
        self._newcomers = Newcomers()

    def look(self, collected: Collected) -> list[Finding]:
        """Return the findings of now, the most severe first."""
        here = {state.node for state in collected.states} | {node for node, _ in collected.silent} | collected.nodes
        self._newcomers.note(here, self._clock.now())
        silent = {key: age for key, age in collected.silent.items() if key not in collected.restarting}
        found = diagnose(
            collected.states,
            collected.waited,
            silent=silent,
            down=self._down(collected),
            evidence=self._evidence,
            leaves=self._loses_pods,
            news=collected.news,
        )
        cluster = next((state.cluster for state in collected.states if state.cluster), "")
        return [self._noted(each, cluster) for each in found if not self._explained(each)]

    def gone(self, finding: Finding) -> bool:
        """Return whether the finding is about a node that was deleted."""
        return any(self._deleted(node) for node in nodes_of(finding.scope))

    def _explained(self, finding: Finding) -> bool:
        """Return whether the cluster explains the finding: a deleted or new node, or an echo that starts."""
        return is_starting(finding) or touches(finding, self._passing)

    def _passing(self, node: str) -> bool:
        return self._deleted(node) or self._newcomers.is_new(node, self._clock.now())

    def _deleted(self, node: str) -> bool:
        return self._nodes is not None and self._nodes.known and self._nodes.get(node) is None

    def _down(self, collected: Collected) -> Mapping[str, int]:
        """Return how many probers are silent of each node that is NotReady, where none of them answers.

        A cordoned node is left out: people shut it down.
        """
        if self._nodes is None or not self._nodes.known:
            return {}
        answering = {state.node for state in collected.states}
        silent = Counter(node for node, _ in collected.lost if node not in answering)
        return {node: count for node, count in silent.items() if _is_down(self._nodes.get(node))}

    def _loses_pods(self, node: str) -> bool:
        """Return whether pods may be leaving the node: it is cordoned, not ready or deleted."""
        if self._nodes is None or not self._nodes.known:
            return False
        known = self._nodes.get(node)
        return known is None or known.cordoned or not known.ready

    def _noted(self, finding: Finding, cluster: str) -> Finding:
        """Return the finding with a note on the state of its node in Kubernetes."""
        if finding.kind == "not_ready":  # it is the same fault as before Kubernetes noticed
            same = identity(cluster, "fault", finding.scope, finding.layer)
            finding = msgspec.structs.replace(finding, id=same)
        node = finding.scope.nodes[0] if finding.scope.kind in OF_A_NODE else ""
        known = self._nodes.get(node) if self._nodes is not None and node else None
        if known is None or known.ready or finding.kind == "silent":
            return finding
        return msgspec.structs.replace(finding, notes=(*finding.notes, words.not_ready(node, known)))


def _is_down(node: Node | None) -> bool:
    return node is not None and not node.ready and not node.cordoned
