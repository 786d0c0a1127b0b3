"""Tell whether a pair of nodes, or a pair of zones, may be what shows so far of a fault of a whole node.

A node that loses many packets fails its probes at random. Before enough packets are counted to name it, all that has
failed may be paths to one of its peers. But then its paths to other peers lose packets, too: more of them than chance
makes likely. One other peer alone is no sign, because that peer may be the lossy one.

Where some flows always fail, their checks come path by path, each after a first loss or failure. There a single other
path in trouble is a sign: a node whose flows fail would else be named together with an innocent one.
"""

from __future__ import annotations

from collections.abc import Iterable

from smoker_diagnosis.component import ALL, INTO, NODE, OUT_OF, Scope
from smoker_diagnosis.evidence import ECHO, Cell, Mesh
from smoker_diagnosis.loss import BACKGROUND, WEIGHT_OF_PRIOR, by_history
from smoker_diagnosis.mesh_loss import WINDOW
from smoker_diagnosis.stats import at_least

WHOLE = (NODE, INTO, OUT_OF, ALL)  # scopes that grow no further here
CHANCE = 0.01  # the probability up to which so many paths in trouble are no chance
PEERS = 2  # that they must lead to


def may_grow(mesh: Mesh, scope: Scope, cells: Iterable[Cell]) -> bool:
    """Return whether the trouble of `cells`, named as `scope`, may be that of a node at which all of them end."""
    some = list(cells) if scope.kind not in WHOLE else []
    ends = {(cell.source, cell.target) for cell in some}
    if not ends:
        return False
    nodes = set.intersection(*map(set, ends))
    flows = any(cell.flows for cell in some)
    return any(_is_in_trouble(mesh, node, ends, one_is_enough=flows) for node in nodes)


def _is_in_trouble(mesh: Mesh, node: str, ends: set[tuple[str, str]], *, one_is_enough: bool) -> bool:
    """Return whether the paths between `node` and peers that are not in `ends` are in trouble beyond chance."""
    others = [
        cell
        for cell in (*mesh.leaving(node), *mesh.entering(node))
        if cell.known and not cell.local and ends.isdisjoint([(cell.source, cell.target), (cell.target, cell.source)])
    ]
    troubled = [cell for cell in others if cell.lost or cell.bad & ECHO]
    if one_is_enough:
        return bool(troubled)
    peers = {end for cell in troubled for end in (cell.source, cell.target)} - {node}
    return len(peers) >= PEERS and at_least(len(troubled), len(others) * _by_chance(mesh)) <= CHANCE


def _by_chance(mesh: Mesh) -> float:
    """Return the share of the paths that fail or lose packets by chance, from the history of the mesh."""
    a_round = mesh.flaps / (mesh.past + WEIGHT_OF_PRIOR) + by_history(mesh, without=())
    return BACKGROUND + WINDOW * a_round
