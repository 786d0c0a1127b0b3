"""Make findings of an explanation: which paths fail, which comparable paths work, and since when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from smoker_diagnosis import direction, traces
from smoker_diagnosis.component import MUST, NETWORK, NO, OVERLAY, Component, Scope, cells_of, fails
from smoker_diagnosis.evidence import ECHO, LARGE, NAMES, UDP, Cell, Mesh, each_bit
from smoker_diagnosis.explain import Blamed
from smoker_diagnosis.finding import SHOWN_FAILING, SHOWN_WORKING, Count, Finding, Seen, finding_of, flows_of, seen
from smoker_diagnosis.growing import may_grow
from smoker_diagnosis.likelihood import TOGETHER
from smoker_diagnosis.look import Look
from smoker_diagnosis.lossy import Lossy
from smoker_diagnosis.resolvers import LAYER_REPLICA
from smoker_diagnosis.services import LAYER_DNS, Service

GRAVE = 0.05  # packet loss from which a finding is critical


def of_blamed(look: Look, each: Blamed) -> Finding:
    """Return the finding of a hard fault."""
    component = each.component
    cells, beside = _within(look.mesh, component)
    failing = [cell for cell in cells if any((id(cell), bit) in each.rows for bit in cell.failing(component.bits))]
    working = [cell for cell in cells if not cell.bad & component.bits] + [cell for cell in beside if not cell.bad]
    failures = [(cell, bit) for cell in failing for bit in cell.failing(component.bits)]
    large = component.bits == LARGE
    offenders = {cell.offender for cell in failing if cell.offender}
    since = max((cell.failing_for(bit) for cell, bit in failures), default=0.0)
    planes = {cell.plane for cell, _ in failures}
    return finding_of(
        look.cluster,
        "mtu" if large else "fault",
        component.scope,
        component.layer,
        layers=_layers(each, failing),
        probes=component.probes,
        families=component.families,
        one_of=each.one_of,
        confidence=round(each.confidence, 3),
        direction="" if large else direction.of_failures(component.scope, failing),
        mtu=max((cell.mtu for cell in failing), default=0) if large else 0,
        passes=min((cell.passes for cell in failing if cell.passes), default=0) if large else 0,
        offender=offenders.pop() if len(offenders) == 1 else "",  # several: none of them is the cause
        outcomes=tuple(sorted({cell.failed[bit].outcome for cell, bit in failures})),
        since=since,
        counts=_counts(failing, cells),
        beside=_counts([cell for cell in beside if cell.bad & component.bits], beside),
        failing=tuple(seen(failing, component.bits))[:SHOWN_FAILING],
        last_hops=traces.of_cells(failing),
        working=tuple(seen(working[:SHOWN_WORKING], component.bits)),
        flows=flows_of(cells),
        awaits=("other_nodes",)
        if _may_be_everywhere(look.mesh, component.scope, planes, component.bits, since)
        else (),
        may_grow=may_grow(look.mesh, component.scope, failing),
    )


def _may_be_everywhere(mesh: Mesh, scope: Scope, planes: Collection[str], bits: int, since: float) -> bool:
    """Return whether a fault of nodes may be one of every node: no probe between others since then has worked.

    Rounds of different nodes begin at different times, so a fault that begins everywhere is first seen by one of them.
    """
    exist = False
    for cell in mesh.cells if scope.nodes else ():
        if (
            cell.plane in planes
            and not cell.local
            and cell.source not in scope.nodes
            and cell.target not in scope.nodes
        ):
            well = cell.known & bits & ~cell.bad
            exist |= bool(well)
            if any(cell.age(bit) <= since + TOGETHER for bit in each_bit(well)):
                return False
    return exist


def _layers(each: Blamed, failing: Iterable[Cell]) -> tuple[str, ...]:
    """Return the layers that may be at fault.

    Until a probe (or, for large packets, one of these) between two nodes fails, it may be the overlay alone: those
    paths may not have been probed since the fault began.
    """
    below = each.component.layer != NETWORK or any(cell.plane == "host" for cell in failing)
    return each.layers if below else tuple(dict.fromkeys((*each.layers, OVERLAY)))


def of_loss(look: Look, each: Lossy) -> Finding:
    """Return the finding of a loss of packets."""
    component = each.component
    losing = sorted((cell for cell in each.cells if cell.lost), key=lambda cell: -cell.lost)
    _, beside = _within(look.mesh, component)
    beside = [cell for cell in beside if cell.sent and not cell.local]
    checks = {(cell.plane, cell.now.instant - cell.flows.at) for cell in each.cells if cell.flows}
    planes, since = {plane for plane, _ in checks}, max((age for _, age in checks), default=0.0)
    awaits = bool(checks) and _may_be_everywhere(look.mesh, component.scope, planes, UDP, since)
    return finding_of(
        look.cluster,
        "loss",
        component.scope,
        component.layer,
        layers=each.layers,
        families=component.families,
        one_of=each.one_of,
        severity="critical" if each.rate >= GRAVE else "warning",
        confidence=round(each.confidence, 3),
        direction=direction.of_loss(component.scope, each.cells),
        share=each.rate,
        counts=_counts(losing, each.cells),
        beside=_counts([cell for cell in beside if cell.lost], beside),
        failing=tuple(
            Seen(cell.source, cell.target, cell.plane, cell.family, "train", f"{cell.lost} of {cell.sent} packets lost")
            for cell in losing[:SHOWN_FAILING]
        ),
        flows=flows_of(each.cells),
        awaits=("other_nodes",) if awaits else (),
        may_grow=may_grow(look.mesh, component.scope, losing),
    )


def of_service(look: Look, each: Service) -> Finding:
    """Return the finding of a fault of Services or the DNS."""
    dns = each.layer in (LAYER_DNS, LAYER_REPLICA)
    failures = [(cell, bit) for cell in each.cells for bit in cell.failing(each.bits)]
    return finding_of(
        look.cluster,
        "dns" if dns else "service",
        each.scope,
        each.layer,
        layers=(each.layer,),
        probes=() if dns or each.bits == ECHO else tuple(name for bit, name in NAMES.items() if bit & each.bits),
        confidence=each.confidence,
        share=each.share,
        outcomes=tuple(sorted({cell.failed[bit].outcome for cell, bit in failures})),
        since=max((cell.failing_for(bit) for cell, bit in failures), default=0.0),
        counts=(Count(each.plane, len(each.cells), each.of),),
        beside=(Count(each.plane, 0, each.well),) if each.well else (),
        pod=each.pod,
        failing=tuple(seen(each.cells, each.bits))[:SHOWN_FAILING],
        last_hops=traces.of_cells(each.cells),
        notes=(each.note,) if each.note else (),
        awaits=("dns_pods",) if each.awaits else (),
        from_start=all(cell.fails_from_start(bit) for cell, bit in failures),
    )


def within(mesh: Mesh, component: Component) -> list[Cell]:
    """Return the paths that fail with `component`."""
    return _within(mesh, component)[0]


def _within(mesh: Mesh, component: Component) -> tuple[list[Cell], list[Cell]]:
    """Return the paths that fail with `component`, and the other paths between the same nodes."""
    scope = component.scope
    inside: list[Cell] = []
    beside: list[Cell] = []
    node = scope.nodes[0] if len(scope.nodes) == 1 else ""
    for cell in cells_of(mesh, scope):
        if not cell.known & component.bits:
            continue
        source_in, target_in = cell.source == node, cell.target == node
        hit = fails(component.layer, cell.plane, local=cell.local, source_in=source_in, target_in=target_in)
        if component.families and cell.family not in component.families:
            hit = NO
        if hit == MUST or (hit and cell.bad & component.bits):
            inside.append(cell)
        elif not hit:
            beside.append(cell)
    return inside, beside


def _counts(failing: Sequence[Cell], cells: Iterable[Cell]) -> tuple[Count, ...]:
    bad, whole = Counter(cell.plane for cell in failing), Counter(cell.plane for cell in cells)
    return tuple(Count(plane, bad[plane], count) for plane, count in sorted(whole.items()))
