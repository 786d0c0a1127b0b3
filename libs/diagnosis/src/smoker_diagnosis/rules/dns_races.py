"""Find look-ups that lose one of two queries sent together from one socket: a race in the node's connection tracking.

C libraries ask for A and AAAA in this manner. Both packets begin the same connection, so the kernel makes its
translation to a DNS pod twice and drops the second packet. Only queries to the Service are translated: if queries
directly to the pods are lost as often, it is packet loss.

Half answers are compared with the packets that are lost. Each node is tested by itself, and then all of them together:
a node that happens to have some by chance says nothing about the mesh, and there are many nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from smoker_diagnosis.component import ALL, NODE, Scope
from smoker_diagnosis.evidence import DNS, Cell, Mesh, share_lost
from smoker_diagnosis.finding import SHOWN_FAILING, Count, Finding, Seen, finding_of
from smoker_diagnosis.look import Look
from smoker_diagnosis.resolvers import LAYER_RACE, is_service
from smoker_diagnosis.stats import at_least

LEAST = 2  # look-ups: one can be a lost packet
CHANCE = 1e-3  # the probability from which packet loss explains as many


def find(look: Look) -> Iterator[Finding]:
    """Yield the finding, where neither loss of packets nor a fault at its nodes explains it."""
    if not any(cell.partly for cell in look.mesh.resolvers):
        return
    by_service = _by_node(look, service=True)
    raced = _raced(look.mesh, by_service, _by_node(look, service=False))
    if not raced:
        return
    own = [cell for node in (by_service if len(raced) > 1 else raced) for cell in by_service[node]]
    failing = [cell for node in raced for cell in by_service[node] if cell.partly]
    yield finding_of(
        look.cluster,
        "dns",
        Scope(ALL) if len(raced) > 1 else Scope(NODE, tuple(raced)),
        LAYER_RACE,
        layers=(LAYER_RACE,),
        severity="warning",
        confidence=0.9,
        share=_share(own),
        outcomes=("timeout",),
        counts=(Count("dns", len(failing), len(own)),),
        failing=tuple(
            Seen(cell.source, cell.target, cell.plane, cell.family, "dns", "timeout")
            for cell in failing[:SHOWN_FAILING]
        ),
    )


def _by_node(look: Look, *, service: bool) -> dict[str, list[Cell]]:
    """Return the look-ups by Service, or those directly to the pods, of each node at which no fault is named."""
    of: dict[str, list[Cell]] = {}
    for cell in look.mesh.resolvers:
        if is_service(cell) == service:
            of.setdefault(cell.source, []).append(cell)
    return {node: cells for node, cells in of.items() if not look.blames(node)}


def _raced(mesh: Mesh, by_service: Mapping[str, list[Cell]], straight: Mapping[str, list[Cell]]) -> list[str]:
    """Return the nodes with more half answers than packet loss explains; several stand for every node."""
    usual = 2 * (mesh.lost / mesh.sent if mesh.sent else 0.0) + _share(chain.from_iterable(straight.values()))
    halved = {node: many for node, cells in by_service.items() if (many := _halved(cells))}
    expected = {node: _tries(cells) * usual for node, cells in by_service.items()}
    for node in halved:  # its own loss may be higher
        expected[node] = max(expected[node], _tries(by_service[node]) * _share_by_loss(mesh, node, straight))
    raced = [
        node
        for node, many in halved.items()
        if many >= LEAST and len(by_service) * at_least(many, expected[node]) <= CHANCE
    ]
    others = [node for node in halved if node not in raced]
    many = sum(halved[node] for node in others)
    if many >= LEAST and at_least(many, sum(expected[node] for node in expected.keys() - raced)) <= CHANCE:
        raced += others
    return raced


def _share_by_loss(mesh: Mesh, node: str, straight: Mapping[str, list[Cell]]) -> float:
    """Return the share of look-ups by `node` in which packet loss takes one of both queries, or its answer.

    It is seen in the trains between the node and its peers, and in the queries directly to the pods.
    """
    paths = (cell for cell in (*mesh.leaving(node), *mesh.entering(node)) if not cell.local)
    return 2 * share_lost(paths) + _share(straight.get(node, ()))


def _share(cells: Iterable[Cell]) -> float:
    """Return the share of the look-ups on `cells` of which one query was answered."""
    own = list(cells)
    return _halved(own) / max(_tries(own), _halved(own), 1)


def _tries(cells: Iterable[Cell]) -> int:
    return sum(cell.tries.get(DNS, 0) for cell in cells)


def _halved(cells: Iterable[Cell]) -> int:
    return sum(cell.partly for cell in cells)
