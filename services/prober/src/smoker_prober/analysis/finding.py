"""Which layer, node or way is at fault, by what all probers say together, with the evidence; or that it is not known.

cells ─▶ apart by what fails of them (all, a protocol, large packets, loss) ─▶ where (node, pair, zones) ─▶ layer

A finding is said only if nearly all ways that it should fail do, and none fails that it does not explain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from statistics import median
from typing import NamedTuple

from smoker_prober.analysis.cell import MTU, Cell
from smoker_prober.analysis.where import explained

LOSSY, LOST = 0.05, 0.9  # loss ratios: below it is chance, above it a way that is no more
RESOLVE, REFUSED = "resolve_error", "refused"  # outcomes that name their layer, as MTU does
SILENT = {"timeout", "unreachable", RESOLVE, MTU}  # what failures have that can follow from another way's
LARGE = "large packets"
PODS, NODES = "the pods' network (overlay, or a policy)", "the nodes' network, below the pods'"


class Finding(NamedTuple):
    """`where` and `what`, in words; both are empty where it is not known."""

    where: str
    what: str
    evidence: str

    def __str__(self) -> str:
        if not self.where:
            return f"Not known what is at fault, for no node, pair or zone explains it: {self.evidence}."
        return f"At fault: {self.where}; {self.what}: {self.evidence}."


def findings(
    cells: Collection[Cell], zones: Mapping[str, str], without_api: Collection[str] = frozenset()
) -> list[Finding]:
    """What is at fault. Without a failure, nor loss, nothing is.

    `zones`: of the nodes that have one. `without_api`: nodes on which the API server does not answer.
    """
    mesh = [cell for cell in cells if cell.family]
    lossy = [cell for cell in mesh if LOSSY <= cell.loss < LOST]
    loss = _of_loss(lossy, mesh, zones)
    lost = set(lossy) if loss and loss.where else set[Cell]()
    kinds = {cell: _kind(cell) for cell in mesh if cell.failed}
    kinds = {cell: kind for cell, kind in kinds.items() if not (cell in lost and _partial(kind))}
    found = {
        kind: _of_failures(
            kind, [cell for cell in kinds if kinds[cell] == kind], mesh, zones, alone=set(kinds.values()) == {kind}
        )
        for kind in sorted(set(kinds.values()))
    }
    services = [cell for cell in cells if not cell.family]
    bad = [cell for cell in services if cell.failed]
    cause = next((kind for kind in found if (found[kind].where or not kind) and _follow(bad, kind)), None)
    if cause is not None:
        evidence = f"{found[cause].evidence}; so do {_of_all(bad, services)}"
        found[cause] = found[cause]._replace(evidence=evidence)
    told = list(found.values())
    told += [loss] if loss and (loss.where or not found) else []
    if bad and cause is None:
        told.append(_of_services(bad, services, any(cell.well for cell in mesh), without_api))
    return told


def _kind(cell: Cell) -> str:
    """What fails of it, in words; none where all does."""
    if cell.outcomes == {MTU}:
        return LARGE
    return " and ".join(sorted(cell.probes)) if cell.well else ""


def _partial(kind: str) -> bool:
    """Whether it is some protocols: chance can look like that. A verdict on large packets has its own proof."""
    return kind not in ("", LARGE)


def _of_failures(kind: str, bad: list[Cell], mesh: list[Cell], zones: Mapping[str, str], *, alone: bool) -> Finding:
    counts = _counts(bad, mesh)
    where = explained(bad, mesh, zones, single=alone and not _partial(kind))
    if not where:
        return Finding("", "", f"{counts} fail ({kind or 'every probe'})")
    layer, beside = _layer(bad, mesh)
    what = (f"{kind} alone, {layer}" if kind else layer) + _of_one_family(bad, mesh)
    return Finding(where, what, f"{counts} fail{beside}")


def _of_loss(lossy: list[Cell], mesh: list[Cell], zones: Mapping[str, str]) -> Finding | None:
    if not lossy:
        return None
    where = explained(lossy, mesh, zones, single=False)
    told = f"{_counts(lossy, mesh)} lose packets, {median(cell.loss for cell in lossy):.0%} of them in the median"
    if not where:
        return Finding("", "", told)
    layer, beside = _layer(lossy, mesh)
    return Finding(where, f"loss, {layer}{_of_one_family(lossy, mesh)}", told + beside)


def _counts(bad: list[Cell], mesh: list[Cell]) -> str:
    whole, failed = Counter(cell.plane for cell in mesh), Counter(cell.plane for cell in bad)
    return " and ".join(f"{failed[name]} of {whole[name]} ways of plane {name}" for name in sorted(failed))


def _of_one_family(bad: list[Cell], mesh: list[Cell]) -> str:
    families = {cell.family for cell in bad}
    return f", over {', '.join(sorted(families))} alone" if {cell.family for cell in mesh} > families else ""


def _layer(bad: list[Cell], mesh: list[Cell]) -> tuple[str, str]:
    """The layer, and what speaks for it beside the failures."""
    planes, ways = {cell.plane for cell in bad}, {(cell.source, cell.target) for cell in bad}

    def well(plane: str) -> int:
        """Ways of a plane from and to the same nodes of which nothing fails."""
        these = [cell for cell in mesh if cell.plane == plane and (cell.source, cell.target) in ways]
        return sum(not cell.failed and cell.loss < LOSSY for cell in these)

    if all(cell.outcomes == {REFUSED} for cell in bad):
        return "nobody listens there, or somebody rejects it", "; the answers came at once"
    if "host" in planes:
        if count := well("pod"):
            return "the probers on the nodes' network, or a firewall for them", f"; {count} from pod to pod do not"
        return NODES, ""
    if at_home := sum(cell.source == cell.target for cell in bad):
        return (
            "a policy for pods, or their nodes' own network",
            f"; {at_home} of them at home, which no overlay carries",
        )
    if count := well("host"):
        return PODS, f"; {count} from node to node beside them do not"
    return "the pods' network (overlay, or a policy) or the nodes' (hostNetwork.enabled tells them apart)", ""


def _follow(bad: list[Cell], kind: str) -> bool:
    """Whether ways to the echo services fail as those to peers do of which `kind` fails: an echo can stand there."""
    if not bad or not _outcomes(bad) <= SILENT:
        return False
    return not kind or {_kind(cell) for cell in bad} == {kind} or ("UDP" in kind and _outcomes(bad) == {RESOLVE})


def _outcomes(bad: list[Cell]) -> set[str]:
    return {outcome for cell in bad for outcome in cell.outcomes}


def _of_all(bad: list[Cell], services: list[Cell]) -> str:
    return f"{len(bad)} of {len(services)} ways to the echo services ({', '.join(sorted(_outcomes(bad)))})"


def _of_services(bad: list[Cell], services: list[Cell], peers: bool, without_api: Collection[str]) -> Finding:
    """What of the ways to the echo services fails by itself. `peers`: whether any peer answers."""
    outcomes = _outcomes(bad)
    probes = " and ".join(sorted({probe for cell in bad for probe in cell.probes}))
    sources, planes = {cell.source for cell in bad}, {cell.plane for cell in bad}
    every = sources == {cell.source for cell in services if cell.plane in planes}
    told = f"{_of_all(bad, services)} fail{'; peers answer' if peers else ''}"
    if outcomes == {RESOLVE} and every:
        what = "the DNS"
    elif outcomes == {RESOLVE} and sources <= set(without_api):
        what = "Services (kube-proxy, or what stands in for it)"
        told += "; the API server, another Service, does not answer there either"
    elif outcomes == {RESOLVE}:
        what = "the DNS, or the way from there to it"
    elif outcomes == {MTU}:
        what = "large packets to the echo services"
    elif every:
        what = f"the echo services or their Service ({probes})"
    elif any(cell.well for cell in bad):
        what = f"{probes} alone, of the echo services"
    else:
        what = "Services (kube-proxy, or what stands in for it)"
    if every and planes < {cell.plane for cell in services}:
        what += f", from the {'pods' if planes == {''} else 'nodes'}' network alone"
    return Finding("every node" if every and len(sources) > 1 else ", ".join(sorted(sources)), what, told)
