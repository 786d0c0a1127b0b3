"""Nodes and echoes that have just started: their paths may fail for a while, which is no fault."""

from __future__ import annotations

from collections.abc import Callable, Collection

from smoker_diagnosis.component import INTO, NODE, ONE_WAY, OUT_OF, PAIR, Scope
from smoker_diagnosis.finding import Finding

NEW = 60.0  # seconds for which a new node has no findings, and an echo that has not answered yet may start
OF_NODES = {NODE, INTO, OUT_OF, PAIR, ONE_WAY}  # kinds of scopes whose `nodes` are nodes
OLD = float("-inf")


class Newcomers:
    """When each node appeared. Nodes of the first look are not new. Instants are of the caller's steady clock."""

    def __init__(self) -> None:
        self._came: dict[str, float] = {}  # by node with a prober

    def note(self, here: Collection[str], now: float) -> None:
        """Note the nodes that are here now."""
        since = now if self._came else OLD
        self._came = {node: self._came.get(node, since) for node in here}

    def is_new(self, node: str, now: float) -> bool:
        """Return whether the node appeared a short while ago."""
        return now - self._came.get(node, OLD) < NEW


def is_starting(finding: Finding) -> bool:
    """Return whether the finding may be an echo that starts."""
    return finding.kind == "service" and finding.from_start and finding.since < NEW


def touches(finding: Finding, passing: Callable[[str], bool]) -> bool:
    """Return whether each place where the finding may be, or each of its paths, has a node that is `passing`."""
    if finding.kind == "unknown":
        ends = [{seen.source, seen.target} for seen in finding.failing]
        return bool(ends) and all(any(map(passing, each)) for each in ends)
    places = finding.one_of or (finding.scope,)
    return all(any(map(passing, nodes_of(scope))) for scope in places)


def nodes_of(scope: Scope) -> tuple[str, ...]:
    """Return the nodes that are at fault."""
    return scope.nodes if scope.kind in OF_NODES else ()
