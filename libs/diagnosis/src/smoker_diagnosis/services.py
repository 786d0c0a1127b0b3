"""What is wrong with the paths to the echo services: the DNS, Services on a node, one echo; or nothing of their own.

A Service path fails, too, where the network between its source and the echo's node does. That is told first, so that a
dead node is not called a fault of the DNS.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from smoker_diagnosis.component import ALL, NETWORK, NODE, OVERLAY, PODS, SERVICE, Scope
from smoker_diagnosis.evidence import DNS, ECHO, HTTP, TCP, UDP, Cell, Mesh
from smoker_diagnosis.explain import Blamed

MOST_OF = 0.8  # share of paths that makes "every"
SOME = (0.15, 0.85)  # share of look-ups that fail where one DNS server of several does
ENOUGH = 8  # look-ups before such a share says anything
CHANCE = 1e-3  # that a node is blamed for look-ups that all met a DNS server that does not answer
CERTAIN = 2  # failures in a row, where a single path is all that fails

LAYER_DNS, LAYER_SERVICE = "dns", "service"


@dataclass(slots=True)
class Service:
    """A fault of the DNS or of Services. `bits`: the probes that fail, `share` of them where not all do."""

    scope: Scope
    layer: str
    bits: int
    cells: list[Cell]  # that fail
    of: int  # paths that could
    confidence: float
    share: float = 1.0
    note: str = ""


def find_services(mesh: Mesh, blamed: Sequence[Blamed]) -> tuple[list[Service], list[Cell]]:
    """Return what is wrong with Services and the DNS, and the paths that the faults in `blamed` explain."""
    follows = _Follows(mesh, blamed)
    found: list[Service] = []
    found += _dns(mesh, follows)
    explained_dns = {id(cell) for each in found for cell in each.cells}
    failing = [cell for cell in mesh.services if cell.bad & ECHO]
    for bit in (TCP, UDP, HTTP):
        bad = [cell for cell in failing if cell.bad & bit]
        known = [cell for cell in mesh.services if cell.known & bit]
        if follows.target(bit, bad, known):
            continue
        own = [cell for cell in bad if not follows.source(cell)]
        others = [cell for cell in known if not follows.source(cell)]
        if own and len(own) >= MOST_OF * len(others) and (len(others) > 1 or _again(own, bit)):
            found.append(Service(Scope(SERVICE), LAYER_SERVICE, bit, own, len(others), 0.97))
    found = _merged(found, mesh)
    explained = explained_dns | {id(cell) for each in found for cell in each.cells}
    for cell in failing:
        # One node alone: what translates Services there does not.
        if id(cell) not in explained and not follows.source(cell) and not cell.known & ECHO & ~cell.bad:
            if _again([cell], cell.bad & ECHO) and not any(
                follows.target(bit, [cell], []) for bit in cell.failing(ECHO)
            ):
                found.append(_on_node(mesh, cell))
                explained.add(id(cell))
    return found, [cell for cell in failing if follows.source(cell)]


def _on_node(mesh: Mesh, cell: Cell) -> Service:
    of = sum(one.source == cell.source for one in mesh.services)
    note = "the API server, another Service, does not answer there either" if cell.source in mesh.without_api else ""
    return Service(Scope(NODE, (cell.source,)), LAYER_SERVICE, cell.bad & ECHO, [cell], of, 0.95, note=note)


def _merged(found: list[Service], mesh: Mesh) -> list[Service]:
    """Return one fault where every echo service fails for everybody."""
    services = [each for each in found if each.layer == LAYER_SERVICE]
    bits = 0
    for cell in mesh.services:
        bits |= cell.known & ECHO
    together = 0
    for each in services:
        together |= each.bits
    if len(services) < 2 or together != bits:
        return found
    cells = list({id(cell): cell for each in services for cell in each.cells}.values())
    whole = Service(Scope(SERVICE), LAYER_SERVICE, ECHO, cells, len(mesh.services), 0.97)
    return [*(each for each in found if each.layer != LAYER_SERVICE), whole]


def _dns(mesh: Mesh, follows: _Follows) -> list[Service]:
    bad = [cell for cell in mesh.services if cell.bad & DNS]
    own = [cell for cell in bad if not follows.source(cell)]
    others = [cell for cell in mesh.services if cell.known & (DNS | ECHO) and not follows.source(cell)]
    # Every look-up of these fails; of others some were answered, perhaps by another DNS server.
    whole = [cell for cell in own if not cell.known & ECHO]
    if whole and len(whole) >= MOST_OF * len(others):
        if follows.may_host_dns(bad) or (len(whole) == 1 and not _again(whole, DNS)):
            return []
        scope = Scope(ALL) if len(others) > 1 else Scope(NODE, (whole[0].source,))
        return [Service(scope, LAYER_DNS, DNS, own, len(others), 0.97 if len(others) > 1 else 0.9)]
    partly = [cell for cell in own if cell.known & ECHO]
    nodes = {cell.source for cell in whole} - {cell.source for cell in others if cell.known & ECHO}
    if follows.nodes or partly:  # a DNS server may be down: a node can have met no other by chance
        rare = math.log(CHANCE / max(len(others), 1)) / math.log(0.5)
        nodes = {node for node in nodes if sum(c.streaks[DNS] for c in whole if c.source == node) > rare}
    else:
        nodes = {node for node in nodes if _again([c for c in whole if c.source == node], DNS)}
    found = [] if follows.nodes else _one_of_several([c for c in own if c.source not in nodes], others)
    for node in sorted(nodes):
        cells = [cell for cell in whole if cell.source == node]
        found.append(Service(Scope(NODE, (node,)), LAYER_DNS, DNS, cells, len(cells), 0.95))
    return found


def _one_of_several(partly: Sequence[Cell], asked: Sequence[Cell]) -> list[Service]:
    """Return the fault of one DNS server of several, where a share of all look-ups fails everywhere."""
    attempts = sum(cell.attempts.get(DNS, 0) for cell in asked)
    failures = sum(cell.failures.get(DNS, 0) for cell in asked)
    share = failures / attempts if attempts else 0.0
    if len({cell.source for cell in partly}) < 2 or attempts < ENOUGH or not SOME[0] <= share <= SOME[1]:
        return []
    return [Service(Scope(ALL), LAYER_DNS, DNS, list(partly), len(asked), 0.9, share)]


def _again(cells: Collection[Cell], bits: int) -> bool:
    return all(any(cell.streaks.get(bit, 0) >= CERTAIN for bit in cell.failing(bits)) for cell in cells)


class _Follows:
    """Whether a Service path fails because of a fault between nodes that is named already."""

    def __init__(self, mesh: Mesh, blamed: Sequence[Blamed]) -> None:
        self._mesh = mesh
        self._blamed = [
            each
            for each in blamed
            if each.component.layer in (OVERLAY, NETWORK, PODS) or each.component.scope.kind != NODE
        ]
        self.nodes = {node for each in self._blamed for node in each.component.scope.nodes}
        self._everywhere = any(not each.component.scope.nodes for each in self._blamed)

    def may_host_dns(self, bad: Collection[Cell]) -> bool:
        """Whether every DNS server may stand on a node at fault: then that node itself still reaches it."""
        return self._everywhere or (bool(self.nodes) and not any(cell.source in self.nodes for cell in bad))

    def source(self, cell: Cell) -> bool:
        """Whether `cell` begins on a node that cannot reach others."""
        return bool(self._blamed) and (cell.source in self.nodes or self._everywhere)

    def target(self, bit: int, bad: Collection[Cell], known: Collection[Cell]) -> bool:
        """Whether the echo behind `bit` stands on a node at fault: surely where its place is known."""
        if not self._blamed or not bad:
            return False
        places = self._mesh.echoes.get(bit)
        if places is not None:
            return bool(places & self.nodes) or self._everywhere
        if self._everywhere:
            return True
        # Its place is not known: it may stand on such a node if that node itself still reaches it.
        return not any(cell.source in self.nodes and cell.bad & bit for cell in known)
