"""The cluster's nodes as Kubernetes sees them: ready, cordoned, new, deleted.

/api/v1/nodes ─▶ Watch ─▶ Node by name ─▶ what changed, a log line each

The hub works without the right to read them: then no node is known, and none is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from smoker_kube.api import Api
from smoker_kube.slices import of
from smoker_kube.watch import Watch

PATH = "/api/v1/nodes"

Word = Literal["added", "deleted", "ready", "not_ready", "cordoned", "uncordoned"]


class Node(NamedTuple):
    """One node. `since`: date of its last change of readiness (seconds since the epoch), 0 if unknown."""

    ready: bool
    reason: str = ""  # of a node that is not ready, in the API's word
    since: float = 0.0
    cordoned: bool = False


class NodeChange(NamedTuple):
    """What has become of a node."""

    word: Word
    name: str
    node: Node


class Inventory(Protocol):
    """What the diagnosis asks about nodes."""

    @property
    def known(self) -> bool:
        """Return whether the nodes are known."""

    def get(self, name: str) -> Node | None:
        """Return a node, None where it is not in the cluster or not known."""


def node_of(item: Any) -> Node:
    """Return a Node object as data. Nothing that the API server sends raises."""
    spec = of(item, "spec", dict)
    ready: Any = {}
    for condition in of(of(item, "status", dict), "conditions", list):
        if of(condition, "type", str) == "Ready":
            ready = condition
    return Node(
        ready=of(ready, "status", str) == "True",
        reason=of(ready, "reason", str)[:100],
        since=_date(of(ready, "lastTransitionTime", str)),
        cordoned=spec.get("unschedulable") is True,
    )


def changes(before: Mapping[str, Node], now: Mapping[str, Node]) -> Iterator[NodeChange]:
    """Yield what has changed between two inventories."""
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if new is None and old is not None:
            yield NodeChange("deleted", name, old)
        elif old is None and new is not None:
            yield NodeChange("added", name, new)
        elif old is not None and new is not None:
            if old.ready != new.ready:
                yield NodeChange("ready" if new.ready else "not_ready", name, new)
            if old.cordoned != new.cordoned:
                yield NodeChange("cordoned" if new.cordoned else "uncordoned", name, new)


class Nodes:
    """Watches the nodes, and calls each of `tells` with each change after the first list."""

    def __init__(self, api: Api, *tells: Callable[[NodeChange], None]) -> None:
        self._tells = list(tells)
        self._nodes: dict[str, Node] = {}
        self._listed = False
        self._watch = Watch(
            api,
            PATH,
            keep=node_of,
            changed=self._changed,
            what="Nodes",
            meanwhile="the hub works without it",
        )
        self.start, self.close = self._watch.start, self._watch.close

    @property
    def known(self) -> bool:
        """Whether the API server has ever listed them."""
        return self._watch.known

    def get(self, name: str) -> Node | None:
        """Return a node, None where it is not in the cluster or not known."""
        return self._nodes.get(name)

    def follow(self, tell: Callable[[NodeChange], None]) -> None:
        """Call `tell`, too, with each change from now on."""
        self._tells.append(tell)

    def items(self) -> Mapping[str, Node]:
        """Return every node by name."""
        return self._nodes

    def _changed(self, nodes: Mapping[str, Node]) -> None:
        before, self._nodes = self._nodes, dict(nodes)
        if self._listed:
            for change in changes(before, self._nodes):
                for tell in self._tells:
                    tell(change)
        self._listed = True


def _date(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
