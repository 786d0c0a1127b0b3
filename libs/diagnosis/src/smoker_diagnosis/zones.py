"""The zone of each node, and of both ends of each path, kept from look to look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from smoker_diagnosis.evidence import HOST, POD, Cell, Prober
from smoker_diagnosis.part import Part


class Zones:
    """The zones of the nodes that are in `parts`, or that one of these probes and knows the zone of.

    `parts`: of all probers. `to`: the paths by target and prober. Both are the caller's, who changes them.
    """

    def __init__(self, parts: Mapping[Prober, Part], to: Mapping[str, Mapping[Prober, list[Cell]]]) -> None:
        self._parts, self._to = parts, to
        self.of: dict[str, str] = {}  # by node; empty: it has none

    def renew(self, new: Iterable[Part], gone: Iterable[Part]) -> None:
        """Set the zones of the nodes that parts tell which are `new`, or were told by those that are `gone`."""
        new = list(new)
        for node in {node for part in chain(new, gone) for node in (part.state.node, *part.to)}:
            before, zone = self.of.get(node, ""), self._zone(node)
            if zone is None:
                self.of.pop(node, None)
            else:
                self.of[node] = zone
            if before != (zone or ""):
                self._set(node, zone or "")
        for part in new:
            here = self.of.get(part.state.node, "")
            for cell in part.cells:
                cell.source_zone, cell.target_zone = here, self.of.get(cell.target, "")

    def _zone(self, node: str) -> str | None:
        """Return the zone by the node's own probers, or by one that probes it; None: nobody knows such a node."""
        own = [part for network in (POD, HOST) if (part := self._parts.get((node, network))) is not None]
        zone = next((part.state.zone for part in own if part.state.zone), "")
        if not zone:
            told = (self._parts[each].zones.get(node) for each in self._to.get(node, ()))
            zone = next(filter(None, told), "")
        return zone if zone or own else None

    def _set(self, node: str, zone: str) -> None:
        """Set the zone of a node at the ends of all its paths."""
        for network in (POD, HOST):
            part = self._parts.get((node, network))
            for cell in part.cells if part is not None else ():
                cell.source_zone = zone
        for cell in chain.from_iterable(self._to.get(node, {}).values()):
            cell.target_zone = zone
