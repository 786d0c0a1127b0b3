"""Find broken DNS pods, and nodes that reach none, from the paths to the cluster's DNS servers.

A look-up of an echo's name goes to a DNS server by chance and says only that one of several fails. A path to each pod
says which one. The network comes first: what a fault between nodes explains is no fault of the DNS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from smoker_diagnosis.evidence import DNS, IN_A_ROW, UDP, Cell, Mesh, Prober
from smoker_diagnosis.follows import Follows

LAYER_REPLICA, LAYER_RACE = "dns_replica", "dns_race"
MOST_OF = 0.8  # share of the probers that counts as all
OVERDUE = 2.0  # intervals without a result from which none is expected soon
NETWORK = 0.5  # share of a node's failing peer paths from which its DNS pod is not named


@dataclass(frozen=True)
class Replica:
    """A pod that serves the DNS and does not answer as it should: on `node`, by `cells` of `of` paths."""

    node: str
    pod: str  # empty where it is not known
    cells: list[Cell]
    of: int


def node_of(target: str) -> str:
    """Return the node of a pod. Further pods of one node have a number: `node-1/2`."""
    return target.partition("/")[0]


def is_service(cell: Cell) -> bool:
    """Return whether the path goes by the DNS Service, and not to one of its pods."""
    return cell.plane.endswith("service")


class Resolvers:
    """The results of the DNS servers, without the paths that a network fault explains."""

    def __init__(self, mesh: Mesh, follows: Follows) -> None:
        self._mesh, self._follows = mesh, follows
        self._services: dict[Prober, list[Cell]] = {}  # the paths to the Service
        self._of: dict[str, list[Cell]] = {}  # by target, the paths that say something about it
        for cell in mesh.resolvers:
            if is_service(cell):
                self._services.setdefault(cell.prober, []).append(cell)
            elif cell.known & DNS and not self._explained(cell):
                self._of.setdefault(cell.target, []).append(cell)

    def _explained(self, cell: Cell) -> bool:
        node = node_of(cell.target)
        cut = node in self._follows.hosts(DNS) or self._follows.everywhere(DNS)
        pair = node != cell.source and {node, cell.source} <= self._follows.near
        return cut or pair or self._follows.source(cell, DNS) or self._peers_fail(cell)

    def _peers_fail(self, cell: Cell) -> bool:
        """Return whether the same node's peer does not answer over the same networks either: then it is the network."""
        node = node_of(cell.target)
        peers = [each for each in self._mesh.leaving(cell.source) if (each.target, each.plane) == (node, cell.plane)]
        known = [each for each in peers if each.known & UDP]
        return bool(known) and all(each.bad & UDP for each in known)

    @property
    def count(self) -> int:
        """The number of these paths."""
        return sum(map(len, self._of.values()))

    @cached_property
    def broken(self) -> list[Replica]:
        """The pods that fail from nearly every node that asks them."""
        found = []
        for target, cells in sorted(self._of.items()):
            bad = [cell for cell in cells if cell.bad & DNS]
            if bad and len(bad) >= MOST_OF * len(cells) and _certain(bad) and not self._unreachable(node_of(target)):
                found.append(Replica(node_of(target), self._mesh.dns_pods.get(target, ""), bad, len(cells)))
        return found

    @property
    def all_broken(self) -> bool:
        """Whether there are several pods, and all of them are broken."""
        return len(self._of) > 1 and len(self.broken) == len(self._of)

    def will_show(self, ago: float) -> bool:
        """Return whether a pod may soon turn out to be broken: it was not asked for `ago` seconds, or failed once."""

        def is_due(cell: Cell) -> bool:
            once = bool(cell.bad & DNS) and cell.failed[DNS].streak < IN_A_ROW
            return (once or cell.age(DNS) >= ago) and cell.age(DNS) < OVERDUE * cell.now.interval

        return any(is_due(cell) for cells in self._of.values() for cell in cells)

    def each_answered(self, ago: float) -> bool:
        """Return whether each pod has answered a query that began less than `ago` seconds ago."""
        return all(any(_worked_since(cell, ago) for cell in cells) for cells in self._of.values())

    def answer(self, failing: Cell) -> bool:
        """Return whether the DNS Service has answered the same prober since its look-ups of echoes began to fail.

        A half answer is one, too: then the DNS is reached, and not each query.
        """
        ago = failing.failing_for(DNS)
        asked = self._services.get(failing.prober, ())
        return any(_worked_since(cell, ago) or _half_answered_since(cell, ago) for cell in asked)

    def may_be_all(self, replica: Replica) -> bool:
        """Return whether a pod that seems to work has answered nobody since `replica` began to fail."""
        ago = max(cell.failing_for(DNS) for cell in replica.cells)
        broken = {id(cell) for each in self.broken for cell in each.cells}
        others = [cells for cells in self._of.values() if broken.isdisjoint(map(id, cells))]
        return any(all(cell.bad & DNS or cell.age(DNS) >= ago for cell in cells) for cells in others)

    @cached_property
    def cut_off(self) -> dict[str, list[Cell]]:
        """By node, the paths from it, where it reaches no DNS server though others do."""
        by_source: dict[str, list[Cell]] = {}
        for cell in self._mesh.resolvers:
            if cell.known & DNS and not self._explained(cell):
                by_source.setdefault(cell.source, []).append(cell)
        found = {}
        for source, cells in by_source.items():
            # The pods of a node can be cut off while the node itself is not: each of its networks is judged separately.
            planes = [[cell for cell in cells if cell.plane.startswith("host") == host] for host in (False, True)]
            dead = [own for own in planes if len(own) > 1 and all(cell.bad & DNS for cell in own) and _certain(own)]
            if dead:
                found[source] = [cell for own in dead for cell in own]
        return found if len(found) < MOST_OF * len(by_source) else {}

    def is_surely_cut_off(self, node: str) -> bool:
        """Return whether a node that reaches no DNS server failed twice in a row at each of them."""
        cells = self.cut_off.get(node, ())
        return bool(cells) and all(cell.failed[DNS].streak >= IN_A_ROW for cell in cells)

    def _unreachable(self, node: str) -> bool:
        """Return whether peers on `node` do not answer either: then it is the network, whatever it is called."""
        into = [cell for cell in self._mesh.entering(node) if not cell.local and cell.known & UDP]
        into = [cell for cell in into if cell.plane.endswith("pod")]
        return bool(into) and sum(bool(cell.bad & UDP) for cell in into) >= NETWORK * len(into)


def _worked_since(cell: Cell, ago: float) -> bool:
    """Return whether the last query was answered, and began less than `ago` seconds ago."""
    return bool(cell.known & DNS) and not cell.bad & DNS and cell.age(DNS) < ago


def _half_answered_since(cell: Cell, ago: float) -> bool:
    """Return whether a look-up that began less than `ago` seconds ago was half answered."""
    return cell.halves is not None and bool(cell.halves.count) and cell.now.instant - cell.halves.at < ago


def _certain(cells: Sequence[Cell]) -> bool:
    """Return whether half of these paths, at least, failed twice in a row."""
    return sum(cell.failed[DNS].streak >= IN_A_ROW for cell in cells) * 2 >= len(cells)
