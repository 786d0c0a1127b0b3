"""Probers that the hub does not reach although their peers do, and probers that hang."""

from __future__ import annotations

import math
from collections.abc import Iterator

from smoker_diagnosis.component import NODE, Scope
from smoker_diagnosis.evidence import ECHO, HOST, Cell, each_bit
from smoker_diagnosis.finding import Count, Finding, finding_of
from smoker_diagnosis.look import Look


def find(look: Look) -> Iterator[Finding]:
    """Yield their findings, except on nodes that are named already or left the cluster."""
    mesh = look.mesh
    for node, network in sorted(mesh.hung | mesh.silent.keys() | mesh.mute.keys()):
        if (node, network) in mesh.mute and node not in look.named:
            connected, paths = mesh.mute[node, network]
            yield _finding(look, node, Count("peers", connected, paths), (network, "mute"), 0.97)
            continue
        since = mesh.silent.get((node, network), math.inf)  # what began before may have ended before a fault began
        cells = [cell for cell in mesh.entering(node) if cell.plane.endswith(HOST) == (network == HOST)]
        cells = [cell for cell in cells if _begun(cell, cell.known & ECHO, since)]
        reached = [cell for cell in cells if _begun(cell, cell.known & ECHO & ~cell.bad, since)]
        hung = (node, network) in mesh.hung
        if node in look.named or node in mesh.left or not (reached or hung):
            continue
        if not hung and look.blames(node):
            continue  # the hub may be at the other end of that fault
        count = Count("peers", len(cells) - len(reached), len(cells))
        sure = 0.95 if hung or len(reached) > 1 else 0.8
        yield _finding(look, node, count, (network, "hung" if hung else "silent"), sure)


def _begun(cell: Cell, bits: int, since: float) -> bool:
    """Return whether the last probe of one of `bits` began less than `since` seconds ago."""
    return any(cell.age(bit) < since for bit in each_bit(bits))


def _finding(look: Look, node: str, count: Count, notes: tuple[str, str], confidence: float) -> Finding:
    """Return the finding of one prober. `notes`: its network, and "silent", "hung" or "mute"."""
    return finding_of(
        look.cluster,
        "silent",
        Scope(NODE, (node,)),
        "prober",
        layers=("prober",),
        severity="warning",
        confidence=confidence,
        counts=(count,),
        notes=notes,
    )
