"""What stays the same while the same probers probe the same paths: it changes only where probers come or go."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import chain

from smoker_diagnosis.evidence import HOST, POD, Cell, Prober
from smoker_diagnosis.part import Part


class Layout:
    """The paths of `parts`, by prober, and the nodes at their ends. The caller adds and removes the parts there.

    Public fields are as in `Mesh`.
    """

    def __init__(self, parts: Mapping[Prober, Part]) -> None:
        self._parts = parts
        self._far: Counter[Prober] = Counter()  # how many probers probe each
        self.to: dict[str, dict[Prober, list[Cell]]] = {}
        self.planes: Counter[str] = Counter()
        self.directed = 0
        self.services: list[Cell] = []
        self.resolvers: list[Cell] = []
        self.zones: dict[str, str] = {}
        self.answering: set[str] = set()
        self.nodes: set[str] = set()
        self.silent: dict[Prober, float] = {}

    def add(self, part: Part) -> None:
        """Add the paths of `part`."""
        node, network = part.prober
        self._far.update(part.far)
        self.planes.update(part.planes)
        for target, cells in part.to.items():
            probers = self.to.setdefault(target, {})
            self.directed += not _from_node(probers, node)
            probers[node, network] = cells

    def remove(self, part: Part) -> None:
        """Take the paths of `part` out."""
        node, network = part.prober
        self._far.subtract(part.far)
        self.planes.subtract(part.planes)
        for target in part.to:
            probers = self.to[target]
            if probers.pop((node, network), None) is not None:
                self.directed -= not _from_node(probers, node)
            if not probers:
                del self.to[target]

    def settle(self, new: Collection[Part], gone: Collection[Part]) -> None:
        """Renew what all parts make up together, after those in `new` have come and those in `gone` are gone."""
        if not (new or gone):
            return
        changed = [*new, *gone]
        for prober in {each for part in changed for each in (part.prober, *part.far)}:
            if self._far[prober] and prober not in self._parts:
                self.silent[prober] = math.inf
            else:
                self.silent.pop(prober, None)
        for node in {node for part in changed for node in (part.state.node, *part.to)}:
            self._settle_node(node)
        for part in new:
            here = self.zones.get(part.state.node, "")
            for cell in part.cells:
                cell.source_zone, cell.target_zone = here, self.zones.get(cell.target, "")
        self.services, self.resolvers = [], []
        for part in self._parts.values():
            self.services += part.services
            self.resolvers += part.resolvers

    def _settle_node(self, node: str) -> None:
        """Renew what is known of a node, and set its zone at the ends of all its paths if it is another than before."""
        own = [part for network in (POD, HOST) if (part := self._parts.get((node, network))) is not None]
        zone, before = self._zone(node, own), self.zones.get(node, "")
        _set(self.answering, node, bool(own))
        _set(self.nodes, node, bool(own) or node in self.to)
        if own or zone:
            self.zones[node] = zone
        else:
            self.zones.pop(node, None)
        if zone != before:
            for cell in chain.from_iterable(part.cells for part in own):
                cell.source_zone = zone
            for cell in chain.from_iterable(self.to.get(node, {}).values()):
                cell.target_zone = zone

    def _zone(self, node: str, own: Iterable[Part]) -> str:
        """Return the zone of a node, by its `own` probers or else by one that probes it; empty where nobody knows."""
        zone = next((part.state.zone for part in own if part.state.zone), "")
        told = (self._parts[each].zones.get(node) for each in self.to.get(node, ()))
        return zone or next(filter(None, told), "")


def _set(some: set[str], node: str, there: bool) -> None:
    """Add `node` to `some`, or remove it."""
    (some.add if there else some.discard)(node)


def _from_node(probers: Mapping[Prober, list[Cell]], node: str) -> bool:
    """Return whether one of `probers` is on `node`."""
    return (node, POD) in probers or (node, HOST) in probers
