"""From the states of all probers to findings: one look.

states ─▶ evidence ─▶ hard faults ─▶ loss ─▶ Services and DNS ─▶ silent probers, nodes that left ─▶ findings
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from smoker_diagnosis import loss as losses
from smoker_diagnosis.component import (
    INTO,
    MUST,
    NO,
    NODE,
    ONE_WAY,
    OUT_OF,
    PAIR,
    TARGET,
    Component,
    Scope,
    cells_of,
    fails,
)
from smoker_diagnosis.evidence import ECHO, HOST, LARGE, NAMES, UDP, Cell, Mesh, mesh_of
from smoker_diagnosis.explain import Blamed, Reach
from smoker_diagnosis.finding import SHOWN_FAILING, SHOWN_WORKING, Count, Finding, Kind, Seen, identity
from smoker_diagnosis.services import LAYER_DNS, Service, find_services
from smoker_diagnosis.state import State

OFTEN = 2  # failures in a row before a path without a common cause is worth a finding
AGREE = 0.8  # share of the failed probes whose far end must agree on a direction


def diagnose(states: Iterable[State], waited: Mapping[tuple[str, str], float] | None = None) -> list[Finding]:
    """Return what is at fault, the gravest first; nothing in a healthy mesh.

    `waited`: by node and network, seconds since that state was made, where it was not fetched just now.
    """
    listed = list(states)
    cluster = next((state.cluster for state in listed if state.cluster), "")
    mesh = mesh_of(listed, waited)
    return _Look(mesh, cluster).findings()


class _Look:
    def __init__(self, mesh: Mesh, cluster: str) -> None:
        self._mesh, self._cluster = mesh, cluster
        self._totals = Counter(cell.plane for cell in mesh.cells)

    def findings(self) -> list[Finding]:
        mesh = self._mesh
        first = Reach(mesh)
        blamed = first.explain()
        dead = {row[0] for each in blamed for row in each.rows if each.component.bits != LARGE and _is_dead(each)}
        lossy = losses.find_loss(mesh, dead)
        if lossy:  # what loses packets fails now and then, too: that is no fault of its own
            touched = {id(cell) for each in lossy for cell in each.cells}
            neutral = [
                (id(cell), bit)
                for cell in mesh.cells
                if id(cell) in touched and id(cell) not in dead
                for bit in cell.failing(ECHO | LARGE)
            ]
            first = Reach(mesh, neutral)
            blamed = first.explain()
        services, following = find_services(mesh, blamed)
        found = [self._of_reach(each) for each in blamed]
        if found and following:
            found[0] = _with(found[0], follows=len(following))
        found += [self._of_loss(each) for each in lossy]
        found += [self._of_service(each) for each in services]
        named = {node for each in found for node in each.scope.nodes if each.scope.kind in (NODE, INTO, OUT_OF)}
        found += self._left(named)
        found += self._silent(named | set(mesh.left))
        found += self._targets(named)
        stray = [
            cell
            for cell in first.unexplained(blamed)
            if any(cell.streaks[bit] >= OFTEN for bit in cell.failing(ECHO | LARGE))
        ]
        if stray:
            found.append(self._unknown(stray))
        return found

    def _finding(self, kind: Kind, scope: Scope, layer: str, **more: object) -> Finding:
        return Finding(id=identity(self._cluster, kind, scope, layer), kind=kind, scope=scope, layer=layer, **more)  # type: ignore[arg-type]

    def _of_reach(self, each: Blamed) -> Finding:
        component = each.component
        cells, beside = self._within(component)
        failing = [cell for cell in cells if any((id(cell), bit) in each.rows for bit in cell.failing(component.bits))]
        working = [cell for cell in cells if not cell.bad & component.bits]
        outcomes = {cell.outcomes[bit] for cell in failing for bit in cell.failing(component.bits)}
        large = component.bits == LARGE
        sizes = [cell.passes for cell in failing if cell.passes]
        return self._finding(
            "mtu" if large else "fault",
            component.scope,
            component.layer,
            layers=each.layers,
            probes=component.probes,
            families=component.families,
            one_of=each.one_of,
            confidence=round(each.confidence, 3),
            direction="" if large else _direction(component.scope, failing),
            mtu=max((cell.mtu for cell in failing), default=0) if large else 0,
            passes=min(sizes) if large and sizes else 0,
            offender=_offender(failing),
            outcomes=tuple(sorted(outcomes)),
            since=max(
                (age for cell in failing for bit, age in cell.since.items() if (id(cell), bit) in each.rows),
                default=0.0,
            ),
            counts=_counts(failing, cells),
            beside=_counts([cell for cell in beside if cell.bad & component.bits], beside),
            failing=tuple(_seen(failing, component.bits))[:SHOWN_FAILING],
            working=tuple(_seen(working + [cell for cell in beside if not cell.bad], component.bits))[:SHOWN_WORKING],
        )

    def _within(self, component: Component) -> tuple[list[Cell], list[Cell]]:
        """Return the paths that fail with `component`, and the others between the same nodes."""
        scope = component.scope
        inside: list[Cell] = []
        beside: list[Cell] = []
        node = scope.nodes[0] if len(scope.nodes) == 1 else ""
        for cell in cells_of(self._mesh, scope):
            if not cell.known & component.bits:
                continue
            hit = fails(
                component.layer,
                cell.plane,
                local=cell.local,
                source_in=cell.source == node,
                target_in=cell.target == node,
            )
            if component.families and cell.family not in component.families:
                hit = NO
            if hit == MUST or (hit and cell.bad & component.bits):
                inside.append(cell)
            elif not hit:
                beside.append(cell)
        return inside, beside

    def _of_loss(self, each: losses.Lossy) -> Finding:
        losing = [cell for cell in each.cells if cell.lost]
        return self._finding(
            "loss",
            each.component.scope,
            each.component.layer,
            layers=each.layers,
            families=each.component.families,
            one_of=each.one_of,
            severity="critical" if each.rate >= 0.05 else "warning",
            confidence=round(each.confidence, 3),
            direction=each.direction,
            share=each.rate,
            counts=_counts(losing, each.cells),
            failing=tuple(
                Seen(
                    cell.source,
                    cell.target,
                    cell.plane,
                    cell.family,
                    "train",
                    f"{cell.lost} of {cell.sent} packets lost",
                )
                for cell in sorted(losing, key=lambda cell: -cell.lost)[:SHOWN_FAILING]
            ),
        )

    def _of_service(self, each: Service) -> Finding:
        outcomes = {cell.outcomes[bit] for cell in each.cells for bit in cell.failing(each.bits)}
        return self._finding(
            "dns" if each.layer == LAYER_DNS else "service",
            each.scope,
            each.layer,
            layers=(each.layer,),
            probes=() if each.bits == ECHO or each.layer == LAYER_DNS else _names(each.bits),
            confidence=each.confidence,
            share=each.share,
            outcomes=tuple(sorted(outcomes)),
            since=max((age for cell in each.cells for age in cell.since.values()), default=0.0),
            counts=(Count("service", len(each.cells), each.of),),
            failing=tuple(_seen(each.cells, each.bits))[:SHOWN_FAILING],
            notes=(each.note,) if each.note else (),
        )

    def _left(self, named: set[str]) -> Iterator[Finding]:
        """Yield the nodes that Kubernetes calls not ready and that failed before: their paths are probed no more."""
        for node, reports in sorted(self._mesh.left.items()):
            failing = sum(reports)
            if node not in named and node not in self._mesh.answering and failing >= max(1, 0.5 * len(reports)):
                yield self._finding(
                    "not_ready",
                    Scope(NODE, (node,)),
                    "network",
                    layers=("network", "overlay"),
                    confidence=0.95 if len(reports) > 1 else 0.8,
                    counts=(Count("peers", failing, len(reports)),),
                )

    def _silent(self, named: set[str]) -> Iterator[Finding]:
        """Yield the probers that do not answer for themselves though their peers reach them, and those that hang."""
        mesh = self._mesh
        for node, network in sorted(mesh.hung | mesh.silent):
            cells = [cell for cell in mesh.by_target.get(node, ()) if cell.plane.endswith(HOST) == (network == HOST)]
            reached = [cell for cell in cells if cell.known & ECHO & ~cell.bad]
            if node in named or (not reached and (node, network) not in mesh.hung):
                continue
            hung = (node, network) in mesh.hung
            yield self._finding(
                "silent",
                Scope(NODE, (node,)),
                "prober",
                layers=("prober",),
                severity="warning",
                confidence=0.95 if hung or len(reached) > 1 else 0.8,
                counts=(Count("peers", len(cells) - len(reached), len(cells)),),
                notes=(network, "hung" if hung else "silent"),
            )

    def _targets(self, named: set[str]) -> Iterator[Finding]:
        """Yield the further targets (not peers, not echo services) that fail for everybody who probes them."""
        of: dict[str, list[tuple[str, bool, str]]] = {}
        for source, path in self._mesh.others:
            if path.last and path.last != "local_error":
                bad = path.last != "success" and path.streak >= OFTEN
                of.setdefault(path.target, []).append((source, bad, path.last))
        for target, seen in sorted(of.items()):
            own = [each for each in seen if each[0] not in named]
            bad = [each for each in own if each[1]]
            if bad and len(bad) >= AGREE * len(own):
                yield self._finding(
                    "target",
                    Scope(TARGET, (target,)),
                    "target",
                    layers=("target",),
                    confidence=0.95 if len(bad) > 1 else 0.9,
                    outcomes=tuple(sorted({outcome for *_, outcome in bad})),
                    counts=(Count("other", len(bad), len(own)),),
                )

    def _unknown(self, stray: Sequence[Cell]) -> Finding:
        names = tuple(sorted(f"{cell.source}>{cell.target}" for cell in stray))[:SHOWN_FAILING]
        scope = Scope("", names)
        return self._finding(
            "unknown",
            scope,
            "",
            severity="warning",
            confidence=0.5,
            outcomes=tuple(sorted({outcome for cell in stray for outcome in cell.outcomes.values()})),
            counts=tuple(
                Count(plane, count, self._totals[plane])
                for plane, count in sorted(Counter(cell.plane for cell in stray).items())
            ),
            failing=tuple(_seen(stray, ECHO | LARGE))[:SHOWN_FAILING],
        )


def _is_dead(each: Blamed) -> bool:
    return not each.component.probes or each.component.bits == LARGE


def _with(finding: Finding, **changes: object) -> Finding:
    return msgspec.structs.replace(finding, **changes)


def _names(bits: int) -> tuple[str, ...]:
    return tuple(name for bit, name in NAMES.items() if bit & bits)


def _counts(failing: Sequence[Cell], cells: Sequence[Cell]) -> tuple[Count, ...]:
    bad, whole = Counter(cell.plane for cell in failing), Counter(cell.plane for cell in cells)
    return tuple(Count(plane, bad[plane], count) for plane, count in sorted(whole.items()))


def _seen(cells: Iterable[Cell], bits: int) -> Iterator[Seen]:
    for cell in cells:
        failing = list(cell.failing(bits))
        for bit in failing:
            yield Seen(
                cell.source, cell.target, cell.plane, cell.family, NAMES[bit], cell.outcomes[bit], cell.since[bit]
            )
        if not failing:
            yield Seen(cell.source, cell.target, cell.plane, cell.family, "", "success")


def _offender(cells: Iterable[Cell]) -> str:
    """Return who refused, where all ICMP errors come from one address."""
    found = {cell.offender for cell in cells if cell.offender}
    return found.pop() if len(found) == 1 else ""


def _direction(scope: Scope, failing: Iterable[Cell]) -> str:
    """Return which half of the round trips is lost, "in" to or "out" of the scope's last node, as the far ends tell."""
    if scope.kind not in (NODE, INTO, OUT_OF, PAIR, ONE_WAY):
        return ""
    end, seen = scope.nodes[-1], Counter[tuple[bool, bool]]()
    for cell in failing:
        if cell.heard is not None and cell.bad & UDP:
            seen[cell.target == end, cell.heard] += 1
    # What was heard and not answered lost its reply; what was not heard says nothing about replies.
    arrives, leaves = seen[True, True], seen[False, True]
    if max(arrives, leaves) < AGREE * sum(seen.values()) / 2 or not arrives + leaves:
        return "both" if seen[True, False] and seen[False, False] else ""
    return "both" if arrives and leaves else "out" if arrives else "in"
