"""A kept flow to a Service that fails while fresh flows work: a stale entry of the node's connection tracking.

The entry translates the flow to a pod that is gone. kube-proxy removes such entries when the endpoints of a Service
change. One that stays loses every packet of the flow for as long as packets are sent. Loss, or one of several pods that
does not answer, can look alike: a node is named only where no fault, and no loss that explains it, is found at it or
where the pods are, and where no fresh probe of the Service from that node has failed.
"""

from __future__ import annotations

from collections.abc import Iterator

from smoker_diagnosis.behind_services import Explained
from smoker_diagnosis.component import NODE, Scope
from smoker_diagnosis.evidence import HTTP, TCP, UDP, Cell
from smoker_diagnosis.finding import SHOWN_FAILING, Count, Finding, Seen, finding_of
from smoker_diagnosis.look import Look

LAYER = "conntrack"
ROUNDS = 2  # in a row: a single one can be a moment in which endpoints change
LASTS = 10.0  # seconds: kube-proxy has usually removed the entries of pods that are gone before
SYNCS = 45.0  # the same where pods changed so recently: what kube-proxy misses it removes every 30 seconds, by default


def find(look: Look) -> Iterator[Finding]:
    """Yield one finding for each node, where nothing else explains it."""
    explained, of = Explained(look), dict[str, list[Cell]]()
    for cell in look.mesh.troubled:
        if cell.kept is not None and _stale(cell) and not explained.explains(cell.source, UDP, cell.kept.rounds):
            of.setdefault(cell.source, []).append(cell)
    for node, cells in sorted(of.items())[:SHOWN_FAILING]:
        kept = [cell.kept for cell in cells if cell.kept is not None]
        own = sum(cell.source == node for cell in look.mesh.services)
        yield finding_of(
            look.cluster,
            "conntrack",
            Scope(NODE, (node,)),
            LAYER,
            layers=(LAYER,),
            probes=("udp",),
            severity="warning",
            confidence=0.95,
            since=max(cell.now.instant - each.since for cell, each in zip(cells, kept, strict=True)),
            counts=(Count("service", len(cells), own),),
            kept_ports=tuple(each.port for each in kept),
            failing=tuple(
                Seen(cell.source, cell.target, cell.plane, cell.family, "udp", "timeout", cell.now.instant - each.since)
                for cell, each in zip(cells, kept, strict=True)
            ),
        )


def _stale(cell: Cell) -> bool:
    """Return whether the kept flow alone fails, for long enough."""
    kept = cell.kept
    missed = any(cell.misses.get(bit) for bit in (TCP, UDP, HTTP))  # a name that was not found says nothing of the flow
    if kept is None or cell.bad or cell.lost or missed:
        return False
    now = cell.now
    lasts = SYNCS if now.instant - now.replaced < SYNCS else LASTS
    return kept.rounds >= ROUNDS and now.instant - kept.since >= lasts
